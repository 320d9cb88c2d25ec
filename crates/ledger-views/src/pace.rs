//! How fast a layer is written.
//!
//! Written at once it would have a core and the disk for itself for a while, and appends and reads would wait that long.
//! So it is written about as fast as the next one fills, and handed to the disk in small pieces; only when somebody waits
//! for it, as quickly as can be.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A layer is written so many times as fast as the next one fills: it is done in good time.
const LEAD: f64 = 2.0;

/// And in this time, even if nothing more comes.
const AT_MOST: Duration = Duration::from_secs(10);

/// How long the thread that writes waits when it is too quick.
const PAUSE: Duration = Duration::from_millis(1);

/// What is written between two syncs, in bytes: what waits for the disk at the same time waits for no more.
const UNSYNCED_MAX_BYTES: usize = 1024 * 1024;

/// How full the active layer is, and whether somebody waits for the one before.
#[derive(Debug)]
pub(crate) struct Pace {
    layer_max_bytes: usize,
    filled_bytes: AtomicUsize,
    is_hurried: AtomicBool,
}

impl Pace {
    pub(crate) fn new(layer_max_bytes: usize) -> Self {
        Self { layer_max_bytes, filled_bytes: AtomicUsize::new(0), is_hurried: AtomicBool::new(false) }
    }

    /// Begins anew: the active layer is empty, and nobody waits yet.
    pub(crate) fn begin(&self) {
        self.filled(0);
        self.is_hurried.store(false, Ordering::Relaxed);
    }

    /// The active layer takes so much memory now.
    pub(crate) fn filled(&self, bytes: usize) {
        self.filled_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Somebody waits for the layer that is being written, or is about to.
    pub(crate) fn hurry(&self) {
        self.is_hurried.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_hurried(&self) -> bool {
        self.is_hurried.load(Ordering::Relaxed)
    }

    /// The part of a layer that may be written by now.
    #[expect(clippy::cast_precision_loss, reason = "it is a rule of thumb")]
    fn due(&self, elapsed: Duration) -> f64 {
        let filled = self.filled_bytes.load(Ordering::Relaxed) as f64 / self.layer_max_bytes.max(1) as f64;
        LEAD * filled + elapsed.as_secs_f64() / AT_MOST.as_secs_f64()
    }
}

/// A layer being written, item by item.
#[derive(Debug)]
pub(crate) struct Paced<'a> {
    pace: &'a Pace,
    started: Instant,
    items: usize,
    done: usize,
    unsynced_bytes: usize,
}

impl<'a> Paced<'a> {
    /// Begins to write so many items.
    pub(crate) fn begin(pace: &'a Pace, items: usize) -> Self {
        Self { pace, started: Instant::now(), items, done: 0, unsynced_bytes: 0 }
    }

    /// So many items are written, with so many bytes. It waits until that is not too quick, and says whether it is time for
    /// a sync.
    #[must_use]
    pub(crate) fn wrote(&mut self, items: usize, bytes: usize) -> bool {
        self.done += items;
        self.unsynced_bytes += bytes;
        while !self.pace.is_hurried() && self.part() > self.pace.due(self.started.elapsed()) {
            thread::sleep(PAUSE);
        }
        let is_time = self.unsynced_bytes >= UNSYNCED_MAX_BYTES && !self.pace.is_hurried();
        if is_time {
            self.unsynced_bytes = 0;
        }
        is_time
    }

    #[expect(clippy::cast_precision_loss, reason = "it is a rule of thumb")]
    fn part(&self) -> f64 {
        self.done as f64 / self.items.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_due_when_the_next_one_is_half_full_or_after_a_while() {
        let pace = Pace::new(1000);
        assert!(pace.due(Duration::ZERO) <= 0.0);
        pace.filled(250);
        assert!((pace.due(Duration::ZERO) - 0.5).abs() < 1e-9);
        pace.filled(500);
        assert!(pace.due(Duration::ZERO) >= 1.0);
        pace.begin();
        assert!(pace.due(AT_MOST) >= 1.0);
    }

    #[test]
    fn who_is_hurried_waits_for_nothing_and_syncs_at_the_end() {
        let pace = Pace::new(1000);
        pace.hurry();
        let mut paced = Paced::begin(&pace, 10);
        assert!(!(0..10).any(|_| paced.wrote(1, UNSYNCED_MAX_BYTES)));
    }

    #[test]
    fn it_is_time_for_a_sync_after_so_many_bytes() {
        let pace = Pace::new(1000);
        pace.filled(1000);
        let mut paced = Paced::begin(&pace, 4);
        let syncs: Vec<bool> = (0..4).map(|_| paced.wrote(1, UNSYNCED_MAX_BYTES / 2)).collect();
        assert_eq!(syncs, [false, true, false, true]);
    }
}
