//! Folders that earlier versions wrote go on working: whole, with the same answers, and open for more.
//!
//! `proto-schemas/golden/data-dir-N/` holds such a folder as `ledger.tar.zst`, and beside it what it must answer for
//! ever: `export.ndjson`, byte for byte, and `answers.json` with its head, its tokens and the documented endpoints'
//! answers. Nothing here knows the layout of `log/` or `views/`.
//!
//! A fixture is never changed. A version that writes something new adds one, made by the story below that always makes
//! one, and keeps it where the variable `NEW_FIXTURE` says:
//!
//! ```sh
//! NEW_FIXTURE=data-dir-2 cargo test --package stories -- what_this_version_writes
//! ```

mod archive;
mod history;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::events::{at, created};
use crate::support::{Ledger, Program, Server, Token};

/// Where a new fixture is kept: a name of a folder in `proto-schemas/golden/`.
const NEW_FIXTURE: &str = "NEW_FIXTURE";

/// The tokens of a fixture, with the arguments that make them.
const TOKENS: [(&str, &str); 4] = [
    ("ws_1", "--workspace ws_1 --scope append --scope read"),
    ("ws_2", "--workspace ws_2 --scope append --scope read"),
    ("portal", "--workspace ws_1 --subscription whsub_1 --scope read"),
    ("revoked", "--workspace ws_1 --scope read"),
];

const HISTORY: &str = "/api/webhookSubscriptions.deliveries?workspace_id=";
const STATS: &str = "/api/v1/workspace/webhooks/";

/// What a fixture is asked, with which token.
const QUESTIONS: [(&str, &str, &str); 15] = [
    ("ws_1", HISTORY, "ws_1&limit=100"),
    ("ws_1", HISTORY, "ws_1&limit=3&offset=2"),
    ("ws_1", HISTORY, "ws_1&offset=100"),
    ("ws_1", HISTORY, "ws_1&subscription_id=whsub_2"),
    ("ws_1", HISTORY, "ws_2"),
    ("ws_1", STATS, "whsub_1/stats"),
    ("ws_1", STATS, "whsub_2/stats"),
    ("ws_1", STATS, "whsub_never/stats"),
    ("ws_2", HISTORY, "ws_2&subscription_id=whsub_1"),
    // Its one row is large: that its payload is the export's is checked apart.
    ("ws_2", HISTORY, "ws_2&subscription_id=whsub_large&offset=1"),
    ("ws_2", STATS, "whsub_1/stats"),
    ("portal", HISTORY, "ws_1&subscription_id=whsub_1"),
    ("portal", HISTORY, "ws_1"),
    ("portal", STATS, "whsub_2/stats"),
    ("revoked", STATS, "whsub_1/stats"),
];

/// A folder of an earlier version, with what it must answer.
struct Fixture {
    folder: PathBuf,
    answers: Value,
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto-schemas/golden")
}

impl Fixture {
    fn read(folder: PathBuf) -> Self {
        let answers = fs::read_to_string(folder.join("answers.json")).expect("a fixture has its answers");
        Self { folder, answers: serde_json::from_str(&answers).expect("they are JSON") }
    }

    /// Every one that is kept.
    fn all() -> Vec<Self> {
        let entries = fs::read_dir(golden()).expect("it can be listed");
        let paths = entries.map(|entry| entry.expect("it can be listed").path());
        let fixtures: Vec<_> = paths.filter(|path| path.is_dir()).map(Self::read).collect();
        assert!(!fixtures.is_empty(), "there is one at least");
        fixtures
    }

    /// A ledger with a copy of the folder.
    fn unpack(&self) -> Ledger {
        let ledger = Ledger::new();
        archive::unpack(&self.folder.join("ledger.tar.zst"), &ledger.data_dir());
        ledger
    }

    fn export(&self) -> String {
        fs::read_to_string(self.folder.join("export.ndjson")).expect("a fixture has its export")
    }

    fn head(&self) -> &str {
        self.answers["head"].as_str().expect("answers have the head")
    }

    fn position(&self) -> u64 {
        let (position, _) = self.head().split_once(':').expect("a head has a colon");
        position.parse().expect("a position is a decimal integer")
    }

    fn token(&self, name: &str) -> Token {
        let secret = self.answers["tokens"][name].as_str().expect("answers have the tokens").to_owned();
        Token { secret, id: name.to_owned() }
    }

    /// Everything that must hold of a copy of it.
    async fn check(&self, ledger: &Ledger) {
        self.check_log(ledger);
        let server = ledger.serve().await;
        self.check_answers(&server).await;
        self.check_payloads(&server).await;
        server.terminate().await;
        let compared = tool("replay --check", ledger);
        assert!(compared.starts_with("identical: "), "{compared}");
        self.check_that_it_goes_on(ledger).await;
    }

    fn check_log(&self, ledger: &Ledger) {
        let verified = tool(&format!("verify --head {}", self.head()), ledger);
        assert!(verified.contains(self.head()) && verified.contains("The log is whole."), "{verified}");
        let exported = tool("export", ledger);
        assert!(exported == self.export(), "it exports something else:\n{exported}");
    }

    async fn check_answers(&self, server: &Server) {
        for expected in self.answers["answers"].as_array().expect("answers are a list") {
            let text = |member: &str| expected[member].as_str().expect("it is text");
            let answer = server.client(&self.token(text("token"))).get(text("path")).await;
            assert_eq!(answer.status, expected["status"], "{}: {}", text("path"), answer.text);
            // The words of a refusal may become better ones.
            if answer.status == 200 {
                assert_eq!(answer.json(), expected["body"], "{}", text("path"));
                assert_eq!(answer.position(), self.position(), "{}", text("path"));
            }
        }
        assert_eq!(waiting(server, &self.token("ws_1")).await, self.answers["waiting"]);
    }

