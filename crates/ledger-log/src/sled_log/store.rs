//! Putting chunks into sled, where readers find them.
//!
//! sled splits a leaf of seventeen items behind its ninth, and writes both halves again. Chunks come in order, so that the
//! right half is where the next ones go: without more, each part would be written three times, and a fourth time when
//! sled gathers what is left of its segments. Behind all chunks stands a fence of a few small items, which is the right half
//! of each split.

use ledger_event::Position;
use sled::Tree;

use super::guard::guarded;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::BoxError;
use crate::parts::{self, PartKey};

/// How many items the fence has. Of each part 2.6 times its bytes are written with seven, 3.6 times with none; and 3.5
/// times with eight, as then half of a segment is given up at once, which is when sled writes the other half elsewhere.
const FENCE_ITEMS: u16 = 7;

/// The first key behind those of chunks, where the fence stands.
pub(super) const FENCE: PartKey = PartKey { first: Position::new(u64::MAX), part: 0 };

/// Puts the fence behind the chunks, unless it is there. It looks like a chunk that was not written to its
/// end, and holds nothing.
pub(super) fn put_fence(chunks: &Tree) -> Result<(), BoxError> {
    if guarded(|| chunks.contains_key(FENCE.to_bytes()))?? {
        return Ok(());
    }
    for part in 0..FENCE_ITEMS {
        let key = PartKey { part, ..FENCE };
        guarded(|| chunks.insert(key.to_bytes(), parts::encode(key, false, &[])))??;
    }
    Ok(())
}

/// Puts the parts of a chunk into sled, in order. They are not durable yet.
pub(super) fn put(chunks: &Tree, chunk: &EncodedChunk) -> Result<(), BoxError> {
    for (key, part) in parts::split(chunk.first(), chunk.as_bytes()) {
        guarded(|| chunks.insert(key.to_bytes(), part))??;
    }
    Ok(())
}
