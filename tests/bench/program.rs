//! The built program: a server, and clients of it in processes of their own.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ledger_event::{CompletedEvent, Completion, EventDraft, EventId, Timestamp, parse_json};
use serde_json::Value;

use crate::connection::Connection;
use crate::load;

/// The shortest time that nobody asks a server in, which is not ready yet.
const READY_PAUSE_MIN: Duration = Duration::from_millis(1);

/// `target/release/hookledger`.
#[derive(Clone, Debug)]
pub(crate) struct Program(PathBuf);

/// What a run of `hookledger bench` told.
#[derive(Clone, Debug)]
pub(crate) struct Sent(Value);

/// Lines that the program prints.
#[derive(Debug)]
pub(crate) struct Printed {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// A run of `hookledger bench` that goes on beside us.
#[derive(Debug)]
pub(crate) struct Sending(Child);

/// A served ledger, with a token for all of it. It ends with the value.
#[derive(Debug)]
pub(crate) struct Server {
    program: Program,
    dir: PathBuf,
    started: Instant,
    process: Child,
    /// Kept open, so that the server can write there.
    _stdout: BufReader<ChildStdout>,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    pub(crate) token: String,
    /// The last position that was appended here.
    position: u64,
}

impl Program {
    pub(crate) fn build() -> Self {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--locked", "--package", "hookledger", "--bin", "hookledger"])
            .status();
        assert!(status.expect("cargo is there").success(), "the program is built");
        // …/target/release/deps/this-program
        let own = std::env::current_exe().expect("a program knows itself");
        let folder = own.ancestors().nth(2).expect("it lies in target/release/deps");
        Self(folder.join("hookledger"))
    }

    /// A call of it, with nothing of our environment in its settings.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKLEDGER_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Generated events, as the lines of NDJSON that the program prints.
    pub(crate) fn lines(&self, events: u64, seed: u64) -> Printed {
        let mut print = self.command();
        print.args(["bench", "--print", &events.to_string(), "--seed", &seed.to_string()]);
        let mut process = print.stdout(Stdio::piped()).spawn().expect("it was built");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Printed { process, lines }
    }

    /// Generated events, as the library takes them.
    pub(crate) fn events(&self, events: u64, seed: u64) -> impl Iterator<Item = CompletedEvent> {
        let received_at = Timestamp::parse("2027-01-01T00:00:00Z").expect("it is a time");
        let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 1024 };
        self.lines(events, seed).map(move |line| {
            let draft: EventDraft = parse_json(line.as_bytes()).expect("it is an event");
            draft.complete(&completion, || EventId::parse("none").expect("it is an id")).expect("it is complete")
        })
    }
}

impl Iterator for Printed {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let line = self.lines.next();
        if line.is_none() {
            assert!(self.process.wait().expect("it is our child").success(), "the program prints events");
        }
        Some(line?.expect("events are text"))
    }
}

impl Server {
    /// Serves a new ledger in that folder.
    pub(crate) fn start(program: &Program, dir: &Path) -> Self {
        Self::start_at(program, dir, 0)
    }

    /// Serves the ledger in that folder, whose log ends at that position.
    pub(crate) fn start_at(program: &Program, dir: &Path, position: u64) -> Self {
        let create = ["token", "create", "--scope", "append", "--scope", "read", "--data-dir"];
        let created = program.command().args(create).arg(dir).output().expect("it was built");
        let token = String::from_utf8(created.stdout).expect("a token is text").trim().to_owned();
        Self::serve(program, dir, token, position)
    }

    fn serve(program: &Program, dir: &Path, token: String, position: u64) -> Self {
        let mut command = program.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"]).arg(dir);
        let started = Instant::now();
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it was built");
        let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on http://").expect("it listens").to_owned();
        let (program, dir) = (program.clone(), dir.to_owned());
        Self { program, dir, started, process, _stdout: stdout, address, token, position }
    }

