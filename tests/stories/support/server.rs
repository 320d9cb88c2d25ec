//! A running `hookledger serve`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::client::Client;
use super::ledger::Token;
use super::program::Program;
use super::wait::{eventually, poll};

/// A server, killed when the story lets go of it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Kept open, so that the server can write there.
    _stdout: BufReader<ChildStdout>,
    stderr: PathBuf,
    address: String,
    /// The position of the latest append of all clients with a token.
    appended: Arc<AtomicU64>,
}

/// The signals that end a server in good order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Terminate,
    Interrupt,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(program: Program, stderr: &Path) -> Self {
        let mut server = Self::spawn(program, stderr);
        let client = server.open_client();
        eventually("the server is ready", async || {
            if let Some(status) = server.exited() {
                panic!("the server ended with {status}:\n{}", server.stderr());
            }
            client.get("/readyz").await.status == 200
        })
        .await;
        server
    }

    /// Starts it and waits until it listens.
    fn spawn(program: Program, stderr: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(stderr);
        let log: File = log.expect("a log can be written beside the ledger");
        let mut child = program.into_command().stdout(Stdio::piped()).stderr(log).spawn().expect("it was built");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        // A server that fails closes its standard output, so this ends either way.
        stdout.read_line(&mut line).expect("the server writes text");
        let mut server = Self {
            child,
            _stdout: stdout,
            stderr: stderr.to_owned(),
            address: String::new(),
            appended: Arc::default(),
        };
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => address.clone_into(&mut server.address),
            None => panic!("the server said {line:?}, and on standard error:\n{}", server.stderr()),
        }
        server
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client whose reads wait for what any of these clients has appended.
    pub(crate) fn client(&self, token: &Token) -> Client {
        Client::new(&self.url(), Some(&token.secret)).sharing(&self.appended)
    }

    /// A client without a token.
    pub(crate) fn open_client(&self) -> Client {
        Client::new(&self.url(), None)
    }

    /// What it and its predecessors on the folder wrote to standard error.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("the log is text")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill9(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
    }

    /// Asks it to end.
    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Terminate => "-TERM",
            Signal::Interrupt => "-INT",
        };
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("the system has kill").success(), "the server takes signals");
    }

    /// Waits for its end in good order.
    pub(crate) async fn expect_end(mut self) {
        let status = poll("the server ends", async || self.exited()).await;
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
    }

    /// Asks it to end and waits for it.
    pub(crate) async fn terminate(self) {
        self.signal(Signal::Terminate);
        self.expect_end().await;
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            show(&self.stderr);
        }
    }
}

#[expect(clippy::print_stderr, reason = "the test harness shows it with the failure")]
fn show(stderr: &Path) {
    eprintln!("the server wrote:\n{}", std::fs::read_to_string(stderr).unwrap_or_default());
}
