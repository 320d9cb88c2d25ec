//! A call of the program that is talked to while it runs.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use super::program::{Outcome, Program};
use super::server::Signal;
use super::wait::poll;

/// A call that runs, with its standard input open. It is killed when the story lets go of it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running {
    pub(crate) fn start(program: Program) -> Self {
        let mut command = program.into_command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    pub(crate) fn stdin(&mut self) -> &mut ChildStdin {
        self.stdin.as_mut().expect("it is open until the end")
    }

    /// Reads its first line, and then hears it no more, as `| head -1` does.
    pub(crate) fn head(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it writes text");
        line
    }

    /// Asks it to end.
    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Terminate => "-TERM",
            Signal::Interrupt => "-INT",
        };
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("the system has kill").success(), "the program takes signals");
    }

    /// Ends its input and waits for its end.
    pub(crate) async fn finish(mut self) -> Outcome {
        drop(self.stdin.take());
        self.outcome().await
    }

    /// Waits for its end, while its input stays open. What it writes meanwhile must fit into a pipe.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let status = poll("the program ends", async || self.exited()).await;
        let text = |from: Option<&mut dyn std::io::Read>| {
            let mut text = String::new();
            if let Some(from) = from {
                from.read_to_string(&mut text).expect("it writes text");
            }
            text
        };
        let stdout = text(self.child.stdout.as_mut().map(|pipe| pipe as &mut dyn std::io::Read));
        let stderr = text(self.child.stderr.as_mut().map(|pipe| pipe as &mut dyn std::io::Read));
        Outcome { code: status.code(), stdout, stderr }
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
