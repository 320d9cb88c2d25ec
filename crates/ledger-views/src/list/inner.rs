//! A node of a list's directory: for each child where it begins, how many entries are below it, and with which marks.

use crate::list::columns::{Reader, put_len};
use crate::list::counts::{CodeCounts, CountTable};
use crate::list::keys::{Key, Keys};

/// Most children of a node.
pub(crate) const INNER_MAX: usize = 128;

/// The directory of some nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inner {
    /// Of each child a key that is not above any below it.
    pub(crate) lows: Keys,
    pub(crate) nodes: Vec<u32>,
    pub(crate) totals: Vec<u64>,
    pub(crate) counts: CountTable,
}

impl Inner {
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn total(&self) -> u64 {
        self.totals.iter().sum()
    }

    /// The child whose range a key falls in: the last one that is not above it, else the first.
    pub(crate) fn child_of(&self, key: Key<'_>) -> usize {
        self.lows.search(key).unwrap_or_else(|at| at.saturating_sub(1))
    }

    /// Lets a child begin at a lower key.
    pub(crate) fn lower(&mut self, at: usize, key: Key<'_>) {
        if key < self.lows.get(at) {
            self.lows.remove(at);
            self.lows.insert(at, key);
        }
    }

    pub(crate) fn insert(&mut self, at: usize, low: Key<'_>, node: u32, total: u64, counts: &CodeCounts) {
        self.lows.insert(at, low);
        self.nodes.insert(at, node);
        self.totals.insert(at, total);
        self.counts.insert_row(at, counts);
    }

    /// Puts the right half of a child that was split behind it.
    pub(crate) fn split_child(&mut self, at: usize, low: Key<'_>, node: u32, total: u64, counts: &CodeCounts) {
        self.totals[at] -= total;
        self.lows.insert(at + 1, low);
        self.nodes.insert(at + 1, node);
        self.totals.insert(at + 1, total);
        self.counts.split_row(at, counts);
    }

    pub(crate) fn remove(&mut self, at: usize) {
        self.lows.remove(at);
        self.nodes.remove(at);
        self.totals.remove(at);
        self.counts.remove_row(at);
    }

    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        Self {
            lows: self.lows.split_off(at),
            nodes: self.nodes.split_off(at),
            totals: self.totals.split_off(at),
            counts: self.counts.split_off(at),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let columns = self.nodes.capacity() * size_of::<u32>() + self.totals.capacity() * size_of::<u64>();
        self.lows.size_bytes() + columns + self.counts.size_bytes()
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        self.lows.encode(bytes);
        put_len(bytes, self.len());
        bytes.extend(self.nodes.iter().flat_map(|node| node.to_le_bytes()));
        bytes.extend(self.totals.iter().flat_map(|total| total.to_le_bytes()));
        self.counts.encode(bytes);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let lows = Keys::decode(from)?;
        let len = from.len()?;
        let nodes = from.numbers(len, u32::from_le_bytes)?;
        let totals = from.numbers(len, u64::from_le_bytes)?;
        let counts = CountTable::decode(from, len)?;
        (lows.len() == len && len > 0).then_some(Self { lows, nodes, totals, counts })
    }
}
