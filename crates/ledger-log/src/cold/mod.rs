//! The cold tier: sealed segments in a folder.
//!
//! - `catalog` knows the segments that are there, one after the other from position 1, and reads chunks in them;
//! - `sealing` makes a segment out of chunks: written under another name, synced, read back, renamed;
//! - `archive` keeps a second copy of each in another folder;
//! - `merge` makes one log out of files that may be damaged, with a `scan` of each.
//!
//! The folder says it all: a segment is the file of its first position, and there is no list beside the files.
//! A copy of it is a backup.

mod archive;
mod catalog;
mod merge;
mod scan;
mod sealing;

pub use self::archive::Archive;
pub use self::catalog::SealedSegment;
pub(crate) use self::catalog::{Catalog, read_all};
pub(crate) use self::merge::Merge;
pub use self::sealing::NewSegment;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ledger_event::Position;

use crate::event_log::LogError;

/// What the file of a segment ends with.
const EXTENSION: &str = "segment";

/// What a segment that is being written ends with.
const TEMPORARY_EXTENSION: &str = "writing";

/// The file of the segment from that position, in that folder.
#[must_use]
pub fn segment_path(dir: &Path, first: Position) -> PathBuf {
    dir.join(format!("{:020}.{EXTENSION}", first.get()))
}

/// The file of what a hot tier held of those positions when it was copied, in that folder. It is a segment too, and no
/// sealed one: the next copy has it in a longer one, or in sealed ones.
#[must_use]
pub fn tail_path(dir: &Path, first: Position, last: Position) -> PathBuf {
    dir.join(format!("{:020}-{:020}.tail.{EXTENSION}", first.get(), last.get()))
}

/// Makes a folder and those above it, durably.
fn create_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(parent)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    sync_folder(parent)
}

/// Makes names in a folder durable.
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// An operation on a segment's file failed.
fn failed(action: &'static str, path: &Path, error: &io::Error) -> LogError {
    LogError::Segment { action, source: format!("{}: {error}", path.display()).into() }
}
