//! A block of rows: the bytes of each, found by its slot without reading the others.
//!
//! ```text
//! count u32, the end of each row u32, the rows one behind the other (little-endian)
//! ```
//! A row of no bytes is none.

use std::collections::BTreeMap;

use crate::place::BLOCK_LEN;

const WORD: usize = size_of::<u32>();

/// A block of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block(Vec<u8>);

impl Block {
    /// A block with the rows of another one, and those that changed in their stead.
    pub(crate) fn merged<R: AsRef<[u8]>>(old: Option<&Self>, changed: &BTreeMap<usize, R>) -> Self {
        let old_len = old.map_or(0, Self::len);
        let len = changed.last_key_value().map_or(0, |(slot, _)| slot + 1).max(old_len);
        let row = |slot| changed.get(&slot).map_or_else(|| old.map_or(&[][..], |old| old.get(slot)), AsRef::as_ref);
        let mut bytes = Vec::with_capacity(WORD * (len + 1) + (0..len).map(|slot| row(slot).len()).sum::<usize>());
        let word =
            |number: usize| u32::try_from(number).expect("a block is bounded by the limits of events").to_le_bytes();
        bytes.extend(word(len));
        let mut end = 0;
        for slot in 0..len {
            end += row(slot).len();
            bytes.extend(word(end));
        }
        (0..len).for_each(|slot| bytes.extend_from_slice(row(slot)));
        Self(bytes)
    }

    /// `None` where the bytes are no block.
    pub(crate) fn decode(bytes: Vec<u8>) -> Option<Self> {
        let block = Self(bytes);
        let words = block.0.len() / WORD;
        if words == 0 || block.len() >= words {
            return None;
        }
        let ends = (0..=block.len()).map(|slot| block.end(slot));
        let is_whole = block.0.len() == WORD * (block.len() + 1) + block.end(block.len());
        (ends.is_sorted() && is_whole).then_some(block)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A row; empty where there is none.
    pub(crate) fn get(&self, slot: usize) -> &[u8] {
        if slot >= self.len() {
            return &[];
        }
        let start = WORD * (self.len() + 1);
        &self.0[start + self.end(slot)..start + self.end(slot + 1)]
    }

    /// Whether it has its last row, so that no further delivery comes into it.
    pub(crate) fn is_full(&self) -> bool {
        self.len() == BLOCK_LEN as usize
    }

    fn len(&self) -> usize {
        self.word(0)
    }

    /// Where the rows before that slot end.
    fn end(&self, slot: usize) -> usize {
        if slot == 0 { 0 } else { self.word(slot) }
    }

    fn word(&self, at: usize) -> usize {
        match self.0.get(WORD * at..WORD * (at + 1)) {
            Some(word) => u32::from_le_bytes(word.try_into().expect("it is four bytes")) as usize,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_block_holds_the_last_of_each_row(
            first in prop::collection::btree_map(0..70_usize, prop::collection::vec(any::<u8>(), 0..9), 0..40),
            second in prop::collection::btree_map(0..70_usize, prop::collection::vec(any::<u8>(), 0..9), 0..40),
        ) {
            let block = Block::merged(None, &first);
            let block = Block::merged(Some(&block), &second);
            let read = Block::decode(block.as_bytes().to_vec());
            prop_assert_eq!(read.as_ref(), Some(&block));
            for slot in 0..80 {
                let expected = second.get(&slot).or_else(|| first.get(&slot)).map_or(&[][..], Vec::as_slice);
                prop_assert_eq!(block.get(slot), expected);
            }
        }

        #[test]
        fn bytes_that_are_no_block_are_refused_without_a_panic(bytes in prop::collection::vec(0..20_u8, 0..200)) {
            if let Some(block) = Block::decode(bytes) {
                (0..80).for_each(|slot| { block.get(slot); });
            }
        }
    }
}
