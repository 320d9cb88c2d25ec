//! What readers and writer share.

use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::error::{ViewsError, guarded};
use crate::generations::Generation;
use crate::list_tree::{ListRoot, Node};
use crate::{ListId, keys, rows};

/// What readers and writer share.
///
/// A reader holds the read side of `commit` for the whole of an answer, the writer its write side while a batch is
/// applied and the checkpoint moved on: so an answer never mixes two commits, and the position that it names is
/// that of its rows.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) db: sled::Db,
    pub(crate) tree: sled::Tree,
    pub(crate) commit: RwLock<()>,
    pub(crate) checkpoint: watch::Sender<Checkpoint>,
    // After sled, which is closed when its folder goes.
    pub(crate) generation: Generation,
}

impl Shared {
    /// Reads rows of one commit.
    pub(crate) fn read<T>(&self, read: impl FnOnce(Checkpoint) -> Result<T, ViewsError>) -> Result<T, ViewsError> {
        let _commit = self.commit.read().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = *self.checkpoint.borrow();
        guarded(|| read(checkpoint))
    }

    /// Publishes a commit.
    pub(crate) fn commit(&self, batch: sled::Batch, checkpoint: Checkpoint) -> Result<(), ViewsError> {
        let _commit = self.commit.write().unwrap_or_else(PoisonError::into_inner);
        guarded(|| self.tree.apply_batch(batch).map_err(ViewsError::Write))?;
        self.checkpoint.send_replace(checkpoint);
        Ok(())
    }

    /// Writes what is committed to the disk.
    pub(crate) fn flush(&self) -> Result<(), ViewsError> {
        guarded(|| self.db.flush().map(drop).map_err(ViewsError::Write))
    }

    pub(crate) fn row<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ViewsError> {
        rows::get(&self.tree, key)?.map(|row| rows::decode(key, &row)).transpose()
    }

    pub(crate) fn list_root(&self, list: &ListId) -> Result<ListRoot, ViewsError> {
        Ok(self.row(&keys::list_root(list))?.unwrap_or_default())
    }

    pub(crate) fn list_node(&self, list: &ListId, number: u64) -> Result<Node, ViewsError> {
        let key = keys::list_node(list, number);
        self.row(&key)?.ok_or_else(|| ViewsError::damaged(&key))
    }
}
