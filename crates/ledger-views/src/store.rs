//! The views in their folder: opened together, shared by the readers and the writer.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::list_tree::{ListRoot, Node};
use crate::read_model::ReadModel;
use crate::writer::ViewWriter;
use crate::{ListId, keys, rows};

/// The layout of the rows. Views of another layout are made anew from the log.
const LAYOUT_VERSION: u32 = 1;

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
    /// Opening them broke off.
    #[error("cannot open the views: the storage engine gave up on what it found")]
    OpenPanicked,
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
    /// Whether views that fail so are mended by making them anew: they are damaged or of another
    /// layout, rather than on a disk that is full or out of reach.
    #[must_use]
    pub fn is_mended_by_rebuild(&self) -> bool {
        match self {
            Self::OpenPanicked | Self::Layout { .. } | Self::Row { .. } | Self::Damaged { .. } => true,
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
        let config = sled::Config::new().path(dir).cache_capacity(options.cache_bytes).mode(sled::Mode::HighThroughput);
        // On damaged files sled 0.34 may panic where it should fail.
        let db = catch_unwind(AssertUnwindSafe(|| config.open()))
            .map_err(|_| ViewsError::OpenPanicked)?
            .map_err(ViewsError::Open)?;
        let tree = db.open_tree("views").map_err(ViewsError::Open)?;
        check_layout(&tree)?;
        let checkpoint: Checkpoint = match rows::get(&tree, keys::CHECKPOINT)? {
            Some(row) => rows::decode(keys::CHECKPOINT, &row)?,
            None => Checkpoint::default(),
        };
        let (position, _) = watch::channel(checkpoint.position);
        let shared = Arc::new(Shared { db, tree, checkpoint: RwLock::new(checkpoint), position });
        Ok(Self { reader: ReadModel::new(Arc::clone(&shared)), writer: ViewWriter::new(shared) })
    }
}

fn check_layout(tree: &sled::Tree) -> Result<(), ViewsError> {
    match rows::get(tree, keys::LAYOUT)? {
        Some(row) => match rows::decode(keys::LAYOUT, &row)? {
            LAYOUT_VERSION => Ok(()),
            found => Err(ViewsError::Layout { found }),
        },
        None => {
            let mut batch = sled::Batch::default();
            rows::put(&mut batch, keys::LAYOUT, &rows::encode(&LAYOUT_VERSION));
            tree.apply_batch(batch).map_err(ViewsError::Write)
        }
    }
}

/// What readers and writer share.
///
/// A reader holds the checkpoint's read side for the whole of an answer, the writer its write side while a
/// batch is applied: so an answer never mixes two commits, and the position that it names is that of its rows.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) db: sled::Db,
    pub(crate) tree: sled::Tree,
    pub(crate) checkpoint: RwLock<Checkpoint>,
    pub(crate) position: watch::Sender<ledger_event::Position>,
}

impl Shared {
    pub(crate) fn row<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ViewsError> {
        rows::get(&self.tree, key)?.map(|row| rows::decode(key, &row)).transpose()
    }

    pub(crate) fn list_root(&self, list: &ListId) -> Result<ListRoot, ViewsError> {
        Ok(self.row(&keys::list_root(list))?.unwrap_or_default())
    }

    pub(crate) fn list_node(&self, list: &ListId, number: u64) -> Result<Node, ViewsError> {
        let key = keys::list_node(list, number);
        self.row(&key)?.ok_or_else(|| ViewsError::Damaged { key: key.escape_ascii().to_string() })
    }
}
