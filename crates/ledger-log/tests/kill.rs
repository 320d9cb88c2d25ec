//! A process that is killed while it appends loses nothing that it was told is durable.
//!
//! This program is both: started by the test runner it is the test, started by itself, with a variable that
//! names a directory, it is the process that is killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use ledger_log::conformance::{all_chunks, append, numbered};
use ledger_log::{EventLog, SledLog, SledLogOptions};

const DIR_VARIABLE: &str = "HOOKLEDGER_TEST_KILLED_LOG";
const ROUNDS: u64 = 4;
const ACKNOWLEDGED_EACH_ROUND: usize = 40;
const EVENTS_PER_REQUEST: u64 = 30;

fn main() {
    match std::env::var(DIR_VARIABLE) {
        Ok(dir) => append_for_ever(&dir),
        Err(_) => what_a_killed_process_was_told_is_durable_is_there(),
    }
}

fn append_for_ever(dir: &str) {
    let log = SledLog::open(SledLogOptions::at(dir)).expect("it opens");
    let mut next = log.head().position.get();
    let mut output = std::io::stdout().lock();
    loop {
        let events = (next..next + EVENTS_PER_REQUEST).map(numbered).collect();
        let appended = append(&log, events).expect("it is appended");
        writeln!(output, "acknowledged {}", appended.readable_at).expect("the parent reads");
        output.flush().expect("the parent reads");
        next += EVENTS_PER_REQUEST;
    }
}

fn what_a_killed_process_was_told_is_durable_is_there() {
    let dir = tempfile::tempdir().expect("there is room for a directory");
    let log_dir = dir.path().join("log");
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("a test knows its own program"))
            .env(DIR_VARIABLE, &log_dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut acknowledged = 0;
        for _ in 0..ACKNOWLEDGED_EACH_ROUND {
            acknowledged = next_acknowledged(&mut lines).expect("it appends until it is killed");
        }
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
        while let Some(position) = next_acknowledged(&mut lines) {
            acknowledged = position;
        }

        let log = SledLog::open(SledLogOptions::at(&log_dir)).expect("it opens");
        let head = log.head().position.get();
        assert!(head >= acknowledged, "round {round}: {acknowledged} was acknowledged, {head} is the head");
        let events = all_chunks(&log).into_iter().flat_map(|chunk| chunk.events);
        for (number, event) in (0..).zip(events) {
            assert_eq!(event.decode().expect("it was encoded"), numbered(number).event);
        }
        let last = append(&log, vec![numbered(head - 1)]).expect("it is a duplicate");
        assert_eq!((last.duplicates, last.readable_at.get()), (1, head));
    }
}

/// The next position that the writer said was durable.
fn next_acknowledged(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<u64> {
    lines.find_map(|line| line.ok()?.strip_prefix("acknowledged ")?.parse().ok())
}
