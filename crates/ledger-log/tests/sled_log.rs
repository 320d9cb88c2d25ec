//! The log on sled passes the suite: with its settings at their defaults, and where everything is sealed and trimmed at once.

use ledger_log::conformance::{Setup, Subject};
use ledger_log::{SledLog, SledLogOptions};
use tempfile::TempDir;

struct OnSled {
    log: SledLog,
    options: SledLogOptions,
    dir: TempDir,
}

impl OnSled {
    fn open_with(setup: Setup, change: impl FnOnce(SledLogOptions) -> SledLogOptions) -> Self {
        let dir = tempfile::tempdir().expect("there is room for a directory");
        let options = change(SledLogOptions {
            idempotence_window_events: setup.idempotence_window_events,
            clock: setup.clock,
            ..SledLogOptions::at(dir.path().join("data/log"))
        });
        Self { log: SledLog::open(options.clone()).expect("it opens"), options, dir }
    }

    fn reopen(self) -> Self {
        let Self { log, options, dir } = self;
        drop(log);
        Self { log: SledLog::open(options.clone()).expect("it opens again"), options, dir }
    }
}

impl Subject for OnSled {
    type Log = SledLog;

    fn open(setup: Setup) -> Self {
        Self::open_with(setup, |options| options)
    }

    fn log(&self) -> &SledLog {
        &self.log
    }

    fn reopen(self) -> Option<Self> {
        Some(self.reopen())
    }
}

ledger_log::conformance_tests!(OnSled);

mod in_segments {
    use ledger_log::EventLog;
    use ledger_log::conformance::wait;

    use super::*;

    /// A log of which all but the newest chunk is in segments whenever it is looked at.
    struct InSegments(OnSled);

    impl Subject for InSegments {
        type Log = SledLog;

        fn open(setup: Setup) -> Self {
            Self(OnSled::open_with(setup, |options| SledLogOptions {
                segment_target_bytes: 1,
                hot_max_bytes: 0,
                archive_dir: Some(options.dir.with_file_name("archive")),
                ..options
            }))
        }

        fn log(&self) -> &SledLog {
            let head = self.0.log.head().position;
            if let Some(newest) = self.0.log.chunk_at(head).expect("it is readable") {
                let mut sealing = self.0.log.watch_sealing();
                let settled = sealing.wait_for(|sealing| {
                    sealing.sealed >= head && sealing.archived >= head && sealing.oldest_hot >= newest.first
                });
                wait(settled).expect("the log is open");
            }
            &self.0.log
        }

        fn reopen(self) -> Option<Self> {
            self.log();
            Some(Self(self.0.reopen()))
        }
    }

    ledger_log::conformance_tests!(InSegments);
}
