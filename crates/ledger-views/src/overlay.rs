//! Changes in memory, over what lies in pages.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_event::JsonText;
use rustc_hash::FxHashMap;

use crate::list::node::Node;
use crate::names::ScopeName;
use crate::pages::NodeId;
use crate::place::Place;
use crate::scope::Scope;
use crate::stats::Quarter;

/// About what a place in a map takes beside the row.
const ENTRY_BYTES: usize = 100;

/// Changes in memory, over what lies in pages: whatever is here goes before what is there.
///
/// Names come from outside, and have a hash that nobody can foresee; numbers and keyed hashes need none.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) scopes: HashMap<ScopeName, Arc<Scope>>,
    /// Nodes of lists; one that was removed is `None`.
    pub(crate) nodes: FxHashMap<NodeId, Option<Arc<Node>>>,
    /// Deliveries as rows of blocks: a fraction of what they take decoded, and to be written as they are.
    pub(crate) records: FxHashMap<Place, Box<[u8]>>,
    pub(crate) payloads: FxHashMap<Place, Option<Arc<JsonText>>>,
    pub(crate) quarters: FxHashMap<QuarterId, Arc<Quarter>>,
    /// Deliveries that are not in the index yet, by hash.
    pub(crate) places: FxHashMap<u64, Place>,
    size_bytes: usize,
}

/// Which quarter of an hour of which scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QuarterId {
    pub(crate) scope: u32,
    /// Quarters of an hour since 1970.
    pub(crate) quarter: i32,
}

impl Overlay {
    /// No changes, with room for about as many as there are in another one.
    pub(crate) fn like(other: &Self) -> Self {
        let mut overlay = Self::default();
        overlay.nodes.reserve(other.nodes.len());
        overlay.payloads.reserve(other.payloads.len());
        overlay.quarters.reserve(other.quarters.len());
        overlay.places.reserve(other.places.len());
        overlay
    }

    /// Takes newer changes in.
    pub(crate) fn absorb(&mut self, newer: Overlay) {
        for (name, scope) in newer.scopes {
            let size = scope.size_bytes();
            let old = self.scopes.insert(name, scope);
            self.resize(old.map_or(0, |old| old.size_bytes()), size);
        }
        let node_size = |node: &Option<Arc<Node>>| node.as_ref().map_or(size_of::<NodeId>(), |node| node.size_bytes());
        for (id, node) in newer.nodes {
            let size = node_size(&node);
            let old = self.nodes.insert(id, node);
            self.resize(old.as_ref().map_or(0, node_size), size);
        }
        for (place, record) in newer.records {
            let size = record.len() + ENTRY_BYTES;
            let old = self.records.insert(place, record);
            self.resize(old.map_or(0, |old| old.len() + ENTRY_BYTES), size);
        }
        let payload_size = |payload: &Option<Arc<JsonText>>| payload.as_ref().map_or(0, |text| text.as_str().len());
        for (place, payload) in newer.payloads {
            let size = payload_size(&payload) + ENTRY_BYTES;
            let old = self.payloads.insert(place, payload);
            self.resize(old.as_ref().map_or(0, |old| payload_size(old) + ENTRY_BYTES), size);
        }
        for (id, quarter) in newer.quarters {
            let size = quarter.size_bytes() + ENTRY_BYTES;
            let old = self.quarters.insert(id, quarter);
            self.resize(old.map_or(0, |old| old.size_bytes() + ENTRY_BYTES), size);
        }
        self.places.extend(newer.places);
    }

    /// How many things changed that go into pages.
    pub(crate) fn items(&self) -> usize {
        self.scopes.len() + self.nodes.len() + self.records.len() + self.payloads.len() + self.quarters.len()
    }

    fn resize(&mut self, old: usize, new: usize) {
        self.size_bytes = self.size_bytes + new - old.min(self.size_bytes);
    }

    /// About how much memory it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}
