//! Building a log anew from segments, whole or not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ledger_event::Position;

use crate::chunk_codec::EncodedChunk;
use crate::cold::{Merge, NewSegment, SealedSegment, segment_path};
use crate::event_log::{Chunk, Head, LogError};
use crate::identity::LogIdentity;
use crate::segment::SegmentHeader;
use crate::sled_log::HotWriter;

/// Where a segment is cut when no source tells where it was.
const SEGMENT_MAX_BYTES: u64 = 96 * 1024 * 1024;

/// What [`restore`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The end of the log that was made.
    pub head: Head,
    /// How many segments it has.
    pub segments: u64,
    /// A file that holds chunks beyond that end, and the first of them: what is between is in no source.
    pub beyond: Option<(PathBuf, Position)>,
}

/// Which log the segments in these files are of: those whose header can be read, each identity once.
#[must_use]
pub fn identities(files: &[PathBuf]) -> Vec<(LogIdentity, PathBuf)> {
    let mut found: Vec<(LogIdentity, PathBuf)> = Vec::new();
    for path in files {
        let Ok(file) = std::fs::File::open(path) else { continue };
        let Ok(frames) = crate::FrameReader::open(std::io::BufReader::new(file)) else { continue };
        let identity = frames.header().identity;
        if found.iter().all(|(known, _)| *known != identity) {
            found.push((identity, path.clone()));
        }
    }
    found
}

/// Makes a log of the chunks that the files hold between them: of each position whichever copy is whole. It ends where no
/// file has the next chunk. The two folders must not be there, or be empty.
///
/// Each chunk is held against its hash and the one before. The segments are cut where the files say that they were, so
/// that a segment comes out as it was sealed; what follows the last of them goes into the hot tier.
///
/// # Errors
///
/// [`LogError::Segment`] when a file cannot be read or written; [`LogError::Open`] when the hot tier cannot be made.
pub fn restore(
    identity: LogIdentity,
    files: &[PathBuf],
    log_dir: &Path,
    segments_dir: &Path,
    mut reached: impl FnMut(Position),
) -> Result<Restored, LogError> {
    let mut merge = Merge::new(identity, files);
    let ends = ends_of_segments(files);
    let sealed_to = ends.last().copied().unwrap_or(Position::START);
    let mut hot = HotWriter::create(log_dir, identity)?;
    let mut cold = Cold { dir: segments_dir, identity, ends, open: None, segments: 0 };
    let mut newest: Option<EncodedChunk> = None;
    let mut before = merge.reached();
    while let Some((encoded, chunk)) = merge.next()? {
        if chunk.last() <= sealed_to {
            cold.push(before, &encoded, &chunk)?;
            newest = Some(encoded);
        } else {
            cold.end()?;
            hot.push(&encoded)?;
            newest = None;
        }
        before = chunk.head();
        reached(before.position);
    }
    cold.end()?;
    // The hot tier always holds the newest chunk.
    if let Some(newest) = newest {
        hot.push(&newest)?;
    }
    hot.finish()?;
    Ok(Restored { head: before, segments: cold.segments, beyond: merge.beyond() })
}

/// Where segments end that have the names of sealed ones; not those of the tail that a backup took.
fn ends_of_segments(files: &[PathBuf]) -> BTreeSet<Position> {
    let whole = files.iter().filter_map(|path| SealedSegment::of_file(path).ok());
    let sealed = whole
        .filter(|segment| segment.path.file_name() == segment_path(Path::new(""), segment.header.first).file_name());
    sealed.map(|segment| segment.footer.last).collect()
}

struct Cold<'a> {
    dir: &'a Path,
    identity: LogIdentity,
    ends: BTreeSet<Position>,
    open: Option<NewSegment>,
    segments: u64,
}

impl Cold<'_> {
    fn push(&mut self, before: Head, encoded: &EncodedChunk, chunk: &Chunk) -> Result<(), LogError> {
        let segment = match &mut self.open {
            Some(segment) => segment,
            closed @ None => {
                let header = SegmentHeader { identity: self.identity, first: chunk.first, previous: before.hash };
                closed.insert(NewSegment::begin(self.dir, header)?)
            }
        };
        segment.push(encoded)?;
        if segment.written_bytes() >= SEGMENT_MAX_BYTES || self.ends.contains(&chunk.last()) {
            self.end()?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), LogError> {
        if let Some(segment) = self.open.take() {
            segment.finish()?;
            self.segments += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
