//! A run: sorted entries in buckets, with filters.

use serde::{Deserialize, Serialize};

use crate::error::ViewsError;
use crate::index::bucket::Bucket;
use crate::index::filter::{Filter, GROUP_BUCKETS};
use crate::pages::{PageId, PageStore};
use crate::place::Place;

/// How many entries a bucket has, or up to twice as many.
const BUCKET_ENTRIES: u64 = 256;

/// A run, as the root names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// By which it is named in the keys of pages; never used twice.
    pub(crate) number: u32,
    pub(crate) entries: u64,
    /// How many of a hash's first bits tell its bucket.
    bits: u32,
}

impl Run {
    /// A run of so many entries.
    pub(crate) fn new(number: u32, entries: u64) -> Self {
        Self { number, entries, bits: (entries / BUCKET_ENTRIES).checked_ilog2().unwrap_or(0).min(30) }
    }

    pub(crate) fn bucket_count(self) -> u32 {
        1 << self.bits
    }

    pub(crate) fn bucket_of(self, hash: u64) -> u32 {
        let first_bits = hash.checked_shr(u64::BITS - self.bits).unwrap_or(0);
        u32::try_from(first_bits).expect("there are at most 30 bits")
    }
}

/// Writes a run, entry by entry.
pub(crate) struct RunWriter {
    run: Run,
    bucket: u32,
    gathered: Bucket,
    /// Hashes of the buckets of one filter.
    hashes: Vec<u64>,
}

impl RunWriter {
    pub(crate) fn new(run: Run) -> Self {
        Self { run, bucket: 0, gathered: Bucket::default(), hashes: Vec::new() }
    }

    /// Puts an entry, whose hash is above all before.
    pub(crate) fn push(&mut self, to: &PageStore, version: u64, hash: u64, place: Place) -> Result<(), ViewsError> {
        let bucket = self.run.bucket_of(hash);
        while self.bucket < bucket {
            self.write_bucket(to, version)?;
        }
        self.gathered.push(hash, place);
        Ok(())
    }

    /// Writes what is gathered.
    pub(crate) fn finish(mut self, to: &PageStore, version: u64) -> Result<Run, ViewsError> {
        while self.bucket < self.run.bucket_count() {
            self.write_bucket(to, version)?;
        }
        Ok(self.run)
    }

    fn write_bucket(&mut self, to: &PageStore, version: u64) -> Result<(), ViewsError> {
        let bucket = std::mem::take(&mut self.gathered);
        self.hashes.extend(bucket.hashes());
        to.write(&PageId::Bucket { run: self.run.number, bucket: self.bucket }, version, &bucket.encode())?;
        self.bucket += 1;
        if self.bucket.is_multiple_of(GROUP_BUCKETS) || self.bucket == self.run.bucket_count() {
            let filter = Filter::of(&std::mem::take(&mut self.hashes));
            let group = (self.bucket - 1) / GROUP_BUCKETS;
            to.write(&PageId::Filter { run: self.run.number, group }, version, &filter.encode())?;
        }
        Ok(())
    }
}
