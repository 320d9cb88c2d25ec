//! A node of a list.

use crate::list::columns::Reader;
use crate::list::counts::CodeCounts;
use crate::list::inner::Inner;
use crate::list::keys::Key;
use crate::list::leaf::Leaf;

const LEAF: u8 = 0;
const INNER: u8 = 1;

/// A node of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Leaf(Leaf),
    Inner(Inner),
}

impl Node {
    /// How many entries there are at or below it.
    pub(crate) fn total(&self) -> u64 {
        match self {
            Self::Leaf(leaf) => leaf.len() as u64,
            Self::Inner(inner) => inner.total(),
        }
    }

    /// Not greater than any key at or below it, which is not empty.
    pub(crate) fn low(&self) -> Key<'_> {
        match self {
            Self::Leaf(leaf) => leaf.keys.get(0),
            Self::Inner(inner) => inner.lows.get(0),
        }
    }

    pub(crate) fn counts(&self) -> CodeCounts {
        match self {
            Self::Leaf(leaf) => leaf.counts(),
            Self::Inner(inner) => inner.counts.sum(),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Leaf(leaf) => leaf.size_bytes(),
                Self::Inner(inner) => inner.size_bytes(),
            }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size_bytes());
        match self {
            Self::Leaf(leaf) => {
                bytes.push(LEAF);
                leaf.encode(&mut bytes);
            }
            Self::Inner(inner) => {
                bytes.push(INNER);
                inner.encode(&mut bytes);
            }
        }
        bytes
    }

    /// `None` where the bytes are no node.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let node = match from.byte()? {
            LEAF => Self::Leaf(Leaf::decode(&mut from)?),
            INNER => Self::Inner(Inner::decode(&mut from)?),
            _ => return None,
        };
        from.0.is_empty().then_some(node)
    }
}
