//! Which hashes a part of a run certainly does not hold.
//!
//! A split block Bloom filter, as Apache Parquet specifies it (`BloomFilter.md`, after Putze, Sanders and Singler,
//! "Cache-, Hash- and Space-Efficient Bloom Filters"): a hash sets one bit in each of eight words that lie together. At
//! ten bits an entry about one in a hundred others is taken for one that is there.

/// How many buckets share a filter: it is a page of its own, of some ten kilobytes.
pub(crate) const GROUP_BUCKETS: u32 = 64;

const BITS_PER_ENTRY: usize = 10;
const BLOCK_WORDS: usize = 8;

/// One odd number per word, as specified.
const SALTS: [u32; BLOCK_WORDS] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The hashes of some buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(Vec<[u32; BLOCK_WORDS]>);

impl Filter {
    /// The filter of these hashes.
    pub(crate) fn of(hashes: &[u64]) -> Self {
        let blocks = (hashes.len() * BITS_PER_ENTRY).div_ceil(BLOCK_WORDS * 32).max(1);
        let mut filter = Self(vec![[0; BLOCK_WORDS]; blocks]);
        for hash in hashes {
            let block = filter.block_of(*hash);
            for (word, bit) in filter.0[block].iter_mut().zip(bits(*hash)) {
                *word |= bit;
            }
        }
        filter
    }

    /// `false` of a hash that is certainly not among them. O(1).
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        self.0[self.block_of(hash)].iter().zip(bits(hash)).all(|(word, bit)| word & bit != 0)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.len() * BLOCK_WORDS * size_of::<u32>()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// `None` where the bytes are no filter.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().expect("it is four bytes")));
        let words: Vec<u32> = words.collect();
        let blocks = words.chunks_exact(BLOCK_WORDS).map(|block| block.try_into().expect("it is eight words"));
        let filter = Self(blocks.collect());
        (!filter.0.is_empty() && filter.size_bytes() == bytes.len()).then_some(filter)
    }

    /// By the last bits: the first ones, by which buckets are told apart, are alike in all of its hashes.
    fn block_of(&self, hash: u64) -> usize {
        let scaled = (hash & 0xffff_ffff) * self.0.len() as u64;
        usize::try_from(scaled >> 32).expect("it is less than the length")
    }
}

fn bits(hash: u64) -> impl Iterator<Item = u32> {
    let key = u32::try_from(hash >> 32).expect("32 bits are left");
    SALTS.into_iter().map(move |salt| 1 << (key.wrapping_mul(salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes that begin alike, as those of a group do.
    fn hashes(from: u64) -> Vec<u64> {
        let mixed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (from..from + 30_000).map(|n| (mixed(n) >> 8) | (7 << 56)).collect()
    }

    #[test]
    fn what_is_there_is_found_and_of_the_rest_few() {
        let held = hashes(0);
        let filter = Filter::of(&held);
        assert!(held.iter().all(|hash| filter.may_hold(*hash)));
        let mistaken = hashes(1 << 40).into_iter().filter(|hash| filter.may_hold(*hash)).count();
        assert!(mistaken < 600, "{mistaken} of 30000");
        assert_eq!(Filter::decode(&filter.encode()).as_ref(), Some(&filter));
        assert_eq!(Filter::decode(&[0; 31]), None);
    }
}
