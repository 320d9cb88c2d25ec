//! The journal: where a chunk becomes durable before sled has it.
//!
//! To make sled durable for each chunk costs two waits for the disk and two changes of thread: its flush writes and
//! waits in a thread of its own, and what it leaves to do is an `fdatasync`. So each chunk is first appended to a file
//! that is written in place, with one `fdatasync`, and then given to sled, whose durability comes later and for many
//! chunks at once (a checkpoint). What sled lost in a crash is in the journal, and is given to it again at the next
//! opening.
//!
//! There are two files. When one is full, the other is written from its beginning, as soon as sled holds what was in it:
//! the checkpoint of the one that was left runs meanwhile. So the journal is bounded, and its space is allocated once: to
//! write in place changes no metadata, which makes the `fdatasync` cheaper than that of a growing file.

mod checkpoints;
mod frame;
mod replay;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ledger_event::Position;

use self::checkpoints::Checkpoints;
use self::frame::FrameHeader;
use crate::event_log::BoxError;
use crate::identity::LogIdentity;

pub(super) use self::checkpoints::make_durable;
pub(super) use self::replay::{replay, whole_chunks};

/// A file that is too short for a frame grows by at least so much at a time.
const GROW_BYTES: u64 = 1024 * 1024;

/// What a file grows by is written in pieces of this: the system keeps each in memory as one, and counts all of it as
/// written with the first byte that changes in it.
const GROW_PIECE_BYTES: usize = 16 * 1024;

/// How much memory is kept from one chunk to the next.
const FRAME_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The journal of a log that is open.
pub(super) struct Journal {
    files: [JournalFile; 2],
    identity: LogIdentity,
    active: usize,
    generation: u64,
    file_max_bytes: u64,
    checkpoints: Checkpoints,
    /// What is written, kept for its memory.
    frame: Vec<u8>,
}

struct JournalFile {
    file: File,
    /// Where the next frame goes.
    end: u64,
    /// How long the file is.
    length: u64,
}

impl Journal {
    /// Begins the journal anew, in a generation after all that were found. sled must have what it held.
    pub(super) fn begin(
        dir: &Path,
        db: &sled::Db,
        identity: LogIdentity,
        generation: u64,
        file_max_bytes: u64,
    ) -> Result<Self, BoxError> {
        let [first, second] = paths(dir);
        let files = [JournalFile::open(&first)?, JournalFile::open(&second)?];
        let checkpoints = Checkpoints::new(db.clone(), File::open(dir.join("db"))?);
        Ok(Self { files, identity, active: 0, generation, file_max_bytes, checkpoints, frame: Vec::new() })
    }

    /// Writes a chunk. It is durable after the next [`Journal::sync`].
    pub(super) fn write(&mut self, first: Position, last: Position, bytes: &[u8]) -> Result<(), BoxError> {
        self.checkpoints.see_that_none_failed()?;
        let mut header = FrameHeader::new(self.identity, self.generation, first, last, bytes);
        let end = self.files[self.active].end;
        if end > 0 && end + header.frame_bytes() as u64 > self.file_max_bytes {
            self.turn_over()?;
            header.generation = self.generation;
        }
        self.frame.clear();
        header.write(bytes, &mut self.frame);
        self.files[self.active].append(&self.frame)?;
        // A rare large chunk does not hold its memory for ever.
        self.frame.shrink_to(FRAME_KEPT_BYTES);
        Ok(())
    }

    /// Makes what was written survive power loss.
    pub(super) fn sync(&mut self) -> Result<(), BoxError> {
        Ok(self.files[self.active].file.sync_data()?)
    }

    /// Goes on in the other file. All that is in this one has been given to sled.
    fn turn_over(&mut self) -> Result<(), BoxError> {
        // What the other one holds was given to sled before this one was begun.
        self.checkpoints.finish()?;
        self.checkpoints.begin()?;
        self.active = 1 - self.active;
        self.generation += 1;
        self.files[self.active].end = 0;
        Ok(())
    }

    /// Makes sled durable, so that the next opening has nothing to give to it.
    pub(super) fn close(&mut self) -> Result<(), BoxError> {
        self.checkpoints.finish()?;
        self.checkpoints.begin()?;
        self.checkpoints.finish()
    }
}

impl JournalFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, end: 0, length })
    }

    /// Writes a frame behind the last one. Where the file must grow there are zeros first.
    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let end = self.end + frame.len() as u64;
        while self.length < end {
            self.grow()?;
        }
        self.file.write_all_at(frame, self.end)?;
        self.end = end;
        Ok(())
    }

    /// Writes zeros at its end.
    fn grow(&mut self) -> io::Result<()> {
        for _ in 0..GROW_BYTES / GROW_PIECE_BYTES as u64 {
            self.file.write_all_at(&[0; GROW_PIECE_BYTES], self.length)?;
            self.length += GROW_PIECE_BYTES as u64;
        }
        Ok(())
    }
}

/// The two files of the journal.
fn paths(dir: &Path) -> [PathBuf; 2] {
    ["journal-0", "journal-1"].map(|name| dir.join(name))
}
