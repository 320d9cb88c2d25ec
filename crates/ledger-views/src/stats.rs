//! How a subscription is doing: counts and sums that can be taken back exactly, and maxima that never are.

use ledger_event::{DurationMs, Timestamp};
use serde::{Deserialize, Serialize};

use crate::state::{Attempt, DeliveryState, Finish};

/// The figures of one subscription over all its described deliveries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The counts and sums, which every delivery has its share in.
    pub sums: StatsShare,
    /// The longest duration that any finish reported.
    pub max_duration_ms: Option<DurationMs>,
    /// The latest finish that was reported.
    pub last_delivery_at: Option<Timestamp>,
}

/// Counts and sums over finished attempts: what one delivery adds, or all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsShare {
    /// Finished attempts that the receiver accepted.
    pub success_count: u64,
    /// Finished attempts that it did not.
    pub failed_count: u64,
    /// Finished attempts that carry a duration.
    pub timed_count: u64,
    /// The sum of those durations, in milliseconds.
    pub duration_sum_ms: u64,
}

/// A share was to be taken out that is not in the sums: the stats or the delivery's state are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery's share is not in the stats of its subscription")]
pub struct NeverPutIn;

impl StatsShare {
    /// What a delivery adds: nothing while it waits for its description.
    #[must_use]
    pub fn of(state: &DeliveryState) -> Self {
        let mut share = Self::default();
        if state.description.is_none() {
            return share;
        }
        for finish in state.attempts.values().filter_map(|attempt| attempt.finished.as_ref()) {
            share.add(finish);
        }
        share
    }

    /// What one attempt of a described delivery adds.
    #[must_use]
    pub fn of_attempt(attempt: Option<&Attempt>) -> Self {
        let mut share = Self::default();
        if let Some(finish) = attempt.and_then(|attempt| attempt.finished.as_ref()) {
            share.add(finish);
        }
        share
    }

    fn add(&mut self, finish: &Finish) {
        if finish.succeeded {
            self.success_count += 1;
        } else {
            self.failed_count += 1;
        }
        if let Some(duration_ms) = finish.duration_ms {
            self.timed_count += 1;
            self.duration_sum_ms += u64::from(duration_ms.get());
        }
    }
}

impl Stats {
    /// Takes a delivery's old share out and puts its new one in.
    ///
    /// # Errors
    ///
    /// When the old one cannot have been put in: there is less than it.
    pub fn exchange(&mut self, old: StatsShare, new: StatsShare) -> Result<(), NeverPutIn> {
        let exchanged = |sum: u64, old: u64, new: u64| Ok(sum.checked_sub(old).ok_or(NeverPutIn)? + new);
        let sums = self.sums;
        self.sums = StatsShare {
            success_count: exchanged(sums.success_count, old.success_count, new.success_count)?,
            failed_count: exchanged(sums.failed_count, old.failed_count, new.failed_count)?,
            timed_count: exchanged(sums.timed_count, old.timed_count, new.timed_count)?,
            duration_sum_ms: exchanged(sums.duration_sum_ms, old.duration_sum_ms, new.duration_sum_ms)?,
        };
        Ok(())
    }

    /// Raises the maxima to those of a described delivery.
    pub fn raise_maxima(&mut self, max_duration_ms: Option<DurationMs>, latest_finish_at: Option<Timestamp>) {
        self.max_duration_ms = self.max_duration_ms.max(max_duration_ms);
        self.last_delivery_at = self.last_delivery_at.max(latest_finish_at);
    }

    /// Finished attempts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sums.success_count + self.sums.failed_count
    }

    /// The fraction of finished attempts that were accepted, 0 to 1; 0 when there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 round, as a fraction in JSON must")]
    pub fn success_rate(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { self.sums.success_count as f64 / self.total() as f64 }
    }

    /// The mean duration of the attempts that carry one, in milliseconds, rounded half up; 0 when there are none.
    #[must_use]
    pub fn avg_duration_ms(&self) -> u64 {
        let count = self.sums.timed_count;
        if count == 0 { 0 } else { (2 * self.sums.duration_sum_ms + count) / (2 * count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(success_count: u64, failed_count: u64, timed_count: u64, duration_sum_ms: u64) -> Stats {
        let mut stats = Stats::default();
        let share = StatsShare { success_count, failed_count, timed_count, duration_sum_ms };
        stats.exchange(StatsShare::default(), share).expect("nothing is taken out");
        stats
    }

    #[test]
    fn no_attempts_give_zeros() {
        let stats = Stats::default();
        assert_eq!((stats.total(), stats.avg_duration_ms()), (0, 0));
        assert!(stats.success_rate().abs() < f64::EPSILON);
    }

    #[test]
    fn the_mean_runs_over_attempts_with_a_duration_and_rounds_half_up() {
        assert_eq!(stats(1, 5, 2, 3).avg_duration_ms(), 2);
        assert_eq!(stats(3, 0, 3, 4).avg_duration_ms(), 1);
        assert_eq!(stats(3, 0, 3, 5).avg_duration_ms(), 2);
    }

    #[test]
    fn a_share_that_is_exchanged_leaves_nothing_of_the_old_one() {
        let mut changed = stats(2, 1, 3, 700);
        let old = StatsShare { success_count: 0, failed_count: 1, timed_count: 1, duration_sum_ms: 500 };
        let new = StatsShare { success_count: 1, failed_count: 0, timed_count: 1, duration_sum_ms: 20 };
        assert_eq!(changed.exchange(old, new), Ok(()));
        assert_eq!(changed, stats(3, 0, 3, 220));
        assert_eq!(changed.exchange(old, new), Err(NeverPutIn));
    }
}
