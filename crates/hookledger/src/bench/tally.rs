//! What became of the requests of a run.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time that is told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(300);

/// Digits of a time that count.
const DIGITS: u8 = 3;

/// Counts of one sending thread, or of all.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Requests that the ledger has taken.
    pub(super) requests: u64,
    /// Events that were new to it.
    pub(super) appended: u64,
    /// Events that it had already.
    pub(super) duplicates: u64,
    /// Answers that asked to wait.
    pub(super) refused: u64,
    /// Requests whose connection broke before they were answered.
    pub(super) broken: u64,
    /// Bytes of the bodies that were taken.
    pub(super) body_bytes: u64,
    latency_ns: Histogram<u64>,
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Tally {
    pub(super) fn new() -> Self {
        let max_ns = u64::try_from(LATENCY_MAX.as_nanos()).expect("it is minutes");
        let latency_ns = Histogram::new_with_bounds(1_000, max_ns, DIGITS).expect("these bounds are in order");
        Self { requests: 0, appended: 0, duplicates: 0, refused: 0, broken: 0, body_bytes: 0, latency_ns }
    }

    /// A request was taken, after so long.
    pub(super) fn add_latency(&mut self, elapsed: Duration) {
        self.latency_ns.saturating_record(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds what another thread counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.appended += other.appended;
        self.duplicates += other.duplicates;
        self.refused += other.refused;
        self.broken += other.broken;
        self.body_bytes += other.body_bytes;
        self.latency_ns.add(&other.latency_ns).expect("all have the same bounds");
    }

    pub(super) fn latency(&self) -> Latency {
        if self.latency_ns.is_empty() {
            return Latency::default();
        }
        let at = |quantile| ms(self.latency_ns.value_at_quantile(quantile));
        Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: ms(self.latency_ns.max()) }
    }
}

/// Milliseconds to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "a time is told in a few digits")]
fn ms(ns: u64) -> f64 {
    (ns as f64 / 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted_together() {
        let (mut all, mut other) = (Tally::new(), Tally::new());
        (1..=500).for_each(|number| all.add_latency(Duration::from_millis(number)));
        (501..=1000).for_each(|number| other.add_latency(Duration::from_millis(number)));
        other.appended = 7;
        all.add(&other);
        let latency = all.latency();
        let about = |ms: f64, expected: f64| (ms / expected - 1.0).abs() < 0.002;
        assert!(about(latency.p50, 500.0) && about(latency.p99, 990.0) && about(latency.p999, 999.0), "{latency:?}");
        assert_eq!(all.appended, 7);
    }

    #[test]
    fn nothing_took_no_time_and_the_longest_is_not_lost() {
        let mut tally = Tally::new();
        assert_eq!(tally.latency(), Latency::default());
        tally.add_latency(Duration::from_secs(100_000));
        assert!(tally.latency().max >= 300_000.0);
    }
}