    /// Ends it in good order, does something to its folder, and serves it again.
    pub(crate) fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.stop();
        between(&self.dir);
        *self = Self::serve(&self.program, &self.dir, self.token.clone(), self.position);
    }

    /// Waits until it is ready, and tells how long that was after its start, to a hundredth of it: who waits for long asks
    /// seldom.
    pub(crate) fn ready(&self) -> Duration {
        load::block_on(async {
            let mut connection = Connection::open(&self.address).await;
            let request = self.request("/readyz");
            while connection.ask(request.as_bytes()).await.status != 200 {
                tokio::time::sleep(READY_PAUSE_MIN.max(self.started.elapsed() / 100)).await;
            }
        });
        self.started.elapsed()
    }

    /// The request of that path and query.
    pub(crate) fn request(&self, path: &str) -> String {
        format!("{}\r\n", self.head("GET", path))
    }

    /// The request that sends JSON there.
    pub(crate) fn post(&self, path: &str, json: &str) -> String {
        let (head, length) = (self.head("POST", path), json.len());
        format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}")
    }

    fn head(&self, method: &str, path: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n", self.address, self.token)
    }

    /// The JSON that it answers there.
    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.body(path)).expect("it is JSON")
    }

    /// The body that it answers there.
    pub(crate) fn body(&self, path: &str) -> Vec<u8> {
        let request = self.request(path);
        load::block_on(async { Connection::open(&self.address).await.get(request.as_bytes()).await.to_vec() })
    }

    /// Runs `hookledger bench` against it.
    pub(crate) fn bench(&mut self, arguments: &str) -> Sent {
        let sending = self.begin_bench(arguments);
        self.end_bench(sending)
    }

    /// The same, to its end some time later.
    pub(crate) fn begin_bench(&self, arguments: &str) -> Sending {
        let mut command = self.program.command();
        command.args(["bench", "--json", "--url", &format!("http://{}", self.address), "--token", &self.token]);
        command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Sending(command.spawn().expect("it was built"))
    }

    /// Waits for its end.
    pub(crate) fn end_bench(&mut self, sending: Sending) -> Sent {
        let output = sending.0.wait_with_output().expect("it is our child");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let sent = Sent(serde_json::from_slice(&output.stdout).expect("--json writes JSON"));
        self.appended(sent.count("appended"));
        sent
    }

    /// So many events were appended here.
    pub(crate) fn appended(&mut self, events: u64) {
        self.position += events;
    }

    /// Fills a new ledger.
    pub(crate) fn fill(&mut self, events: u64) {
        self.bench(&format!("--connections 8 --batch 500 --events {events}"));
    }

    /// The last position that was appended here.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Waits until the views show all that was appended, and tells for how long: what comes next has the machine
    /// for itself.
    pub(crate) async fn folded(&self) -> Duration {
        let started = Instant::now();
        let client = reqwest::Client::builder().no_proxy().build().expect("it has no settings that can fail");
        let url = format!("http://{}/api/webhookSubscriptions.deliveries?workspace_id=ws_large&limit=1", self.address);
        loop {
            let request = client.get(&url).bearer_auth(&self.token).header("ledger-min-position", self.position);
            let status = request.send().await.expect("the server answers").status().as_u16();
            match status {
                200 => return started.elapsed(),
                503 => {}
                other => panic!("the server answered {other}"),
            }
        }
    }

    /// The most memory it ever held, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let peak = crate::machine::field(&format!("/proc/{}/status", self.process.id()), "VmHWM");
        let kib = peak.and_then(|peak| peak.strip_suffix(" kB")?.parse::<f64>().ok());
        kib.expect("Linux tells it") / 1024.0
    }

    /// Ends it in good order.
    pub(crate) fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.expect("the system has kill").success(), "the server takes signals");
        assert!(self.process.wait().expect("it is our child").success(), "the server ends in good order");
    }
}

impl Sending {
    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sent {
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().expect("it is a count")
    }

    pub(crate) fn rate(&self, name: &str) -> f64 {
        self.0[name].as_f64().expect("it is a rate")
    }

    pub(crate) fn latency_ms(&self, percentile: &str) -> f64 {
        self.0["latency_ms"][percentile].as_f64().expect("it is a time")
    }
}
