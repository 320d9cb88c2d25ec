//! Reading a journal: what sled lost in a crash is given to it again.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use sled::Tree;

use super::frame::{ALIGN_BYTES, FrameHeader, HEADER_BYTES};
use super::paths;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{Head, LogError};
use crate::identity::LogIdentity;
use crate::sled_log::store;

/// Gives sled, which ends at `head`, the chunks of the journal that follow. Returns a generation after all that were
/// found.
///
/// A frame that was not written to its end is passed over: nobody was told of it. It is the last one, so a whole one
/// behind a gap says that what was in the gap is damaged.
pub(in crate::sled_log) fn replay(
    dir: &Path,
    chunks: &Tree,
    identity: &LogIdentity,
    head: Head,
) -> Result<u64, LogError> {
    let mut frames = read(dir, |header| header.last > head.position).map_err(|error| LogError::Open(error.into()))?;
    let next_generation = frames.iter().map(|frame| frame.header.generation).max().map_or(1, |last| last + 1);
    frames.retain(|frame| frame.header.identity == *identity && frame.header.last > head.position);
    // Of the same place, the one that was written later counts: the other was never acknowledged.
    frames.sort_by_key(|frame| (frame.header.first, std::cmp::Reverse(frame.header.generation)));
    let mut reached = head;
    for Frame { header, bytes } in frames {
        if header.last <= reached.position {
            continue;
        }
        let expected = reached.position.next();
        let damaged = |reason: &str| Err(LogError::Damaged { position: expected, reason: reason.to_owned() });
        if header.first != expected {
            return damaged("it is missing, and the journal holds later ones");
        }
        let encoded = EncodedChunk::of_stored(header.first, bytes);
        let chunk = encoded.verify(identity)?;
        if chunk.previous != reached.hash || chunk.last() != header.last {
            return damaged("the one in the journal does not follow the chunk before it");
        }
        store::put(chunks, &encoded).map_err(LogError::Open)?;
        reached = chunk.head();
    }
    if reached != head {
        let (from, to) = (head.position, reached.position);
        tracing::info!(%from, %to, "gave sled what the journal holds and it had lost");
    }
    Ok(next_generation)
}

/// Reads every chunk of the journal that is whole, with the log that it is of, by position; of one place, the one that
/// was written last.
///
/// # Errors
///
/// When the files cannot be read.
pub(in crate::sled_log) fn whole_chunks(dir: &Path) -> io::Result<Vec<(LogIdentity, EncodedChunk)>> {
    let mut frames = read(dir, |_| true)?;
    frames.sort_by_key(|frame| (frame.header.first, std::cmp::Reverse(frame.header.generation)));
    frames.dedup_by_key(|frame| frame.header.first);
    let chunk = |frame: Frame| (frame.header.identity, EncodedChunk::of_stored(frame.header.first, frame.bytes));
    let chunks = frames.into_iter().map(chunk);
    Ok(chunks.filter(|(identity, encoded)| encoded.verify(identity).is_ok()).collect())
}

struct Frame {
    header: FrameHeader,
    /// The chunk; of one that is not wanted, nothing.
    bytes: Vec<u8>,
}

/// The whole frames of both files. Of those that are not wanted only the headers are looked at.
fn read(dir: &Path, is_wanted: impl Fn(&FrameHeader) -> bool) -> io::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    for path in paths(dir) {
        match fs::read(&path) {
            Ok(file) => collect(&file, &is_wanted, &mut frames),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(frames)
}

/// Collects the whole frames of a file, wherever they begin.
fn collect(file: &[u8], is_wanted: impl Fn(&FrameHeader) -> bool, frames: &mut Vec<Frame>) {
    let mut at = 0;
    while let Some(rest) = file.get(at..).filter(|rest| rest.len() > HEADER_BYTES) {
        let frame = FrameHeader::of_bytes(rest).and_then(|header| {
            let bytes = if is_wanted(&header) { header.chunk(&rest[HEADER_BYTES..])? } else { &[] };
            Some(Frame { header, bytes: bytes.to_vec() })
        });
        at += frame.as_ref().map_or(ALIGN_BYTES, |frame| frame.header.frame_bytes());
        frames.extend(frame);
    }
}
