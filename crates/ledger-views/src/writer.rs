//! The one writer of the views.
//!
//! Changes gather in memory and become visible and durable together, with the checkpoint, when they
//! are committed. What is gathered is bounded by how many events the caller folds into one commit.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_event::{JsonText, Position};

use crate::checkpoint::Checkpoint;
use crate::error::{ViewsError, guarded};
use crate::keys;
use crate::list::{ListEntry, ListId};
use crate::list_tree::{ListRoot, Node, Nodes, NodesMut};
use crate::names::{DeliveryKey, SubscriptionKey};
use crate::read_model::ReadModel;
use crate::rows;
use crate::shared::Shared;
use crate::state::DeliveryState;
use crate::stats::Stats;

/// The one writer of the views.
#[derive(Debug)]
pub struct ViewWriter {
    shared: Arc<Shared>,
    deliveries: HashMap<DeliveryKey, DeliveryState>,
    payloads: HashMap<DeliveryKey, Option<JsonText>>,
    stats: HashMap<SubscriptionKey, Stats>,
    lists: HashMap<ListId, PendingList>,
}

/// A list with what changed of it; a node that was removed is `None`.
#[derive(Debug)]
struct PendingList {
    root: ListRoot,
    nodes: HashMap<u64, Option<Node>>,
}

