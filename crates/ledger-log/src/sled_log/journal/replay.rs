//! Reading a journal: what sled lost in a crash is given to it again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use ledger_event::Position;
use sled::Tree;

use super::frame::{ALIGN_BYTES, FrameHeader, HEADER_BYTES};
use super::paths;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{Chunk, Head, LogError};
use crate::identity::LogIdentity;
use crate::sled_log::store;

/// What a journal gave back.
pub(in crate::sled_log) struct Replayed {
    /// The last chunk that sled did not have, if there was one.
    pub(in crate::sled_log) last: Option<Chunk>,
    /// A generation after all that were found.
    pub(in crate::sled_log) next_generation: u64,
}

/// Gives sled, whose log ends at `head`, the chunks of the journal that follow.
///
/// A frame that was not written to its end is passed over: nobody was told of it. It is the last one, so a whole one
/// behind a gap says that what was in the gap is damaged.
pub(in crate::sled_log) fn replay(
    dir: &Path,
    chunks: &Tree,
    identity: &LogIdentity,
    head: Head,
) -> Result<Replayed, LogError> {
    let mut frames = Vec::new();
    for path in paths(dir) {
        match fs::read(&path) {
            Ok(file) => collect(&file, head.position, &mut frames),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(LogError::Open(error.into())),
        }
    }
    let next_generation = frames.iter().map(|frame| frame.header.generation).max().map_or(1, |last| last + 1);
    frames.retain(|frame| frame.header.last > head.position);
    // Of the same place, the one that was written later counts: the other was never acknowledged.
    frames.sort_by_key(|frame| (frame.header.first, std::cmp::Reverse(frame.header.generation)));
    let (mut reached, mut last) = (head, None);
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
        last = Some(chunk);
    }
    if let Some(last) = &last {
        tracing::info!(from = %head.position, to = %last.last(), "gave sled what the journal holds and it had lost");
    }
    Ok(Replayed { last, next_generation })
}

struct Frame {
    header: FrameHeader,
    /// The chunk; of one that sled has, nothing.
    bytes: Vec<u8>,
}

/// Collects the whole frames of a file, wherever they begin. Of those that sled has only the headers are looked at.
fn collect(file: &[u8], head: Position, frames: &mut Vec<Frame>) {
    let mut at = 0;
    while let Some(rest) = file.get(at..).filter(|rest| rest.len() > HEADER_BYTES) {
        let frame = FrameHeader::of_bytes(rest).and_then(|header| {
            let bytes = if header.last <= head { &[] } else { header.chunk(&rest[HEADER_BYTES..])? };
            Some(Frame { header, bytes: bytes.to_vec() })
        });
        at += frame.as_ref().map_or(ALIGN_BYTES, |frame| frame.header.frame_bytes());
        frames.extend(frame);
    }
}
