//! Durations as integer counts in fixed logarithmic buckets, from which any can be taken out again exactly.
//!
//! A bucket is one millisecond wide below 50 ms, and a fiftieth of its low end above, so that its middle is at most 1 %
//! from any duration in it. The bounds are made by integer arithmetic alone: they are the same on every machine, and for
//! ever. They are those of a histogram with relative error, as in Masson, Rim and Lee, "DDSketch" (VLDB 2019), but they
//! never collapse: up to a day there are about 800.

use std::sync::LazyLock;

use ledger_event::DurationMs;
use serde::{Deserialize, Serialize};

use crate::stats::NeverPutIn;

/// A bucket above this many milliseconds is a fiftieth of its low end wide.
const EXACT_BELOW_MS: u32 = 50;

/// The low ends of the buckets, in milliseconds, rising.
static LOW_ENDS_MS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut low_ends = Vec::new();
    let mut low = 0;
    while low <= DurationMs::MAX {
        low_ends.push(low);
        low += (low / EXACT_BELOW_MS).max(1);
    }
    low_ends
});

/// How many durations fell into each bucket. Changing one count costs O(log n) of the n buckets that are not empty,
/// and O(n) where a bucket is the first of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(Vec<(u16, u64)>);

impl Histogram {
    /// Puts a duration in.
    pub fn put_in(&mut self, duration_ms: DurationMs) {
        let bucket = bucket_of(duration_ms);
        match self.find(bucket) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (bucket, 1)),
        }
    }

    /// Takes a duration out that was put in.
    ///
    /// # Errors
    ///
    /// When its bucket is empty.
    pub fn take_out(&mut self, duration_ms: DurationMs) -> Result<(), NeverPutIn> {
        let at = self.find(bucket_of(duration_ms)).map_err(|_| NeverPutIn)?;
        self.0[at].1 -= 1;
        if self.0[at].1 == 0 {
            self.0.remove(at);
        }
        Ok(())
    }

    /// The buckets that are not empty, by rising duration: low end in milliseconds, and count.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().map(|(bucket, count)| (LOW_ENDS_MS[usize::from(*bucket)], *count))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u16, u64)>()
    }

    fn find(&self, bucket: u16) -> Result<usize, usize> {
        // Where no bucket between is empty, as in most large histograms, it stands right here.
        let first = self.0.first().map_or(0, |(first, _)| *first);
        let at = usize::from(bucket.saturating_sub(first));
        if self.0.get(at).is_some_and(|(standing, _)| *standing == bucket) {
            return Ok(at);
        }
        self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket)
    }
}

/// The buckets of the durations that most attempts have, by milliseconds.
static SHORT: LazyLock<Vec<u16>> = LazyLock::new(|| (0..SHORT_BELOW_MS).map(search).collect());

const SHORT_BELOW_MS: u32 = 8192;

fn bucket_of(duration_ms: DurationMs) -> u16 {
    SHORT.get(duration_ms.get() as usize).copied().unwrap_or_else(|| search(duration_ms.get()))
}

fn search(duration_ms: u32) -> u16 {
    let after = LOW_ENDS_MS.partition_point(|low| *low <= duration_ms);
    u16::try_from(after - 1).expect("there are about 800 buckets")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn duration(ms: u32) -> DurationMs {
        DurationMs::new(ms).expect("it is at most a day")
    }

    #[test]
    fn the_bounds_never_change() {
        let bounds = &*LOW_ENDS_MS;
        assert_eq!((bounds.len(), bounds[0], bounds[50], bounds[100], bounds[150]), (804, 0, 50, 100, 233));
        assert_eq!(bounds.last(), Some(&85_727_028));
    }

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_within_one_percent(ms in 0..=DurationMs::MAX) {
            let at = usize::from(bucket_of(duration(ms)));
            let low = LOW_ENDS_MS[at];
            let high = LOW_ENDS_MS.get(at + 1).map_or(DurationMs::MAX, |next| next - 1);
            prop_assert!((low..=high).contains(&ms));
            prop_assert!(u64::from(high - low) * 50 <= u64::from(low), "half its width is at most 1 % of it");
        }

        #[test]
        fn what_is_taken_out_leaves_nothing(mut all in prop::collection::vec(0..=DurationMs::MAX, 0..50), kept in 0..50_usize) {
            let mut histogram = Histogram::default();
            all.iter().for_each(|ms| histogram.put_in(duration(*ms)));
            let out = all.split_off(kept.min(all.len()));
            for ms in out {
                prop_assert_eq!(histogram.take_out(duration(ms)), Ok(()));
            }
            let mut right = Histogram::default();
            all.iter().for_each(|ms| right.put_in(duration(*ms)));
            prop_assert_eq!(&histogram, &right);
            prop_assert_eq!(histogram.buckets().map(|(_, count)| count).sum::<u64>(), all.len() as u64);
        }
    }
}
