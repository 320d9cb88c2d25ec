//! The index of deliveries: from the hash of what names one to its [`Place`](crate::place::Place).
//!
//! A log-structured merge tree. New entries come in **runs**: each set of pages brings one, sorted by hash. Hashes are
//! even, so a run is cut into buckets by their first bits and an entry is found in the one page that may hold it. Runs of
//! about the same size are merged, a bounded piece per set of pages, so n entries lie in O(log n) runs and each is
//! written O(log n) times. Beside a run stand filters, small enough to stay in the cache, by which a delivery that is new
//! is known to be new without reading any bucket.
//!
//! A hash stands for at most one delivery: whose hash is taken by another one takes the next number. So it is exact
//! whatever the hashes are; they are keyed, so that nobody can choose ids that collide.

mod bucket;
mod filter;
mod hash;
mod merge;
mod run;

pub(crate) use bucket::Bucket;
pub(crate) use filter::{Filter, GROUP_BUCKETS};
pub(crate) use hash::HashKey;
pub(crate) use merge::{Merge, PIECE_ENTRIES};
pub(crate) use run::{Run, RunWriter};

#[cfg(test)]
mod tests;
