//! What became of events, counted since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of events, counted since the start.
#[derive(Debug, Default)]
pub struct Counters {
    appended: AtomicU64,
    duplicates: AtomicU64,
    refused_requests: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountersSnapshot {
    /// Events stored.
    pub appended: u64,
    /// Events that were stored before.
    pub duplicates: u64,
    /// Requests of which nothing was stored.
    pub refused_requests: u64,
}

impl Counters {
    pub(crate) fn add(&self, appended: u64, duplicates: u64) {
        self.appended.fetch_add(appended, Ordering::Relaxed);
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
    }

    pub(crate) fn add_refused(&self) {
        self.refused_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    #[must_use]
    pub fn snapshot(&self) -> CountersSnapshot {
        CountersSnapshot {
            appended: self.appended.load(Ordering::Relaxed),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            refused_requests: self.refused_requests.load(Ordering::Relaxed),
        }
    }
}
