//! Bounded integers of an event: out of bounds they are refused while they are parsed.

use std::fmt;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{ATTEMPT_MAX, DURATION_MAX_MS, MAX_ATTEMPTS_DEFAULT};

/// Reads an integer within inclusive bounds.
struct Bounded {
    min: u32,
    max: u32,
}

impl Visitor<'_> for Bounded {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an integer from {} to {}", self.min, self.max)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
        match u32::try_from(number) {
            Ok(number) if (self.min..=self.max).contains(&number) => Ok(number),
            Ok(_) | Err(_) => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

macro_rules! bounded {
    ($($(#[$doc:meta])* $name:ident: $min:expr, $max:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(#[cfg_attr(feature = "schema", schemars(range(min = $min, max = $max)))] u32);

        impl $name {
            /// Smallest value.
            pub const MIN: u32 = $min;
            /// Largest value.
            pub const MAX: u32 = $max;

            /// The number, if it is within the bounds.
            #[must_use]
            pub fn new(number: u32) -> Option<Self> {
                (Self::MIN..=Self::MAX).contains(&number).then_some(Self(number))
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bounded = Bounded { min: Self::MIN, max: Self::MAX };
                // Asked for a number, the reader of MessagePack refuses other values without saying what was expected.
                if deserializer.is_human_readable() {
                    deserializer.deserialize_u32(bounded).map(Self)
                } else {
                    deserializer.deserialize_any(bounded).map(Self)
                }
            }
        }
    )+};
}

bounded! {
    /// The number of an attempt within its delivery, from 1.
    AttemptNumber: 1, ATTEMPT_MAX;
    /// How many attempts the sender means to make at most. It decides nothing here.
    MaxAttempts: 1, ATTEMPT_MAX;
    /// How long an attempt took, in milliseconds, up to a day.
    DurationMs: 0, DURATION_MAX_MS;
    /// The HTTP status of a response: three digits.
    ResponseStatus: 100, 999;
}

impl Default for MaxAttempts {
    fn default() -> Self {
        Self(MAX_ATTEMPTS_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: for<'de> Deserialize<'de> + fmt::Debug>(json: &str) -> String {
        serde_json::from_str::<T>(json).expect_err("it is out of bounds").to_string()
    }

    #[test]
    fn a_number_out_of_bounds_is_refused_with_the_bounds() {
        assert!(refusal::<AttemptNumber>("0").contains("integer `0`, expected an integer from 1 to 1000"));
        assert!(refusal::<AttemptNumber>("1001").contains("from 1 to 1000"));
        assert!(refusal::<DurationMs>("-1").contains("integer `-1`, expected an integer from 0 to 86400000"));
        assert!(refusal::<DurationMs>("1.5").contains("from 0 to 86400000"));
        assert!(refusal::<ResponseStatus>("99999999999").contains("from 100 to 999"));
        assert!(refusal::<ResponseStatus>("\"200\"").contains("from 100 to 999"));
    }

    #[test]
    fn the_bounds_themselves_are_accepted() {
        assert_eq!(serde_json::from_str::<AttemptNumber>("1000").map(AttemptNumber::get).ok(), Some(1000));
        assert_eq!(serde_json::from_str::<DurationMs>("0").map(DurationMs::get).ok(), Some(0));
    }
}
