//! What the dispatcher counted itself, to be held against what the ledger says.
//!
//! This is written from the documented meaning of the figures and shares no code with the ledger.

use super::clock::Moment;
use super::plan::Planned;

/// What happened to one delivery.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryTally {
    /// Which delivery it is.
    pub(crate) planned: Planned,
    /// Its id.
    pub(crate) id: String,
    /// When it was created.
    pub(crate) created_at: Moment,
    /// How many times it was sent.
    pub(crate) attempts: u32,
    /// How the last time ended.
    pub(crate) last: Option<Finished>,
    /// When it was first accepted.
    pub(crate) delivered_at: Option<Moment>,
    /// Why it was given up, if it was.
    pub(crate) cancelled: Option<&'static str>,
    counts: Counts,
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    /// When.
    pub(crate) at: Moment,
    /// How long it took.
    pub(crate) duration_ms: u32,
    /// The status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// The beginning of the body of the answer.
    pub(crate) body: Option<String>,
    /// What went wrong; nothing when it was accepted.
    pub(crate) error: Option<String>,
}

/// The figures of some attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Attempts that were accepted.
    pub(crate) success_count: u64,
    /// Attempts that were not.
    pub(crate) failed_count: u64,
    /// The sum of their durations.
    pub(crate) duration_sum_ms: u64,
    /// The longest of them.
    pub(crate) duration_max_ms: u64,
    /// When the last of them ended.
    pub(crate) last_at: Option<Moment>,
}

/// The figures of some deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many there are.
    pub(crate) deliveries: u64,
    /// How many of them were accepted.
    pub(crate) delivered: u64,
    /// Their attempts.
    pub(crate) attempts: Counts,
}

impl DeliveryTally {
    /// A delivery of which nothing was sent yet.
    pub(crate) fn created(planned: Planned, id: String, created_at: Moment) -> Self {
        let counts = Counts::default();
        Self { planned, id, created_at, attempts: 0, last: None, delivered_at: None, cancelled: None, counts }
    }

    /// Counts an attempt.
    pub(crate) fn finished(&mut self, finished: Finished) {
        self.attempts += 1;
        let success = finished.error.is_none();
        if success && self.delivered_at.is_none() {
            self.delivered_at = Some(finished.at);
        }
        self.counts.add(Counts {
            success_count: u64::from(success),
            failed_count: u64::from(!success),
            duration_sum_ms: finished.duration_ms.into(),
            duration_max_ms: finished.duration_ms.into(),
            last_at: Some(finished.at),
        });
        self.last = Some(finished);
    }

    /// The status that it ended with.
    pub(crate) fn status(&self) -> &'static str {
        if self.delivered_at.is_some() { "delivered" } else { "failed" }
    }

    /// The error that is shown: why it was given up, else that of the last attempt.
    pub(crate) fn last_error(&self) -> Option<&str> {
        if self.delivered_at.is_none() && self.cancelled.is_some() {
            return self.cancelled;
        }
        self.last.as_ref()?.error.as_deref()
    }
}

impl Counts {
    /// How many attempts there were.
    pub(crate) fn total(&self) -> u64 {
        self.success_count + self.failed_count
    }

    /// The share of accepted attempts, 0 to 1; 0 when there were none.
    pub(crate) fn success_rate(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { self.success_count as f64 / self.total() as f64 }
    }

    /// The average duration, rounded half up; 0 when there were no attempts.
    pub(crate) fn duration_avg_ms(&self) -> u64 {
        (2 * self.duration_sum_ms + self.total()).checked_div(2 * self.total()).unwrap_or(0)
    }

    fn add(&mut self, other: Self) {
        self.success_count += other.success_count;
        self.failed_count += other.failed_count;
        self.duration_sum_ms += other.duration_sum_ms;
        self.duration_max_ms = self.duration_max_ms.max(other.duration_max_ms);
        self.last_at = self.last_at.max(other.last_at);
    }
}

impl Tally {
    /// The figures of these deliveries.
    pub(crate) fn of<'a>(deliveries: impl IntoIterator<Item = &'a DeliveryTally>) -> Self {
        let mut tally = Self::default();
        for delivery in deliveries {
            tally.deliveries += 1;
            tally.delivered += u64::from(delivery.delivered_at.is_some());
            tally.attempts.add(delivery.counts);
        }
        tally
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::demo::clock::Clock;

    pub(crate) fn finished(clock: &Clock, duration_ms: u32, status: u16) -> Finished {
        Finished {
            at: clock.now(),
            duration_ms,
            status: Some(status),
            body: Some("ok".to_owned()),
            error: (status != 200).then(|| format!("HTTP {status}")),
        }
    }

    pub(crate) fn created(clock: &Clock, number: u32) -> DeliveryTally {
        let planned = Planned { number, source_event: number, subscription: 0 };
        DeliveryTally::created(planned, format!("whdel_{number:06}"), clock.now())
    }

    #[test]
    fn averages_are_rounded_half_up() {
        let average = |durations: &[u64]| {
            let sum = durations.iter().sum();
            Counts { success_count: durations.len() as u64, duration_sum_ms: sum, ..Counts::default() }
                .duration_avg_ms()
        };
        assert_eq!(average(&[]), 0);
        assert_eq!(average(&[1, 2]), 2);
        assert_eq!(average(&[1, 1, 2]), 1);
        assert_eq!(average(&[0, 0, 1]), 0);
    }

    #[test]
    fn a_delivery_stays_delivered_when_a_redelivery_fails() {
        let clock = Clock::start(1);
        let mut delivery = created(&clock, 1);
        delivery.finished(finished(&clock, 5, 500));
        delivery.finished(finished(&clock, 7, 200));
        let delivered_at = delivery.delivered_at;
        delivery.finished(finished(&clock, 9, 502));
        assert_eq!((delivery.status(), delivery.last_error()), ("delivered", Some("HTTP 502")));
        assert_eq!(delivery.delivered_at, delivered_at);
        let tally = Tally::of([&delivery]);
        assert_eq!((tally.delivered, tally.attempts.success_count, tally.attempts.failed_count), (1, 1, 2));
        assert_eq!((tally.attempts.duration_avg_ms(), tally.attempts.duration_max_ms), (7, 9));
    }

    #[test]
    fn a_cancelled_delivery_tells_why() {
        let clock = Clock::start(1);
        let mut delivery = created(&clock, 1);
        delivery.finished(finished(&clock, 5, 410));
        delivery.cancelled = Some("gone");
        assert_eq!((delivery.status(), delivery.last_error()), ("failed", Some("gone")));
    }
}
