//! How long to wait before trying again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

/// Exponential back-off with jitter: the wait doubles with each failure up to a cap, and its second half is
/// random, so that what failed together does not come back together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The longest wait after the first failure.
    pub(crate) base: Duration,
    /// The longest wait after any failure.
    pub(crate) cap: Duration,
}

impl Backoff {
    /// The wait after so many failures in a row, from 1.
    ///
    /// A receiver that says how long to wait is waited for at least as long, but not for longer than
    /// `RETRY_AFTER_MAX`: its word must not park a delivery for ever.
    pub(crate) fn wait(&self, failures: u32, retry_after: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.base.saturating_mul(doubled).min(self.cap);
        let wait = longest.mul_f64(rng.random_range(0.5..=1.0));
        retry_after.map_or(wait, |asked| wait.max(asked.min(RETRY_AFTER_MAX)))
    }
}

/// Chance for jitter: another in every process, so that two of them do not try again in step.
pub(crate) fn jitter() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(RandomState::new().hash_one(()))
}

/// The longest `Retry-After` that is honoured in full.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// What `Retry-After` asks for, in seconds or as a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.with_timezone(&Utc) - Utc::now()).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(60) };

    #[test]
    fn a_wait_is_between_half_and_all_of_the_doubled_base_and_never_over_the_cap() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for (failures, longest) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (40, 60), (u32::MAX, 60)] {
            let longest = Duration::from_secs(longest);
            for _ in 0..200 {
                let wait = BACKOFF.wait(failures, None, &mut rng);
                assert!(longest / 2 <= wait && wait <= longest, "{wait:?} after {failures} failures");
            }
        }
    }

    #[test]
    fn waits_differ() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        assert_ne!(BACKOFF.wait(1, None, &mut rng), BACKOFF.wait(1, None, &mut rng));
    }

    #[test]
    fn a_receiver_is_waited_for_as_long_as_it_asks_within_a_bound() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut asked = |seconds| BACKOFF.wait(1, Some(Duration::from_secs(seconds)), &mut rng);
        assert_eq!(asked(30), Duration::from_secs(30));
        assert!(asked(0) >= Duration::from_millis(2500));
        assert_eq!(asked(u64::MAX), RETRY_AFTER_MAX);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let read = |value: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("it is a header value"))]);
            retry_after(&headers)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert!(read("Tue, 31 Dec 2999 23:59:59 GMT").expect("it is a date") > Duration::from_secs(3600));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
