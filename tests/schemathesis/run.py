"""Holds a running server against the documents of its endpoints, with requests that schemathesis makes up.

    run.py PROGRAM

serves with PROGRAM a folder of its own, filled with the history of the golden fixture, and exits with 1 when an answer
is not as documented, or when the ledger is not whole afterwards.

The contracts' documents are those of other services: they know neither our bounds nor all of our statuses. An overlay
beside this file adds them. It is merged into the document as a JSON merge patch (RFC 7396), except that lists of
parameters are merged by name. What the contract itself says of an answer may not be changed by it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OPENAPI = ROOT / "proto-schemas" / "openapi"
HISTORY = ROOT / "proto-schemas" / "golden" / "data-dir-1" / "export.ndjson"
# What is left to look at when something failed.
OUT = ROOT / "target" / "schemathesis"

STOP_MAX_SECONDS = 60
RUN_MAX_SECONDS = 300
MAX_EXAMPLES = {"history": 200, "stats": 200, "hookledger": 60}

# The arguments of `token create`. The last two are refused most of what is asked.
TOKENS = {
    "every workspace": ["--scope", "read"],
    "one workspace": ["--workspace", "ws_1", "--scope", "append", "--scope", "read"],
    "one subscription": ["--workspace", "ws_1", "--subscription", "whsub_1", "--scope", "read"],
    "administration": ["--scope", "admin"],
}


def main(program):
    """Serves, asks, and looks what became of the ledger."""
    OUT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        tokens = {
            reach: call(program, "token", "create", "--data-dir", data_dir, *arguments)
            for reach, arguments in TOKENS.items()
        }
        call(program, "ingest", "--data-dir", data_dir, HISTORY)
        with served(program, data_dir) as url:
            failed = [run for run in runs(url, tokens) if not conforms(url, *run)]
        call(program, "verify", "--data-dir", data_dir)
        call(program, "replay", "--check", "--data-dir", data_dir)
    if failed:
        sys.exit(f"error: {len(failed)} runs found answers that are not as documented")
    print(f"all answers are as documented ({time.monotonic() - began:.0f} s)")


def runs(url, tokens):
    """The name of each run, its document, the header with the token, and how many requests are made up at most."""
    for name, document, header, reaches in [
        ("history", overlaid("history"), "Authorization: Bearer ", ["every workspace", "one subscription"]),
        # A token for every workspace would need a workspace_id, which this contract does not know.
        ("stats", overlaid("stats"), "X-API-Key: ", ["one workspace", "one subscription"]),
        ("hookledger", f"{url}/openapi.json", "Authorization: Bearer ", ["one workspace", "administration"]),
    ]:
        for reach in reaches:
            yield f"{name}, with a token for {reach}", document, header + tokens[reach], MAX_EXAMPLES[name]


def conforms(url, name, document, header, max_examples):
    """Runs schemathesis, and tells whether every answer was as documented."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run", document]
    command += ["--url", url, "--header", header, "--max-examples", str(max_examples)]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py")}
    # It keeps its own files where it runs.
    ended = subprocess.run(
        command, cwd=OUT, env=environment, timeout=RUN_MAX_SECONDS, capture_output=True, text=True
    )
    requests = re.search(r"(\d+) generated", ended.stdout)
    if ended.returncode != 0 or requests is None:
        print(f"{name}: not as documented\n{ended.stdout}{ended.stderr}", flush=True)
        return False
    print(f"{name}: {requests[1]} requests, all answers as documented", flush=True)
    return True


def overlaid(name):
    """Writes the document of a contract with its overlay, and gives the path."""
    contract = json.loads((OPENAPI / f"{name}.contract.json").read_text())
    document = merge(contract, json.loads((HERE / f"{name}.overlay.json").read_text()))
    for path, operations in contract["paths"].items():
        for status, answer in operations["get"]["responses"].items():
            kept = document["paths"][path]["get"]["responses"][status]["content"]
            assert kept == answer["content"], f"{name}: the overlay changes the answer {status}"
    for schema, definition in contract["components"]["schemas"].items():
        assert document["components"]["schemas"][schema] == definition, f"{name}: the overlay changes {schema}"
    written = OUT / f"{name}.json"
    written.write_text(json.dumps(document, indent=2))
    return written


def merge(document, overlay):
    """Merges an overlay into a document."""
    if isinstance(overlay, list) and isinstance(document, list):
        merged = {parameter["name"]: parameter for parameter in document}
        for parameter in overlay:
            merged[parameter["name"]] = merge(merged.get(parameter["name"]), parameter)
        return list(merged.values())
    if not isinstance(overlay, dict):
        return overlay
    merged = dict(document) if isinstance(document, dict) else {}
    for name, member in overlay.items():
        merged[name] = merge(merged.get(name), member)
    return merged


@contextmanager
def served(program, data_dir):
    """Serves a folder on a free port, and gives the URL."""
    command = [program, "serve", "--data-dir", data_dir, "--listen", "127.0.0.1:0"]
    with open(OUT / "server.log", "w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        # A server that fails closes its standard output.
        line = server.stdout.readline()
        if not line.startswith("listening on "):
            sys.exit(f"error: the server does not listen: see {log.name}")
        yield line.removeprefix("listening on ").strip()
        if server.poll() is not None:
            sys.exit(f"error: the server ended: see {log.name}")
    finally:
        server.terminate()
        server.wait(STOP_MAX_SECONDS)


def call(program, *arguments):
    """Runs the program to its end, and gives what it prints."""
    ended = subprocess.run([program, *arguments], capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"{arguments[0]}: {ended.stderr}")
    return ended.stdout.strip()


if __name__ == "__main__":
    main(*sys.argv[1:])
