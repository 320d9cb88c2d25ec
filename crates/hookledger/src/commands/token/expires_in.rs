//! How long a token is valid.

use std::str::FromStr;

use anyhow::{Context, bail};
use ledger_event::Timestamp;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The longest time, in days: ten years.
const MAX_DAYS: u64 = 3650;

/// A time from 1 s to 3650 d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpiresIn {
    seconds: i64,
}

impl ExpiresIn {
    /// The moment so long after another.
    pub(crate) fn after(self, now: Timestamp) -> anyhow::Result<Timestamp> {
        let moment = Timestamp::from_micros(now.as_micros() + self.seconds * 1_000_000);
        moment.context("the moment at which the token expires")
    }
}

impl FromStr for ExpiresIn {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let not_a_time = || format!("`{text}` is not a time: it is a whole number and s, m, h or d, such as 30d");
        let unit = text.chars().next_back().with_context(not_a_time)?;
        let unit_seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => DAY_SECONDS,
            _ => bail!(not_a_time()),
        };
        let digits = &text[..text.len() - unit.len_utf8()];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            bail!(not_a_time());
        }
        // What does not fit into a number is out of bounds too.
        let seconds = digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit_seconds);
        if !(1..=MAX_DAYS * DAY_SECONDS).contains(&seconds) {
            bail!("{text} is not within 1s and {MAX_DAYS}d");
        }
        Ok(Self { seconds: i64::try_from(seconds).expect("ten years of seconds fit") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_and_a_unit() {
        let cases = [("1s", 1), ("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("3650d", 315_360_000)];
        for (text, seconds) in cases {
            assert_eq!(text.parse::<ExpiresIn>().expect("it is a time"), ExpiresIn { seconds }, "{text}");
        }
    }

    #[test]
    fn another_form_is_refused_with_the_form() {
        for text in ["", "d", "30", "30w", "-1d", "+1d", "1.5h", "1 d", "30é"] {
            let error = text.parse::<ExpiresIn>().expect_err("it is refused").to_string();
            assert!(error.contains("is not a time: it is a whole number and s, m, h or d"), "{error}");
        }
    }

    #[test]
    fn a_time_out_of_bounds_is_refused_with_the_bounds() {
        for text in ["0s", "0d", "3651d", "87601h", "99999999999999999999d", "18446744073709551615m"] {
            let error = text.parse::<ExpiresIn>().expect_err("it is refused").to_string();
            assert_eq!(error, format!("{text} is not within 1s and 3650d"));
        }
    }

    #[test]
    fn a_token_cannot_expire_after_the_last_year_that_is_written() {
        let last = Timestamp::parse("9999-12-31T23:59:59Z").expect("it is RFC 3339");
        assert!(ExpiresIn { seconds: 10 }.after(last).is_err());
    }
}
