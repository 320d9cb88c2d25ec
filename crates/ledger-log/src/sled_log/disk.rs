//! What the committer needs of a disk.

use std::path::{Path, PathBuf};

use ledger_event::Position;

use super::journal::Journal;
use super::{clean_end, store};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::BoxError;

/// Takes chunks, and makes those it took durable. After an error of any of this, nothing that was written
/// since the last sync may be taken for durable, nor may anything be written on top of it.
pub(crate) trait Disk: Send {
    /// Writes a chunk, which ends at that position.
    fn write(&mut self, chunk: &EncodedChunk, last: Position) -> Result<(), BoxError>;

    /// Makes all that was written survive power loss.
    fn sync(&mut self) -> Result<(), BoxError>;

    /// Puts a chunk, which is durable, where readers find it.
    fn store(&mut self, chunk: &EncodedChunk) -> Result<(), BoxError>;

    /// Leaves as little as possible to do at the next opening, and tells it that all is in good order. Nothing is written
    /// after it.
    fn close(&mut self) -> Result<(), BoxError>;
}

/// The journal, and sled behind it.
pub(crate) struct SledDisk {
    dir: PathBuf,
    chunks: sled::Tree,
    journal: Journal,
}

impl SledDisk {
    pub(super) fn new(dir: &Path, chunks: &sled::Tree, journal: Journal) -> Self {
        Self { dir: dir.to_owned(), chunks: chunks.clone(), journal }
    }
}

impl Disk for SledDisk {
    fn write(&mut self, chunk: &EncodedChunk, last: Position) -> Result<(), BoxError> {
        self.journal.write(chunk.first(), last, chunk.as_bytes())
    }

    fn sync(&mut self) -> Result<(), BoxError> {
        self.journal.sync()
    }

    fn store(&mut self, chunk: &EncodedChunk) -> Result<(), BoxError> {
        store::put(&self.chunks, chunk)
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.journal.close()?;
        Ok(clean_end::set(&self.dir)?)
    }
}
