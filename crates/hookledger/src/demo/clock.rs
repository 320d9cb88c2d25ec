//! The dispatcher's clock: moments that never repeat or go back, and waits that are shortened.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tokio::time::Instant;

/// Microseconds since 1970; RFC 3339 with `Z` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    /// The moment so much later.
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let moment = DateTime::parse_from_rfc3339(text).with_context(|| format!("{text:?} is not RFC 3339"))?;
        Ok(Self(moment.timestamp_micros()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A wall clock that is carried on by the monotonic one, so that a correction of the machine's time in
/// the middle of a run does not reorder what happened.
///
/// `speedup` nominal seconds pass in each real one: back-offs of minutes are waited for in a blink, while the
/// moments it gives and the durations that are measured stay real.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_us: i64,
    last_us: AtomicI64,
    speedup: u32,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start(speedup: u32) -> Self {
        let start_us = Utc::now().timestamp_micros();
        Self { start: Instant::now(), start_us, last_us: AtomicI64::new(start_us), speedup }
    }

    /// When the clock was started.
    pub(crate) fn started_at(&self) -> Moment {
        Moment(self.start_us)
    }

    /// The present, at least a microsecond later than any present given before.
    pub(crate) fn now(&self) -> Moment {
        let elapsed_us = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        let now_us = self.start_us.saturating_add(elapsed_us);
        let later = |last: i64| now_us.max(last + 1);
        let last = self.last_us.update(Ordering::Relaxed, Ordering::Relaxed, later);
        Moment(later(last))
    }

    /// How long a nominal duration really takes.
    pub(crate) fn shortened(&self, nominal: Duration) -> Duration {
        nominal / self.speedup
    }

    /// Waits until that moment, which may be in the past.
    pub(crate) async fn wait_until(&self, moment: Moment) {
        let wait_us = u64::try_from(moment.0 - self.start_us).unwrap_or(0);
        tokio::time::sleep_until(self.start + Duration::from_micros(wait_us)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_presents_are_the_same() {
        let clock = Clock::start(1);
        let mut last = clock.started_at();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now > last);
            last = now;
        }
    }

    #[test]
    fn a_moment_is_written_and_read_back_to_the_microsecond() {
        let json = r#""2026-01-15T10:30:00.000120Z""#;
        let moment: Moment = serde_json::from_str(json).expect("it is RFC 3339");
        assert_eq!(serde_json::to_string(&moment).expect("it is JSON"), json);
        let offset: Moment = serde_json::from_str(r#""2026-01-15T12:30:00.00012+02:00""#).expect("it is RFC 3339");
        assert_eq!(offset, moment);
    }
}
