//! Moments, in microseconds.

use std::fmt;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// First and last moment that can be written with a four-digit year, in microseconds.
const FIRST_US: i64 = -62_135_596_800_000_000;
const LAST_US: i64 = 253_402_300_799_999_999;

/// A moment: microseconds since 1970-01-01T00:00:00Z, from year 1 to year 9999.
///
/// It reads RFC 3339 with any offset and writes it with `Z`; what is finer than a microsecond is cut off.
/// In MessagePack it is the integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(
    description = "A moment, as RFC 3339: any offset is read, `Z` is written; what is finer than a microsecond is cut \
                   off. In MessagePack it may be an integer: microseconds since 1970.",
    with = "String",
    extend("format" = "date-time"),
))]
pub struct Timestamp(i64);

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an RFC 3339 date and time of the years 1 to 9999, such as 2026-01-15T10:30:00Z")]
pub struct TimestampError;

impl Timestamp {
    /// The moment so many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// When it is not in the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        if (FIRST_US..=LAST_US).contains(&micros) { Ok(Self(micros)) } else { Err(TimestampError) }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with any offset.
    ///
    /// # Errors
    ///
    /// When the text is not RFC 3339, or not in the years 1 to 9999 UTC.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError)?;
        Self::from_micros(moment.timestamp_micros())
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Cuts to microseconds and clamps to the years 1 to 9999.
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp_micros().clamp(FIRST_US, LAST_US))
    }
}

/// A moment as RFC 3339 with `Z`, with three or six digits of a second where it has any.
///
/// A page of deliveries has a hundred moments: chrono's own writer took a tenth of its time.
struct Rfc3339 {
    text: [u8; 27],
    len: usize,
}

impl Rfc3339 {
    fn of(moment: Timestamp) -> Self {
        let moment = DateTime::<Utc>::from_timestamp_micros(moment.0).expect("the years 1 to 9999 are within chrono's");
        let (date, time, micros) = (moment.date_naive(), moment.time(), moment.timestamp_subsec_micros());
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put_digits(&mut text[..4], date.year().unsigned_abs());
        put_digits(&mut text[5..7], date.month());
        put_digits(&mut text[8..10], date.day());
        put_digits(&mut text[11..13], time.hour());
        put_digits(&mut text[14..16], time.minute());
        put_digits(&mut text[17..19], time.second());
        put_digits(&mut text[20..26], micros);
        let end = match micros {
            0 => 19,
            _ if micros.is_multiple_of(1000) => 23,
            _ => 26,
        };
        text[end] = b'Z';
        Self { text, len: end + 1 }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).expect("digits are ASCII")
    }
}

/// Writes a number with leading zeros.
fn put_digits(into: &mut [u8], mut number: u32) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("it is a digit");
        number /= 10;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Rfc3339::of(*self).as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(Rfc3339::of(*self).as_str())
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

struct TimestampVisitor;

impl Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an RFC 3339 date and time, such as 2026-01-15T10:30:00Z")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).map_err(E::custom)
    }
}

struct MicrosVisitor;

impl Visitor<'_> for MicrosVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("microseconds since 1970, or an RFC 3339 date and time")
    }

    fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Timestamp, E> {
        Timestamp::from_micros(micros).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Timestamp, E> {
        let micros = i64::try_from(micros).map_err(|_| E::custom(TimestampError))?;
        self.visit_i64(micros)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(TimestampVisitor)
        } else {
            deserializer.deserialize_any(MicrosVisitor)
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    #[test]
    fn any_offset_is_read_and_z_is_written() {
        let moment = Timestamp::parse("2026-01-15T12:30:00.120+02:00").expect("it is RFC 3339");
        assert_eq!(moment.to_string(), "2026-01-15T10:30:00.120Z");
        assert_eq!(moment, Timestamp::parse("2026-01-15T10:30:00.12Z").expect("it is RFC 3339"));
    }

    #[test]
    fn microseconds_are_kept_and_finer_digits_cut() {
        let moment = Timestamp::parse("2026-01-15T10:30:00.1234567Z").expect("it is RFC 3339");
        assert_eq!(moment.to_string(), "2026-01-15T10:30:00.123456Z");
    }

    #[test]
    fn a_moment_is_written_as_chrono_writes_it() {
        let days = (0..3_000).map(|day| FIRST_US + day * ((LAST_US - FIRST_US) / 3_000));
        let parts = (0..7).map(|digits| 1_768_473_000_000_000 + 10_i64.pow(digits));
        for micros in days.chain(parts).chain([FIRST_US, -1, 0, LAST_US]) {
            let moment = DateTime::<Utc>::from_timestamp_micros(micros).expect("it is a moment");
            let expected = moment.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            assert_eq!(Timestamp::from_micros(micros).expect("it is within the years").to_string(), expected);
        }
    }

    #[test]
    fn what_cannot_be_written_back_is_refused() {
        for text in ["", "yesterday", "2026-01-15", "2026-01-15T10:30:00", "0001-01-01T00:00:00+01:00"] {
            assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text}");
        }
        assert!(Timestamp::parse("0001-01-01T00:00:00Z").is_ok());
        assert!(Timestamp::parse("9999-12-31T23:59:59.999999Z").is_ok());
        assert!(Timestamp::parse("9999-12-31T23:59:59-01:00").is_err());
    }
}
