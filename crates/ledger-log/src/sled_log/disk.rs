//! What the appender needs of a disk.

use std::fs::File;
use std::path::Path;

use crate::event_log::BoxError;

/// Takes parts, and makes those it took durable. After an error of either, nothing that was written
/// since the last sync may be taken for durable, nor may anything be written on top of it.
pub(crate) trait Disk: Send {
    /// Writes one part.
    fn write(&mut self, key: &[u8], part: Vec<u8>) -> Result<(), BoxError>;

    /// Makes all that was written survive power loss.
    fn sync(&mut self) -> Result<(), BoxError>;
}

/// sled, and a descriptor of our own of the file it writes.
pub(crate) struct SledDisk {
    db: sled::Db,
    chunks: sled::Tree,
    file: File,
}

impl SledDisk {
    pub(crate) fn open(dir: &Path, db: &sled::Db, chunks: &sled::Tree) -> Result<Self, BoxError> {
        let file = File::open(dir.join("db"))?;
        Ok(Self { db: db.clone(), chunks: chunks.clone(), file })
    }
}

impl Disk for SledDisk {
    fn write(&mut self, key: &[u8], part: Vec<u8>) -> Result<(), BoxError> {
        self.chunks.insert(key, part)?;
        Ok(())
    }

    /// sled's flush writes its buffers and calls `sync_file_range`, which neither makes the disk write
    /// its cache nor writes the file's length; `fdatasync` does both.
    fn sync(&mut self) -> Result<(), BoxError> {
        self.db.flush()?;
        self.file.sync_data()?;
        Ok(())
    }
}
