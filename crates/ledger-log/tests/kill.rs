//! A process that is killed while it appends, seals, trims and archives loses nothing that it was told is durable.
//!
//! This program is both: started by the test runner it is the test, started by itself, with a variable that
//! names a directory, it is the process that is killed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use ledger_event::Position;
use ledger_log::conformance::{append, numbered, wait};
use ledger_log::{EventLog, SledLog, SledLogOptions, verify};

const DIR_VARIABLE: &str = "HOOKLEDGER_TEST_KILLED_LOG";
const ROUNDS: u64 = 100;
/// A round is killed after some number of acknowledgements below this.
const ACKNOWLEDGED_MAX: u64 = 50;
const EVENTS_PER_REQUEST: u64 = 7;

fn main() {
    match std::env::var(DIR_VARIABLE) {
        Ok(dir) => append_for_ever(Path::new(&dir)),
        Err(_) => what_a_killed_process_was_told_is_durable_is_there(),
    }
}

/// A log in which something is sealed, trimmed and archived most of the time.
fn options(dir: &Path) -> SledLogOptions {
    SledLogOptions {
        segment_target_bytes: 10_000,
        hot_max_bytes: 5_000,
        archive_dir: Some(dir.join("archive")),
        ..SledLogOptions::at(dir.join("log"))
    }
}

fn append_for_ever(dir: &Path) {
    let log = SledLog::open(options(dir)).expect("it opens");
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
    let mut checked = 0;
    for round in 0..ROUNDS {
        let acknowledged = run_until_killed(dir.path(), 1 + random_below(ACKNOWLEDGED_MAX));
        let log =
            SledLog::open(options(dir.path())).unwrap_or_else(|error| panic!("round {round}: {error}: {error:?}"));
        let head = log.head().position.get();
        assert!(head >= acknowledged, "round {round}: {acknowledged} was acknowledged, {head} is the head");
        assert_eq!(head % EVENTS_PER_REQUEST, 0, "round {round}: a request is there in part");
        checked = see_the_events(&log, checked.max(1).min(head));
        let last = append(&log, vec![numbered(head - 1)]).expect("it is a duplicate");
        assert_eq!((last.duplicates, last.readable_at.get()), (1, head));
    }
    let log = SledLog::open(options(dir.path())).expect("it opens");
    assert_eq!(see_the_events(&log, 1), checked);
    see_the_copies(&log);
}

/// Starts a process on the log, and kills it after so many acknowledgements; the last position that it told.
fn run_until_killed(dir: &Path, acknowledgements: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("a test knows its own program"))
        .env(DIR_VARIABLE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut acknowledged = 0;
    for _ in 0..acknowledgements {
        acknowledged = next_acknowledged(&mut lines).expect("it appends until it is killed");
    }
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
    while let Some(position) = next_acknowledged(&mut lines) {
        acknowledged = position;
    }
    acknowledged
}

/// Walks the chain from its first chunk, and sees that from that position on each event is the one that was sent; where it ends.
fn see_the_events(log: &SledLog, from: u64) -> u64 {
    let mut end = 0;
    for chunk in verify(log) {
        let chunk = chunk.expect("the log is whole");
        end = chunk.last().get();
        if end < from {
            continue;
        }
        for (number, event) in (chunk.first.get() - 1..).zip(&chunk.events) {
            assert_eq!(event.decode().expect("it was encoded"), numbered(number).event);
        }
    }
    assert_eq!(end, log.head().position.get());
    end
}

/// The tiers are as they should be after so many deaths, and so is the archive.
fn see_the_copies(log: &SledLog) {
    let mut sealing = log.watch_sealing();
    let settled = |sealing: &ledger_log::Sealing| sealing.archived == sealing.sealed && sealing.hot_bytes <= 15_000;
    let sealing = wait(sealing.wait_for(settled)).expect("it is open").clone();
    assert!(sealing.oldest_hot > Position::new(1) && sealing.sealed > Position::new(1000), "{sealing:?}");
    for segment in log.segments() {
        segment.check().expect("it is whole");
        let folder = segment.path.parent().expect("it is in a folder").with_file_name("archive");
        let copy = folder.join(segment.path.file_name().expect("it is a file"));
        assert_eq!(fs::read(copy).expect("it was copied"), fs::read(&segment.path).expect("it is there"));
    }
}

fn random_below(bound: u64) -> u64 {
    getrandom::u64().expect("the machine has randomness") % bound
}

/// The next position that the writer said was durable.
fn next_acknowledged(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<u64> {
    lines.find_map(|line| line.ok()?.strip_prefix("acknowledged ")?.parse().ok())
}
