//! The views in their folder: opened together, shared by the readers and the writer.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::list_tree::{ListRoot, Node};
use crate::read_model::ReadModel;
use crate::writer::ViewWriter;
use crate::{ListId, keys, rows};

/// The layout of the rows. Views of another layout are made anew from the log.
const LAYOUT_VERSION: u32 = 1;

/// The layout of views that were given up: no version has it.
const LAYOUT_INVALID: u32 = 0;

/// sled keeps an item inline up to a quarter of this, and moves larger ones, and leaves of several large
/// ones, to files that it never syncs. Changing it makes existing views unreadable.
const SLED_SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// How long a file that was just closed may still be held.
const RELEASE_MAX: Duration = Duration::from_secs(1);

const RELEASE_POLL: Duration = Duration::from_millis(5);

/// How views are opened.
#[derive(Clone, Copy, Debug)]
pub struct ViewsOptions {
    /// The size of sled's cache, in bytes.
    pub cache_bytes: u64,
}

/// The views, opened.
#[derive(Debug)]
pub struct Views {
    /// Answers from them. Clones share the views.
    pub reader: ReadModel,
    /// The one writer.
    pub writer: ViewWriter,
}

/// What can go wrong with views. They can always be made anew from the log.
#[derive(Debug, thiserror::Error)]
pub enum ViewsError {
    /// They cannot be opened.
    #[error("cannot open the views")]
    Open(#[source] sled::Error),
    /// The storage engine panicked over what it found.
    #[error("the storage engine of the views gave up on what it found")]
    EnginePanicked,
    /// They are of another layout than this version's.
    #[error("the views have layout {found}, this version reads layout {LAYOUT_VERSION}")]
    Layout {
        /// The layout found.
        found: u32,
    },
    /// A read failed.
    #[error("cannot read the views")]
    Read(#[source] sled::Error),
    /// A commit failed.
    #[error("cannot write the views")]
    Write(#[source] sled::Error),
    /// A row cannot be decoded.
    #[error("the row {key} of the views cannot be decoded")]
    Row {
        /// Its key.
        key: String,
        /// Why.
        source: rmp_serde::decode::Error,
    },
    /// A row is missing or is not what another one says.
    #[error("the row {key} of the views is damaged")]
    Damaged {
        /// Its key.
        key: String,
    },
}

impl ViewsError {
    pub(crate) fn damaged(key: &[u8]) -> Self {
        Self::Damaged { key: key.escape_ascii().to_string() }
    }

    /// Whether views that fail so are mended by making them anew: they are damaged or of another
    /// layout, rather than on a disk that is full or out of reach.
    #[must_use]
    pub fn is_mended_by_rebuild(&self) -> bool {
        match self {
            Self::EnginePanicked | Self::Layout { .. } | Self::Row { .. } | Self::Damaged { .. } => true,
            Self::Open(error) | Self::Read(error) | Self::Write(error) => match error {
                sled::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
                sled::Error::Corruption { .. }
                | sled::Error::ReportableBug(_)
                | sled::Error::Unsupported(_)
                | sled::Error::CollectionNotFound(_) => true,
            },
        }
    }
}

impl Views {
    /// Opens the views in a folder, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When sled cannot open it, or it has another layout: then the folder can be deleted and the
    /// views made anew.
    pub fn open(dir: &Path, options: ViewsOptions) -> Result<Self, ViewsError> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(options.cache_bytes)
            .segment_size(SLED_SEGMENT_BYTES)
            .mode(sled::Mode::HighThroughput);
        let (db, tree) = guarded(|| {
            let db = open_released(&config).map_err(ViewsError::Open)?;
            let tree = db.open_tree("views").map_err(ViewsError::Open)?;
            check_layout(&tree)?;
            Ok((db, tree))
        })?;
        let checkpoint: Checkpoint = match rows::get(&tree, keys::CHECKPOINT)? {
            Some(row) => rows::decode(keys::CHECKPOINT, &row)?,
            None => Checkpoint::default(),
        };
        let shared =
            Arc::new(Shared { db, tree, commit: RwLock::default(), checkpoint: watch::Sender::new(checkpoint) });
        Ok(Self { reader: ReadModel::new(Arc::clone(&shared)), writer: ViewWriter::new(shared) })
    }
}

/// Opens sled, which after it was closed holds its file for a moment yet: threads of its own end in the background.
fn open_released(config: &sled::Config) -> sled::Result<sled::Db> {
    let deadline = Instant::now() + RELEASE_MAX;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock") && Instant::now() < deadline =>
            {
                std::thread::sleep(RELEASE_POLL);
            }
            opened => return opened,
        }
    }
}

fn check_layout(tree: &sled::Tree) -> Result<(), ViewsError> {
    match rows::get(tree, keys::LAYOUT)? {
        Some(row) => match rows::decode(keys::LAYOUT, &row)? {
            LAYOUT_VERSION => Ok(()),
            found => Err(ViewsError::Layout { found }),
        },
        None => write_layout(tree, LAYOUT_VERSION),
    }
}

fn write_layout(tree: &sled::Tree, version: u32) -> Result<(), ViewsError> {
    let mut batch = sled::Batch::default();
    rows::put(&mut batch, tree, keys::LAYOUT, &rows::encode(&version))?;
    tree.apply_batch(batch).map_err(ViewsError::Write)
}

/// Runs work of sled's, which on damaged files may panic where it should fail.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, ViewsError>) -> Result<T, ViewsError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ViewsError::EnginePanicked))
}

/// What readers and writer share.
///
/// A reader holds the read side of `commit` for the whole of an answer, the writer its write side while a batch is
/// applied and the checkpoint moved on: so an answer never mixes two commits, and the position that it names is
/// that of its rows.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) db: sled::Db,
    pub(crate) tree: sled::Tree,
    commit: RwLock<()>,
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

    /// Makes the next opening find views that must be rebuilt.
    pub(crate) fn invalidate(&self) -> Result<(), ViewsError> {
        guarded(|| {
            write_layout(&self.tree, LAYOUT_INVALID)?;
            self.db.flush().map(drop).map_err(ViewsError::Write)
        })
    }

    pub(crate) fn row<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ViewsError> {
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

#[cfg(test)]
mod tests;
