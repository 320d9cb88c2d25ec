//! The two tiers as one log.
//!
//! What is sealed is read from its segment, the rest from sled. So the copies of sealed chunks that sled still holds
//! are read by nobody: trimming takes them away under no reader, and those that reappear after a crash do no harm.

use ledger_event::Position;
use sled::Tree;

use super::{Shared, guard, read, store};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{BoxError, Chunk, LogError};

impl Shared {
    /// Reads the chunk that holds the event at `position`, which is not beyond the head.
    pub(super) fn encoded_chunk_at(&self, position: Position) -> Result<EncodedChunk, LogError> {
        self.read(|| self.cold.encoded_chunk_at(position), || read::encoded_chunk_at(&self.chunks, position))
    }

    /// The same, decoded, and seen to end where the next one begins.
    pub(super) fn chunk_at(&self, position: Position, head: Position) -> Result<Chunk, LogError> {
        self.read(|| self.cold.chunk_at(position), || read::chunk_at(&self.chunks, position, head))
    }

    fn read<T>(
        &self,
        cold: impl Fn() -> Result<Option<T>, LogError>,
        hot: impl Fn() -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        if let Some(sealed) = cold()? {
            return Ok(sealed);
        }
        match hot() {
            // It may have been sealed and trimmed between the two looks; then it is in a segment now.
            Err(error) => cold()?.ok_or(error),
            read => read,
        }
    }

    /// The first position of the log; that after the head of an empty one.
    pub(super) fn oldest(&self) -> Result<Position, LogError> {
        if self.cold.end().position > Position::START {
            return Ok(Position::new(1));
        }
        Ok(self.oldest_in_sled()?.unwrap_or_else(|| self.head.borrow().position.next()))
    }

    /// The first position that sled holds; `None` when it holds nothing.
    pub(super) fn oldest_in_sled(&self) -> Result<Option<Position>, LogError> {
        oldest_in(&self.chunks)
    }
}

pub(super) fn oldest_in(chunks: &Tree) -> Result<Option<Position>, LogError> {
    let failed = |source: BoxError| LogError::Read { position: Position::START, source };
    let first = guard::guarded(|| chunks.range(..store::FENCE.to_bytes()).next()).map_err(failed)?;
    let first = first.transpose().map_err(|error| failed(error.into()))?;
    first.map(|(key, _)| Ok(read::part_key(Position::START, &key)?.first)).transpose()
}
