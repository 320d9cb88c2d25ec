//! The quarters of an hour of a day, in UTC: one page, since most days of most subscriptions have few of them.

use std::collections::BTreeMap;

use ledger_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::stats::Quarter;

const QUARTER_US: i64 = 15 * 60 * 1_000_000;

const QUARTERS_PER_DAY: i32 = 96;

/// The quarters of an hour of a day in which something happened, by their number since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Day(pub(crate) BTreeMap<i32, Quarter>);

/// The quarter of an hour that a moment is in, counted from 1970.
pub(crate) fn quarter_of(at: Timestamp) -> i32 {
    i32::try_from(at.as_micros().div_euclid(QUARTER_US)).expect("there are 350 million quarters up to the year 9999")
}

/// When a quarter of an hour begins.
pub(crate) fn start_of(quarter: i32) -> Timestamp {
    Timestamp::from_micros(i64::from(quarter) * QUARTER_US)
        .expect("quarters are those of moments, and the year 1 begins with one")
}

impl Day {
    /// The day of a quarter, counted from 1970.
    pub(crate) fn of(quarter: i32) -> i32 {
        quarter.div_euclid(QUARTERS_PER_DAY)
    }

    pub(crate) fn get(&self, quarter: i32) -> Option<&Quarter> {
        self.0.get(&quarter)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.values().map(Quarter::size_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_and_days_begin_where_utc_says() {
        let quarter = |text| quarter_of(Timestamp::parse(text).expect("it is a time"));
        assert_eq!((quarter("1970-01-01T00:14:59.999999Z"), quarter("1970-01-01T00:15:00Z")), (0, 1));
        assert_eq!((quarter("1969-12-31T23:59:59Z"), quarter("1970-01-02T00:00:00Z")), (-1, 96));
        assert_eq!(start_of(quarter("0001-01-01T00:00:00Z")).to_string(), "0001-01-01T00:00:00Z");
        assert_eq!((Day::of(-1), Day::of(0), Day::of(95), Day::of(96)), (-1, 0, 0, 1));
        assert_eq!(quarter("9999-12-31T23:59:59Z") - quarter("0001-01-01T00:00:00Z"), 350_597_663);
    }
}
