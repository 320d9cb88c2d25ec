//! How a subscription or a workspace is doing: counts and sums that can be taken back exactly, and maxima that never are.

use ledger_event::{DurationMs, Timestamp};
use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;
use crate::row::Outcome;
use crate::state::Finish;

/// The figures over all described deliveries of a subscription, or of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The finished attempts.
    pub attempts: Figures,
    /// The longest duration that any finish reported.
    pub max_duration_ms: Option<DurationMs>,
    /// The latest finish that was reported.
    pub last_delivery_at: Option<Timestamp>,
}

/// The figures of a quarter of an hour in UTC, of which the hours and days of every time zone are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarter {
    /// The attempts that finished in it.
    pub attempts: Figures,
    /// The deliveries that were created in it, by how they stand now.
    pub deliveries: OutcomeCounts,
}

/// Counts and sums over finished attempts. Putting one in or taking it out costs O(log n) of the n buckets of durations
/// that are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Finished attempts that the receiver accepted.
    pub success_count: u64,
    /// Finished attempts that it did not.
    pub failed_count: u64,
    /// Finished attempts that carry a duration.
    pub timed_count: u64,
    /// The sum of those durations, in milliseconds.
    pub duration_sum_ms: u64,
    /// Those durations.
    pub durations: Histogram,
}

/// How many deliveries stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts([u64; Outcome::ALL.len()]);

/// What one finished attempt adds to figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishShare {
    /// When it finished.
    pub at: Timestamp,
    /// Whether the receiver accepted it.
    pub succeeded: bool,
    /// How long it took.
    pub duration_ms: Option<DurationMs>,
}

/// A share was to be taken out that is not in the figures: these, or the delivery's state, are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery's share is not in the stats")]
pub struct NeverPutIn;

impl FinishShare {
    /// What a finish adds.
    #[must_use]
    pub fn of<I>(finish: &Finish<I>) -> Self {
        Self { at: finish.key.occurred_at, succeeded: finish.succeeded, duration_ms: finish.duration_ms }
    }
}

impl Figures {
    /// Puts a finished attempt in.
    pub fn put_in(&mut self, share: FinishShare) {
        *self.count_of(share) += 1;
        if let Some(duration_ms) = share.duration_ms {
            self.timed_count += 1;
            self.duration_sum_ms += u64::from(duration_ms.get());
            self.durations.put_in(duration_ms);
        }
    }

    /// Takes a finished attempt out that was put in.
    ///
    /// # Errors
    ///
    /// When it cannot have been put in: there is less than it.
    pub fn take_out(&mut self, share: FinishShare) -> Result<(), NeverPutIn> {
        let less = |from: u64, by: u64| from.checked_sub(by).ok_or(NeverPutIn);
        let count = self.count_of(share);
        *count = less(*count, 1)?;
        if let Some(duration_ms) = share.duration_ms {
            self.timed_count = less(self.timed_count, 1)?;
            self.duration_sum_ms = less(self.duration_sum_ms, u64::from(duration_ms.get()))?;
            self.durations.take_out(duration_ms)?;
        }
        Ok(())
    }

    fn count_of(&mut self, share: FinishShare) -> &mut u64 {
        if share.succeeded { &mut self.success_count } else { &mut self.failed_count }
    }

    /// Finished attempts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.success_count + self.failed_count
    }

    /// The fraction of finished attempts that were accepted, 0 to 1; 0 when there are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 round, as a fraction in JSON must")]
    pub fn success_rate(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { self.success_count as f64 / self.total() as f64 }
    }

    /// The mean duration of the attempts that carry one, in milliseconds, rounded half up; 0 when there are none.
    #[must_use]
    pub fn avg_duration_ms(&self) -> u64 {
        let count = self.timed_count;
        if count == 0 { 0 } else { (2 * self.duration_sum_ms + count) / (2 * count) }
    }
}

impl Quarter {
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.attempts.durations.size_bytes()
    }
}

impl Stats {
    /// Raises the maxima to those of a described delivery.
    pub fn raise_maxima(&mut self, max_duration_ms: Option<DurationMs>, latest_finish_at: Option<Timestamp>) {
        self.max_duration_ms = self.max_duration_ms.max(max_duration_ms);
        self.last_delivery_at = self.last_delivery_at.max(latest_finish_at);
    }
}

impl OutcomeCounts {
    /// How many stand so.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Counts one more that stands so.
    pub fn put_in(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    /// Counts one less.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn take_out(&mut self, outcome: Outcome) -> Result<(), NeverPutIn> {
        let count = &mut self.0[outcome as usize];
        *count = count.checked_sub(1).ok_or(NeverPutIn)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(succeeded: bool, duration_ms: Option<u32>) -> FinishShare {
        let duration_ms = duration_ms.map(|ms| DurationMs::new(ms).expect("it is less than a day"));
        FinishShare { at: Timestamp::from_micros(0).expect("it is 1970"), succeeded, duration_ms }
    }

    fn figures(shares: &[FinishShare]) -> Figures {
        let mut figures = Figures::default();
        shares.iter().for_each(|share| figures.put_in(*share));
        figures
    }

    #[test]
    fn no_attempts_give_zeros() {
        let figures = Figures::default();
        assert_eq!((figures.total(), figures.avg_duration_ms()), (0, 0));
        assert!(figures.success_rate().abs() < f64::EPSILON);
    }

    #[test]
    fn the_mean_runs_over_attempts_with_a_duration_and_rounds_half_up() {
        let mean = |durations: &[u32]| {
            let timed = durations.iter().map(|ms| share(true, Some(*ms)));
            figures(&timed.chain([share(false, None)]).collect::<Vec<_>>()).avg_duration_ms()
        };
        assert_eq!((mean(&[1, 2]), mean(&[1, 1, 2]), mean(&[1, 2, 2])), (2, 1, 2));
    }

    #[test]
    fn a_share_that_is_taken_out_leaves_nothing() {
        let (kept, out) = (share(true, Some(200)), share(false, Some(500)));
        let mut changed = figures(&[kept, out]);
        assert_eq!(changed.take_out(out), Ok(()));
        assert_eq!(changed, figures(&[kept]));
        assert_eq!(changed.take_out(out), Err(NeverPutIn));
        let mut counts = OutcomeCounts::default();
        counts.put_in(Outcome::Retrying);
        assert_eq!((counts.of(Outcome::Retrying), counts.take_out(Outcome::Retrying)), (1, Ok(())));
        assert_eq!(counts.take_out(Outcome::Retrying), Err(NeverPutIn));
    }
}
