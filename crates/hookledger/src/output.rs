//! What is written to the terminal, or into a pipe.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Writes text to standard output. A reader that has left, as `| head` does, is no failure.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match write_all(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes text to standard output that must not get lost.
pub(crate) fn hand_over(text: &str) -> anyhow::Result<()> {
    write_all(text).context("cannot write to standard output")
}

/// Writes a remark to standard error, if anybody listens there.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes an error and its causes to standard error, once, on its way out of the program.
pub(crate) fn complain(error: &anyhow::Error) {
    remark(format!("error: {error:#}").trim_end());
}

fn write_all(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
