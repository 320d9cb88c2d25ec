//! The log on sled passes the suite.

use ledger_log::conformance::{Setup, Subject};
use ledger_log::{SledLog, SledLogOptions};
use tempfile::TempDir;

struct OnSled {
    log: SledLog,
    options: SledLogOptions,
    dir: TempDir,
}

impl Subject for OnSled {
    type Log = SledLog;

    fn open(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("there is room for a directory");
        let options = SledLogOptions {
            idempotence_window_events: setup.idempotence_window_events,
            clock: setup.clock,
            ..SledLogOptions::at(dir.path().join("data/log"))
        };
        Self { log: SledLog::open(options.clone()).expect("it opens"), options, dir }
    }

    fn log(&self) -> &SledLog {
        &self.log
    }

    fn reopen(self) -> Option<Self> {
        let Self { log, options, dir } = self;
        drop(log);
        Some(Self { log: SledLog::open(options.clone()).expect("it opens again"), options, dir })
    }
}

ledger_log::conformance_tests!(OnSled);