impl ViewWriter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            deliveries: HashMap::new(),
            payloads: HashMap::new(),
            stats: HashMap::new(),
            lists: HashMap::new(),
        }
    }

    /// The checkpoint of the last commit.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        *self.shared.checkpoint.borrow()
    }

    /// The state of a delivery, to be changed, and whether this is the first that is heard of it.
    ///
    /// A new one has `first_position`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn delivery_mut(
        &mut self,
        key: &DeliveryKey,
        first_position: Position,
    ) -> Result<(&mut DeliveryState, bool), ViewsError> {
        let mut is_new = false;
        if !self.deliveries.contains_key(key) {
            let stored = self.shared.row(&keys::delivery(key))?;
            is_new = stored.is_none();
            let state = stored.unwrap_or_else(|| DeliveryState::new(first_position));
            self.deliveries.insert(key.clone(), state);
        }
        Ok((self.deliveries.get_mut(key).expect("it was just put there"), is_new))
    }

    /// Puts the payload of a delivery, or takes it away.
    pub fn put_payload(&mut self, key: DeliveryKey, payload: Option<JsonText>) {
        self.payloads.insert(key, payload);
    }

    /// The stats of a subscription, to be changed.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn stats_mut(&mut self, key: &SubscriptionKey) -> Result<&mut Stats, ViewsError> {
        if !self.stats.contains_key(key) {
            let stats = self.shared.row(&keys::stats(key))?.unwrap_or_default();
            self.stats.insert(key.clone(), stats);
        }
        Ok(self.stats.get_mut(key).expect("it was just put there"))
    }

    /// Puts an entry into a list; `false` when it stands there already.
    ///
    /// # Errors
    ///
    /// When the list cannot be read.
    pub fn insert_entry(&mut self, list: &ListId, entry: ListEntry) -> Result<bool, ViewsError> {
        self.change_list(list, |root, nodes| root.insert(nodes, entry))
    }

    /// Takes an entry out of a list; `false` when it does not stand there.
    ///
    /// # Errors
    ///
    /// When the list cannot be read.
    pub fn remove_entry(&mut self, list: &ListId, entry: &ListEntry) -> Result<bool, ViewsError> {
        self.change_list(list, |root, nodes| root.remove(nodes, entry))
    }

    fn change_list<T>(
        &mut self,
        list: &ListId,
        change: impl FnOnce(&mut ListRoot, &mut PendingNodes<'_>) -> Result<T, ViewsError>,
    ) -> Result<T, ViewsError> {
        if !self.lists.contains_key(list) {
            let root = self.shared.list_root(list)?;
            self.lists.insert(list.clone(), PendingList { root, nodes: HashMap::new() });
        }
        let pending = self.lists.get_mut(list).expect("it was just put there");
        let mut nodes = PendingNodes { shared: &self.shared, list, changed: &mut pending.nodes };
        change(&mut pending.root, &mut nodes)
    }

    /// Makes all changes visible together, and durable in order: after a crash the views stand at this
    /// checkpoint or at an earlier one.
    ///
    /// # Errors
    ///
    /// When they cannot be written. The changes are lost then, and the writer is of no more use.
    pub fn commit(&mut self, checkpoint: Checkpoint) -> Result<(), ViewsError> {
        let shared = Arc::clone(&self.shared);
        let batch = guarded(|| self.take_batch(checkpoint))?;
        shared.commit(batch, checkpoint)
    }

    fn take_batch(&mut self, checkpoint: Checkpoint) -> Result<sled::Batch, ViewsError> {
        let (tree, mut batch) = (&self.shared.tree, sled::Batch::default());
        for (key, state) in self.deliveries.drain() {
            rows::put(&mut batch, tree, &keys::delivery(&key), &rows::encode(&state))?;
        }
        for (key, payload) in self.payloads.drain() {
            match payload {
                Some(payload) => rows::put(&mut batch, tree, &keys::payload(&key), payload.as_str().as_bytes())?,
                None => rows::remove(&mut batch, tree, &keys::payload(&key))?,
            }
        }
        for (key, stats) in self.stats.drain() {
            rows::put(&mut batch, tree, &keys::stats(&key), &rows::encode(&stats))?;
        }
        for (list, pending) in self.lists.drain() {
            rows::put(&mut batch, tree, &keys::list_root(&list), &rows::encode(&pending.root))?;
            for (number, node) in pending.nodes {
                let key = keys::list_node(&list, number);
                match node {
                    Some(node) => rows::put(&mut batch, tree, &key, &rows::encode(&node))?,
                    None => rows::remove(&mut batch, tree, &key)?,
                }
            }
        }
        rows::put(&mut batch, tree, keys::CHECKPOINT, &rows::encode(&checkpoint))?;
        Ok(batch)
    }

    /// Gives the views up: they are damaged, and the next opening finds that they must be rebuilt.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn give_up(&self) -> Result<(), ViewsError> {
        self.shared.generation.give_up()
    }

    /// Writes what is committed to the disk, so that less is to be folded again at the next start.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&self) -> Result<(), ViewsError> {
        self.shared.flush()
    }

    /// Makes these views the current ones of their folder, durably. `live` and all its clones answer from them from
    /// now on; the old ones are removed when the last answer from them is given.
    ///
    /// Without `live` nobody may have the old ones open, and they are removed at once. Views that have not come as
    /// far as `live` would take its readers back: that is for the caller to see to.
    ///
    /// # Errors
    ///
    /// When it cannot be written: then the old ones go on.
    pub fn take_place_of(&self, live: Option<&ReadModel>) -> Result<(), ViewsError> {
        self.shared.flush()?;
        self.shared.generation.make_current()?;
        match live {
            Some(live) => live.switch_to(Arc::clone(&self.shared)),
            None => self.shared.generation.remove_others(),
        }
        Ok(())
    }
}

/// The nodes of a list, with what is not committed yet.
struct PendingNodes<'a> {
    shared: &'a Shared,
    list: &'a ListId,
    changed: &'a mut HashMap<u64, Option<Node>>,
}

impl Nodes for PendingNodes<'_> {
    type Error = ViewsError;

    fn node(&mut self, number: u64) -> Result<Node, ViewsError> {
        match self.changed.get(&number) {
            Some(Some(node)) => Ok(node.clone()),
            Some(None) => Err(ViewsError::damaged(&keys::list_node(self.list, number))),
            None => self.shared.list_node(self.list, number),
        }
    }
}

impl NodesMut for PendingNodes<'_> {
    fn put(&mut self, number: u64, node: Node) {
        self.changed.insert(number, Some(node));
    }

    fn remove(&mut self, number: u64) {
        self.changed.insert(number, None);
    }
}
