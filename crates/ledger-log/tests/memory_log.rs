//! The log in memory passes the suite.

use ledger_event::Position;
use ledger_log::conformance::{Setup, Subject, append, numbered};
use ledger_log::{AppendError, EventLog, MemoryLog, MemoryLogOptions};

struct InMemory(MemoryLog);

impl Subject for InMemory {
    type Log = MemoryLog;

    fn open(setup: Setup) -> Self {
        let Setup { idempotence_window_events, clock } = setup;
        Self(MemoryLog::with_options(MemoryLogOptions { idempotence_window_events, clock }))
    }

    fn log(&self) -> &MemoryLog {
        &self.0
    }

    fn reopen(self) -> Option<Self> {
        None
    }
}

ledger_log::conformance_tests!(InMemory);

#[test]
fn a_stopped_log_takes_no_appends_and_is_read_on() {
    let log = MemoryLog::new();
    append(&log, vec![numbered(1)]).expect("it is appended");
    log.stop("the test says so");
    assert!(matches!(append(&log, vec![numbered(2)]), Err(AppendError::Stopped(_))));
    let reason = log.check_writable().expect_err("it takes none").to_string();
    assert_eq!(reason, "the log takes no appends: the test says so");
    assert!(log.chunk_at(Position::new(1)).expect("it is readable").is_some());
}
