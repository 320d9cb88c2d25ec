//! Reading chunks out of sled.

use ledger_event::Position;
use sled::{IVec, Tree};

use super::guard::guarded;
use super::store;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{BoxError, Chunk, LogError};
use crate::parts::{self, PartKey};

/// Reads the chunk that holds the event at `position`, which is not beyond `head`; its parts are
/// checked, what they hold is not.
pub(super) fn encoded_chunk_at(chunks: &Tree, position: Position) -> Result<EncodedChunk, LogError> {
    let first = first_of_chunk_at(chunks, position)?;
    let stored = parts_of(chunks, first)?;
    match parts::join(first, stored.iter().map(|(key, value)| (*key, value.as_ref())))? {
        Some(bytes) => Ok(EncodedChunk::of_stored(first, bytes)),
        None => Err(LogError::Damaged { position: first, reason: "its last part is missing".to_owned() }),
    }
}

/// Where the chunk begins that holds the event at `position`, by the keys alone.
pub(super) fn first_of_chunk_at(chunks: &Tree, position: Position) -> Result<Position, LogError> {
    let failed = |source: BoxError| LogError::Read { position, source };
    let last_key = guarded(|| chunks.get_lt(PartKey::greatest_of(position))).map_err(failed)?;
    match last_key.map_err(|error| failed(error.into()))? {
        Some((key, _)) => Ok(part_key(position, &key)?.first),
        None => Err(LogError::Damaged { position, reason: "no chunk holds that position".to_owned() }),
    }
}

/// Reads and decodes the chunk that holds the event at `position`, which is not beyond `head`, and
/// sees that the next chunk begins where it ends.
pub(super) fn chunk_at(chunks: &Tree, position: Position, head: Position) -> Result<Chunk, LogError> {
    let chunk = encoded_chunk_at(chunks, position)?.decode()?;
    let last = chunk.last();
    let damaged = |reason: String| Err(LogError::Damaged { position: chunk.first, reason });
    if last < position || last > head {
        return damaged(format!("it ends at {last}, and should hold {position}, but nothing beyond {head}"));
    }
    if last == head {
        return Ok(chunk);
    }
    let failed = |source: BoxError| LogError::Read { position, source };
    let next = guarded(|| chunks.get_gt(PartKey::greatest_of(chunk.first))).map_err(failed)?;
    let next = next.map_err(|error| failed(error.into()))?.map(|(key, _)| part_key(position, &key)).transpose()?;
    match next.filter(|key| *key < store::FENCE) {
        Some(key) if key.first == last.next() => Ok(chunk),
        Some(key) => damaged(format!("it ends at {last}, and the next chunk begins at {}", key.first)),
        None => damaged(format!("it ends at {last}, and no chunk follows")),
    }
}

/// All the parts that are stored of the chunk from `first`, in order, not checked.
pub(super) fn parts_of(chunks: &Tree, first: Position) -> Result<Vec<(PartKey, IVec)>, LogError> {
    let failed = |source: BoxError| LogError::Read { position: first, source };
    let range = PartKey { first, part: 0 }.to_bytes()..=PartKey::greatest_of(first);
    let stored: Result<Vec<(IVec, IVec)>, sled::Error> = guarded(|| chunks.range(range).collect()).map_err(failed)?;
    let stored = stored.map_err(|error| failed(error.into()))?;
    stored.into_iter().map(|(key, value)| Ok((part_key(first, &key)?, value))).collect()
}

pub(super) fn part_key(position: Position, key: &[u8]) -> Result<PartKey, LogError> {
    PartKey::of_bytes(key)
        .ok_or_else(|| LogError::Damaged { position, reason: "a key is not that of a part".to_owned() })
}
