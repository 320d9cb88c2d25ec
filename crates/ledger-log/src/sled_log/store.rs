//! Putting chunks into sled, where readers find them.

use sled::Tree;

use super::guard::guarded;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::BoxError;
use crate::parts;

/// Puts the parts of a chunk into sled, in order. They are not durable yet.
pub(super) fn put(chunks: &Tree, chunk: &EncodedChunk) -> Result<(), BoxError> {
    for (key, part) in parts::split(chunk.first(), chunk.as_bytes()) {
        guarded(|| chunks.insert(key.to_bytes(), part))??;
    }
    Ok(())
}
