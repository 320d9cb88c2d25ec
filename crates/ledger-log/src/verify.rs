//! Verification: the chunks of a log, one after the other, each held against the one before.

use ledger_event::{Position, Timestamp};

use crate::chunk_codec::EncodedChunk;
use crate::event_log::{ChainHash, Chunk, EventLog, Head, LogError};
use crate::identity::LogIdentity;

/// How far chunks, wherever they come from, have been followed from the first.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    identity: LogIdentity,
    reached: Head,
    recorded_at: Option<Timestamp>,
}

impl Chain {
    /// The chain of a log, before its first chunk.
    #[must_use]
    pub fn start(identity: LogIdentity) -> Self {
        Self { identity, reached: Head { position: Position::START, hash: ChainHash::START }, recorded_at: None }
    }

    /// The end of what has been followed.
    #[must_use]
    pub fn reached(&self) -> Head {
        self.reached
    }

    /// Follows the chain by the chunk that is said to come next, and gives what is in it.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when it cannot be decoded, does not have the hash of its content, begins
    /// elsewhere than at the next position, names another chunk before it, or was recorded earlier than
    /// that one; [`LogError::NewerFormat`]. The chain then stays where it is.
    pub fn follow(&mut self, next: &EncodedChunk) -> Result<Chunk, LogError> {
        let expected = self.reached.position.next();
        if next.first() != expected {
            let reason = format!("it is missing: the chunk in its place begins at position {}", next.first());
            return Err(LogError::Damaged { position: expected, reason });
        }
        let chunk = next.verify(&self.identity)?;
        let damaged = |reason: &str| Err(LogError::Damaged { position: expected, reason: reason.to_owned() });
        if chunk.previous != self.reached.hash {
            return damaged("it does not name the hash of the chunk before it");
        }
        if Some(chunk.recorded_at) < self.recorded_at {
            return damaged("it was recorded before the chunk before it");
        }
        self.reached = chunk.head();
        self.recorded_at = Some(chunk.recorded_at);
        Ok(chunk)
    }
}

/// Walks along a log from its first chunk to the head that it has now, and verifies each chunk on the way.
pub fn verify(log: &dyn EventLog) -> ChainWalk<'_> {
    ChainWalk { log, head: log.head(), chain: Chain::start(log.identity()), is_over: false }
}

/// A walk along a log: its chunks, verified, and the first damage as the last item.
pub struct ChainWalk<'a> {
    log: &'a dyn EventLog,
    head: Head,
    chain: Chain,
    is_over: bool,
}

impl ChainWalk<'_> {
    /// The head that the log had when the walk began: where it ends.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    fn step(&mut self) -> Result<Chunk, LogError> {
        let next = self.chain.reached().position.next();
        let missing = || LogError::Damaged { position: next, reason: "it is missing".to_owned() };
        let chunk = self.chain.follow(&self.log.encoded_chunk_at(next)?.ok_or_else(missing)?)?;
        self.see_that_nothing_hides_in(&chunk)?;
        match chunk.last() == self.head.position && chunk.hash != self.head.hash {
            true => Err(LogError::Damaged { position: chunk.first, reason: "it is not the head's".to_owned() }),
            false => Ok(chunk),
        }
    }

    /// Sees that a reader finds this chunk by its last position too, and not another one that was stored within it.
    fn see_that_nothing_hides_in(&self, chunk: &Chunk) -> Result<(), LogError> {
        if chunk.events.len() == 1 {
            return Ok(());
        }
        let found = self.log.encoded_chunk_at(chunk.last())?.map(|chunk| chunk.first());
        if found == Some(chunk.first) {
            return Ok(());
        }
        let reason = format!("it ends at position {}, where another chunk, or none, is found", chunk.last());
        Err(LogError::Damaged { position: chunk.first, reason })
    }
}

impl Iterator for ChainWalk<'_> {
    type Item = Result<Chunk, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || self.chain.reached().position >= self.head.position {
            return None;
        }
        let stepped = self.step();
        self.is_over = stepped.is_err();
        Some(stepped)
    }
}

#[cfg(test)]
mod tests;
