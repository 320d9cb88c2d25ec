//! Times of generated events, as text of one length.

use ledger_event::Timestamp;

/// `2026-01-15T10:30:00.120345Z`
pub(super) const TEXT_BYTES: usize = 27;

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Writes moments as RFC 3339 with all six digits of the second: the parts of a prepared body keep their places.
///
/// Events come by the million and within a few days, so the date is worked out once a day.
#[derive(Debug)]
pub(super) struct MomentWriter {
    day: i64,
    /// `2026-01-15T`
    date: String,
}

impl MomentWriter {
    pub(super) fn new() -> Self {
        Self { day: i64::MIN, date: String::new() }
    }

    /// Writes a moment, in microseconds since 1970, over these [`TEXT_BYTES`].
    pub(super) fn write(&mut self, moment_us: i64, text: &mut [u8]) {
        let day = moment_us.div_euclid(DAY_US);
        if day != self.day {
            let midnight = Timestamp::from_micros(day * DAY_US).expect("events are of this century").to_string();
            self.date = midnight[..11].to_owned();
            self.day = day;
        }
        let in_day_us = moment_us.rem_euclid(DAY_US).unsigned_abs();
        let seconds = in_day_us / 1_000_000;
        text[..11].copy_from_slice(self.date.as_bytes());
        write_digits(seconds / 3600, &mut text[11..13]);
        text[13] = b':';
        write_digits(seconds / 60 % 60, &mut text[14..16]);
        text[16] = b':';
        write_digits(seconds % 60, &mut text[17..19]);
        text[19] = b'.';
        write_digits(in_day_us % 1_000_000, &mut text[20..26]);
        text[26] = b'Z';
    }

    /// The moment as a text of its own.
    pub(super) fn text(&mut self, moment_us: i64) -> String {
        let mut text = [0; TEXT_BYTES];
        self.write(moment_us, &mut text);
        String::from_utf8(text.to_vec()).expect("it is ASCII")
    }
}

fn write_digits(mut number: u64, text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("it is a digit");
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_one_that_it_was_written_from() {
        let mut writer = MomentWriter::new();
        for moment_us in [1_768_471_200_000_000, 1_768_471_200_000_001, 1_768_521_599_999_999, 1_768_521_600_000_000] {
            let text = writer.text(moment_us);
            assert_eq!(Timestamp::parse(&text).expect("it is a time").as_micros(), moment_us, "{text}");
        }
        assert_eq!(writer.text(1_768_473_000_120_345), "2026-01-15T10:30:00.120345Z");
    }
}
