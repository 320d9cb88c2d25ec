# `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check audit bench fix clean toolchain python cargo-deny

PORT ?= 8080
DATA ?= ./data
DELIVERIES ?= 200

# The version that the configuration was written for.
CARGO_DENY_VERSION := 0.20.2
TOOLS := $(CURDIR)/target/tools
export PATH := $(TOOLS)/bin:$(PATH)
SCHEMATHESIS := $(TOOLS)/schemathesis

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: toolchain ## Build, serve on 127.0.0.1:PORT (8080) with DATA (./data), deliver real webhooks, check the answers
	cargo build --release --locked --bin hookledger
	@$(MAIN_JOB)

test: toolchain $(SCHEMATHESIS)/installed ## Build and run every test, and hold the running server against its documents
	cargo test --workspace --locked
	$(SCHEMATHESIS)/bin/python tests/schemathesis/run.py target/debug/hookledger

check: toolchain cargo-deny ## Formatting, lints, docs, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cargo deny --locked check bans licenses sources

audit: cargo-deny ## Known vulnerabilities of the dependencies (fetches the advisory database)
	cargo deny --locked check advisories

bench: toolchain ## Measure, each row beside a reference: BENCH=full (10 M events) or quick (to try it), ROWS=http,reads
	@BENCH='$(BENCH)' ROWS='$(ROWS)' cargo bench --quiet --package stories --bench ledger --locked

fix: toolchain ## Format, and apply what the lints propose
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

clean: ## Remove what was built
	cargo clean

# Cargo and a C compiler, which some dependencies are built with. The compiler is installed where that is allowed.
toolchain:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -q && apt-get install -qy gcc libc6-dev; } \
	  || { echo "a C compiler is missing: install one, for example with 'sudo apt-get install gcc libc6-dev'" >&2; exit 1; }

# What the documents are checked with, in a folder of its own: pinned, and made again when the pins change.
$(SCHEMATHESIS)/installed: tests/schemathesis/requirements.txt | python
	rm -rf $(SCHEMATHESIS)
	python3 -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

# Python with its module for such folders, installed where that is allowed.
python:
	@$(HAS_PYTHON) || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -q && apt-get install -qy python3 python3-venv && $(HAS_PYTHON); } \
	  || { echo "Python 3.11 or newer with venv is missing: install it, for example with 'sudo apt-get install python3 python3-venv'" >&2; exit 1; }

cargo-deny:
	@cargo deny --version >/dev/null 2>&1 \
	  || cargo install cargo-deny --version $(CARGO_DENY_VERSION) --locked --profile dev --root $(TOOLS)

HAS_PYTHON = python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null

# The server stays in the foreground until Ctrl-C, which reaches it and this shell alike.
define MAIN_JOB
ledger=target/release/hookledger; \
token=$$($$ledger token create --data-dir $(DATA) --workspace ws_demo --scope append --scope read --expires 1d); \
out=$$(mktemp); \
$$ledger serve --data-dir $(DATA) --listen 127.0.0.1:$(PORT) > $$out & \
server=$$!; \
trap 'kill -TERM $$server 2>/dev/null || true; wait $$server || true; rm -f $$out' EXIT; \
trap 'exit 130' INT TERM; \
until grep -q '^listening on ' $$out; do kill -0 $$server 2>/dev/null || { wait $$server; exit 1; }; sleep 0.1; done; \
cat $$out; \
$$ledger demo --url "$$(sed -n 's/^listening on //p' $$out)" --token "$$token" --deliveries $(DELIVERIES); \
echo; \
echo "The ledger goes on serving until Ctrl-C."; \
wait $$server
endef
