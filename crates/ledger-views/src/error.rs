//! What can go wrong with views.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::layout::VERSION;

/// What can go wrong with views. They can always be made anew from the log.
#[derive(Debug, thiserror::Error)]
pub enum ViewsError {
    /// They cannot be opened.
    #[error("cannot open the views")]
    Open(#[source] sled::Error),
    /// The storage engine panicked over what it found.
    #[error("the storage engine of the views gave up on what it found")]
    EnginePanicked,
    /// They were found damaged before.
    #[error("the views were found damaged before, and given up")]
    GivenUp,
    /// The file that names them is damaged, or names a folder that is not there.
    #[error("the file that names the current views is damaged")]
    Current,
    /// Files beside their rows cannot be read or written.
    #[error("cannot read or write the folder of the views")]
    Files(#[source] std::io::Error),
    /// They are of another layout than this version's.
    #[error("the views have layout {found}, this version reads layout {VERSION}")]
    Layout {
        /// The layout found.
        found: u32,
    },
    /// A read failed.
    #[error("cannot read the views")]
    Read(#[source] sled::Error),
    /// Only what is in memory was asked for, and it is not all there.
    #[error("what is asked for is not in memory")]
    NotCached,
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
    /// A delivery does not stand in the lists as its row says.
    #[error("a delivery does not stand in the lists of the views as its row says")]
    Lists,
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

    /// Whether views that fail so are mended by a rebuild: they are damaged, of another layout, or half written, rather
    /// than out of reach.
    #[must_use]
    pub fn is_mended_by_rebuild(&self) -> bool {
        match self {
            Self::EnginePanicked
            | Self::GivenUp
            | Self::Current
            | Self::Layout { .. }
            | Self::Row { .. }
            | Self::Lists
            | Self::Damaged { .. }
            | Self::Write(_) => true,
            Self::Files(_) | Self::NotCached => false,
            Self::Open(error) | Self::Read(error) => match error {
                sled::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
                sled::Error::Corruption { .. }
                | sled::Error::ReportableBug(_)
                | sled::Error::Unsupported(_)
                | sled::Error::CollectionNotFound(_) => true,
            },
        }
    }
}

/// Runs work of sled's, which on damaged files may panic where it should fail.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, ViewsError>) -> Result<T, ViewsError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ViewsError::EnginePanicked))
}
