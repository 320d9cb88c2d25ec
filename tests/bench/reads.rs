//! The two documented endpoints over HTTP, beside a bare axum route that returns the same bytes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::report::Report;
use crate::{generator, load};

/// Deliveries in the ledger that is read.
const DELIVERIES: u64 = 20_000;
/// Events of one request while it is filled.
const BATCH: usize = 5_000;
/// How long each endpoint is read in a run.
const DURATION: Duration = Duration::from_secs(2);

/// Measures the newest page and the stats of the busiest subscription.
pub(crate) fn measure(report: &mut Report, runs: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let dir = tempfile::tempdir().expect("a folder can be made");
    let program = build();
    let token = token(&program, dir.path());
    let server = Server::start(&program, dir.path());
    runtime.block_on(async {
        let position = fill(&server.address, &token).await;
        let stats = "/api/v1/workspace/webhooks/whsub_0/stats?workspace_id=ws_large";
        let page = "/api/webhookSubscriptions.deliveries?workspace_id=ws_large&limit=20";
        let deep = "/api/webhookSubscriptions.deliveries?workspace_id=ws_large&limit=20&offset=9000";
        for (row, path) in [("stats", stats), ("history, newest 20", page), ("history, 20 at half depth", deep)] {
            let request = |address: &str| {
                format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nledger-min-position: {position}\r\n\r\n")
            };
            let body = load::body(&server.address, &request(&server.address)).await;
            let bare = serve_bare(path, body).await;
            let (mut ledger, mut reference) = (Vec::new(), Vec::new());
            for _ in 0..runs {
                ledger.push(load::requests_per_second(&server.address, &request(&server.address), DURATION).await);
                reference.push(load::requests_per_second(&bare, &request(&bare), DURATION).await);
            }
            let row = format!("{row}, {DELIVERIES} deliveries");
            report.add(&row, "requests/s", "bare axum route, same bytes", &mut ledger, &mut reference);
        }
    });
}

fn build() -> std::path::PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "hookledger", "--bin", "hookledger"])
        .status();
    assert!(status.expect("cargo is there").success(), "the program is built");
    // …/target/release/deps/this-program
    let own = std::env::current_exe().expect("a program knows itself");
    let folder = own.ancestors().nth(2).expect("it lies in target/release/deps");
    folder.join("hookledger")
}

fn token(program: &std::path::Path, dir: &std::path::Path) -> String {
    let output = Command::new(program)
        .args(["token", "create", "--scope", "append", "--scope", "read", "--data-dir"])
        .arg(dir)
        .output()
        .expect("it runs");
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}

async fn fill(address: &str, token: &str) -> u64 {
    let client = reqwest::Client::new();
    let mut position = 0;
    for batch in generator::events_as_json(0, DELIVERIES).chunks(BATCH) {
        let request = client.post(format!("http://{address}/v1/events")).bearer_auth(token);
        let request = request.header("content-type", "application/x-ndjson").body(batch.join("\n"));
        let answer = request.send().await.and_then(reqwest::Response::error_for_status).expect("it is appended");
        let header = answer.headers()["ledger-position"].to_str().expect("it is a number");
        position = header.parse().expect("it is a number");
    }
    position
}

async fn serve_bare(path: &str, body: Vec<u8>) -> String {
    let body = axum::body::Bytes::from(body);
    let path = path.split('?').next().expect("it has a path").to_owned();
    let router = Router::new().route(&path, get(move || async move { ([("content-type", "application/json")], body) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A ledger that ends with the value.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(program: &std::path::Path, dir: &std::path::Path) -> Self {
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on http://").expect("it listens").to_owned();
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
