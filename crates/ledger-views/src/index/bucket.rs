//! A page of a run: entries whose hashes begin alike.

use crate::place::Place;

const ENTRY_BYTES: usize = 16;

/// Entries by rising hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket(Vec<(u64, Place)>);

impl Bucket {
    /// The place of a hash. O(log n).
    pub(crate) fn find(&self, hash: u64) -> Option<Place> {
        self.0.binary_search_by_key(&hash, |(hash, _)| *hash).ok().map(|at| self.0[at].1)
    }

    pub(crate) fn get(&self, at: usize) -> Option<(u64, Place)> {
        self.0.get(at).copied()
    }

    /// Puts an entry behind all others.
    pub(crate) fn push(&mut self, hash: u64, place: Place) {
        self.0.push((hash, place));
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(hash, _)| *hash)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.capacity() * ENTRY_BYTES
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(hash, place)| [hash.to_le_bytes(), place.number().to_le_bytes()]).flatten().collect()
    }

    /// `None` where the bytes are no bucket.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("it is eight bytes"));
        let entries =
            bytes.chunks_exact(ENTRY_BYTES).map(|entry| (word(&entry[..8]), Place::of_number(word(&entry[8..]))));
        let bucket = Self(entries.collect());
        (bytes.len().is_multiple_of(ENTRY_BYTES) && bucket.0.is_sorted_by_key(|(hash, _)| *hash)).then_some(bucket)
    }
}
