//! What readers and writer share.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::error::{ViewsError, guarded};
use crate::list_tree::{ListRoot, Node};
use crate::{ListId, keys, rows};

/// The file that marks views as given up.
pub(crate) const GIVEN_UP: &str = "GIVEN_UP";

/// What readers and writer share.
///
/// A reader holds the read side of `commit` for the whole of an answer, the writer its write side while a batch is
/// applied and the checkpoint moved on: so an answer never mixes two commits, and the position that it names is
/// that of its rows.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) db: sled::Db,
    pub(crate) tree: sled::Tree,
    pub(crate) commit: RwLock<()>,
    pub(crate) checkpoint: watch::Sender<Checkpoint>,
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

    /// Makes the next opening find views that must be rebuilt: by a file beside sled's, which may be what failed.
    pub(crate) fn give_up(&self) -> Result<(), ViewsError> {
        let marked = File::create(self.dir.join(GIVEN_UP)).and_then(|marker| {
            marker.sync_all()?;
            File::open(&self.dir)?.sync_all()
        });
        marked.map_err(ViewsError::GiveUp)
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
