//! How much is measured.

use std::time::Duration;

/// Sizes and times of a whole bench.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    /// How often each figure is measured; the median is told.
    pub(crate) runs: usize,
    /// Events that the ledger and what stands beside it hold, or are given.
    pub(crate) events: u64,
    /// How long one run of a sender lasts.
    pub(crate) run_seconds: u64,
    /// How long the flood lasts that memory is watched in.
    pub(crate) flood_seconds: u64,
    /// Requests in one run through the library, of each batch size.
    pub(crate) library_requests: usize,
    /// Events of the ledger that is read: 3.5 of them make a delivery.
    pub(crate) read_events: u64,
    /// How long one run of readers lasts.
    pub(crate) read_duration: Duration,
    /// How long events are appended while something else is watched.
    pub(crate) watch_seconds: u64,
    /// How often views are made anew, and events are appended beside reads.
    pub(crate) fold_runs: usize,
    /// Pages that are read after a start.
    pub(crate) cold_pages: usize,
}

/// A few minutes less: figures of no worth, to try the bench itself.
const QUICK: Scale = Scale {
    name: "quick",
    runs: 3,
    events: 50_000,
    run_seconds: 1,
    flood_seconds: 3,
    library_requests: 40,
    read_events: 50_000,
    read_duration: Duration::from_millis(200),
    watch_seconds: 1,
    fold_runs: 1,
    cold_pages: 50,
};

const NORMAL: Scale = Scale {
    name: "1 M events",
    runs: 3,
    events: 1_000_000,
    run_seconds: 3,
    flood_seconds: 20,
    library_requests: 200,
    read_events: 3_500_000,
    read_duration: Duration::from_millis(1_500),
    watch_seconds: 5,
    fold_runs: 3,
    cold_pages: 300,
};

const FULL: Scale = Scale {
    name: "10 M events",
    runs: 5,
    events: 10_000_000,
    run_seconds: 5,
    flood_seconds: 60,
    library_requests: 400,
    read_events: 35_000_000,
    read_duration: Duration::from_secs(3),
    watch_seconds: 10,
    fold_runs: 1,
    cold_pages: 1_000,
};

impl Scale {
    /// The scale that `BENCH` names.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "quick" => Ok(QUICK),
            "" => Ok(NORMAL),
            "full" => Ok(FULL),
            other => Err(format!("BENCH is {other:?}: leave it empty, or say quick or full")),
        }
    }

    pub(crate) fn run_duration(&self) -> Duration {
        Duration::from_secs(self.run_seconds)
    }
}