    /// The rows of the history have the payloads of the export, to the letter.
    async fn check_payloads(&self, server: &Server) {
        for line in self.export().lines() {
            let event: Value = serde_json::from_str(line).expect("a line is an event");
            let Some(payload) = payload_of(line) else { continue };
            let [workspace, subscription] =
                ["workspace_id", "subscription_id"].map(|id| event[id].as_str().expect("an event has its ids"));
            let path = format!("{HISTORY}{workspace}&subscription_id={subscription}&limit=100");
            let page = server.client(&self.token(workspace)).get(&path).await.expect_status(200);
            let row = format!("{{\"id\":{},", event["delivery_id"]);
            let (_, row) = page.text.split_once(&row).unwrap_or_else(|| panic!("{row} is not in {path}"));
            let (_, row) = row.split_once("\"payload\":").expect("a row has a payload");
            assert!(row.starts_with(&payload), "{} has another payload", event["delivery_id"]);
        }
    }

    /// What it holds is recognized, and what is new comes after it.
    async fn check_that_it_goes_on(&self, ledger: &Ledger) {
        let lines = self.folder.join("export.ndjson");
        let again = Program::line("ingest --data-dir").arg(ledger.data_dir()).arg(lines).run().expect_code(0);
        let expected = format!("appended 0 events, {} duplicates", self.position());
        assert!(again.stderr.starts_with(&expected), "{}", again.stderr);

        let server = ledger.serve().await;
        let client = server.client(&self.token("ws_1"));
        let appended = client.must_append(&created(("whsub_new", "whdel_new"), &at(3000))).await.json();
        assert_eq!(appended["first_position"], self.position() + 1);
        assert_eq!(client.history("workspace_id=ws_1&limit=1").await.json()["deliveries"][0]["id"], "whdel_new");
        server.terminate().await;
        let verified = tool(&format!("verify --head {}", self.head()), ledger);
        assert!(verified.contains(&format!("up to position {}, unchanged", self.position())), "{verified}");
    }
}

/// The payload of a line of an export, if its event describes a delivery.
fn payload_of(line: &str) -> Option<String> {
    type Members = BTreeMap<String, Box<RawValue>>;
    let members = |json: &str| serde_json::from_str::<Members>(json).expect("it is an object");
    let data = members(members(line)["data"].get());
    let description = match data.get("delivery") {
        Some(delivery) => members(delivery.get()),
        None => data,
    };
    description.get("payload").map(|payload| payload.get().to_owned())
}

async fn waiting(server: &Server, token: &Token) -> Value {
    let page = server.client(token).get("/v1/waiting").await.expect_status(200).json();
    let rows = page["waiting"].as_array().expect("a page is a list").iter();
    rows.map(|row| row["delivery_id"].clone()).collect()
}

/// What a tool prints that opens the folder.
fn tool(line: &str, ledger: &Ledger) -> String {
    Program::line(line).arg("--data-dir").arg(ledger.data_dir()).run().expect_code(0).stdout
}

/// Writes a fixture with the program as it is.
async fn write(folder: &Path) {
    fs::create_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let ledger = Ledger::new();
    let tokens: BTreeMap<_, _> = TOKENS.map(|(name, arguments)| (name, ledger.token(arguments))).into();
    ledger.revoke(&tokens["revoked"]);
    let server = ledger.serve().await;
    for (token, events) in history::requests() {
        let client = server.client(&tokens[token]);
        client.must_append(&events).await;
        // The views are then at the end of the log when the server ends.
        client.stats("whsub_1").await.expect_status(200);
    }
    let mut answers = Vec::new();
    for (token, endpoint, rest) in QUESTIONS {
        let path = format!("{endpoint}{rest}");
        let answer = server.client(&tokens[token]).get(&path).await;
        answers.push(json!({"token": token, "path": path, "status": answer.status, "body": answer.json()}));
    }
    let waiting = waiting(&server, &tokens["ws_1"]).await;
    server.terminate().await;

    archive::pack(&ledger.data_dir(), &folder.join("ledger.tar.zst"));
    fs::write(folder.join("export.ndjson"), tool("export", &ledger)).expect("there is room");
    let verified = tool("verify", &ledger);
    let head = verified.lines().find_map(|line| line.strip_prefix("head")).expect("it prints a head").trim();
    let secrets: BTreeMap<_, _> = tokens.iter().map(|(name, token)| (name, &token.secret)).collect();
    let answers = json!({"head": head, "tokens": secrets, "waiting": waiting, "answers": answers});
    fs::write(folder.join("answers.json"), format!("{answers:#}\n")).expect("there is room");
}

#[tokio::test]
async fn folders_of_every_version_are_read_and_go_on() {
    for fixture in Fixture::all() {
        fixture.check(&fixture.unpack()).await;
    }
}

#[tokio::test]
async fn folders_of_every_version_are_read_without_their_views() {
    for fixture in Fixture::all() {
        let ledger = fixture.unpack();
        fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
        fixture.check(&ledger).await;
    }
}

#[tokio::test]
async fn what_this_version_writes_would_do_as_a_fixture() {
    let beside = Ledger::new();
    let folder = match std::env::var(NEW_FIXTURE) {
        Ok(name) => golden().join(name),
        Err(_) => beside.beside("fixture"),
    };
    write(&folder).await;
    let fixture = Fixture::read(folder);
    fixture.check(&fixture.unpack()).await;
    let kinds = ["delivery.created", "attempt.started", "attempt.succeeded", "attempt.failed"];
    for kind in kinds.into_iter().chain(["delivery.retry_scheduled", "delivery.cancelled"]) {
        assert!(fixture.export().contains(&format!("\"kind\":\"{kind}\"")), "{kind} is missing");
    }
}
