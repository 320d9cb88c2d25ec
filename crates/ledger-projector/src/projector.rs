//! Reads the log in order, folds, commits.

use std::sync::Arc;

use ledger_event::{Position, StoredEventError};
use ledger_log::{Chunk, EventLog, LogError};
use ledger_views::{Checkpoint, ViewWriter, ViewsError};

use crate::project::project;

/// Most events of one commit: more would hold up readers while the commit is published.
const COMMIT_MAX_EVENTS: u64 = 512;

/// Folds the log into views, from their checkpoint on.
pub struct Projector {
    log: Arc<dyn EventLog>,
    writer: ViewWriter,
    /// The chunk in which the last commit ended.
    chunk: Option<Chunk>,
}

/// Why the projector stopped. The views stay at their last commit.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The log ends before the events that the views hold.
    #[error(
        "the log ends at position {head}, but the views have folded it up to {folded}: the log lost events, or these are the views of another log"
    )]
    LogIsShorter {
        /// Where the log ends.
        head: Position,
        /// What the views hold.
        folded: Position,
    },
    /// The log holds other events than those that the views hold.
    #[error(
        "the log differs from what the views have folded at position {position}: these are the views of another log"
    )]
    LogDiffers {
        /// The end of the chunk that differs.
        position: Position,
    },
    /// The log ends before a position below its head.
    #[error("the log has no event at position {position}, below its head")]
    Gap {
        /// The missing position.
        position: Position,
    },
    /// The log cannot be read.
    #[error("the projector cannot read the log")]
    Log(#[from] LogError),
    /// A stored event cannot be decoded.
    #[error("the event at position {position} cannot be decoded")]
    Event {
        /// Its position.
        position: Position,
        /// Why.
        source: StoredEventError,
    },
    /// The views cannot be read or written.
    #[error("the projector cannot use the views")]
    Views(#[from] ViewsError),
}

impl Projector {
    /// Joins a log and its views, and checks that the one was folded into the other.
    ///
    /// # Errors
    ///
    /// When the log ends before the views' checkpoint, or holds another chunk there.
    pub fn new(log: Arc<dyn EventLog>, writer: ViewWriter) -> Result<Self, ProjectorError> {
        let checkpoint = writer.checkpoint();
        let head = log.head().position;
        if head < checkpoint.position {
            return Err(ProjectorError::LogIsShorter { head, folded: checkpoint.position });
        }
        if checkpoint.chunk_end > Position::START {
            let position = checkpoint.chunk_end;
            let chunk = log.chunk_at(position)?.ok_or(ProjectorError::Gap { position })?;
            if chunk.last() != position || chunk.hash.0 != checkpoint.chunk_hash {
                return Err(ProjectorError::LogDiffers { position });
            }
        }
        Ok(Self { log, writer, chunk: None })
    }

    /// Folds what comes next, at most one commit; `false` when the views have reached the head.
    ///
    /// # Errors
    ///
    /// When log or views fail; nothing of the commit under way is kept.
    pub fn step(&mut self) -> Result<bool, ProjectorError> {
        let head = self.log.head().position;
        let mut checkpoint = self.writer.checkpoint();
        let start = checkpoint.position;
        while checkpoint.position < head && checkpoint.position.get() - start.get() < COMMIT_MAX_EVENTS {
            let left = COMMIT_MAX_EVENTS - (checkpoint.position.get() - start.get());
            self.fold_chunk(&mut checkpoint, left)?;
        }
        if checkpoint.position == start {
            return Ok(false);
        }
        self.writer.commit(checkpoint)?;
        Ok(true)
    }

    /// Folds up to `left` events of the chunk that holds the next one.
    fn fold_chunk(&mut self, checkpoint: &mut Checkpoint, left: u64) -> Result<(), ProjectorError> {
        let next = checkpoint.position.next();
        let chunk = match self.chunk.take() {
            Some(chunk) if chunk.first <= next && next <= chunk.last() => chunk,
            Some(_) | None => self.log.chunk_at(next)?.ok_or(ProjectorError::Gap { position: next })?,
        };
        let skip = usize::try_from(next.get() - chunk.first.get()).expect("a chunk is bounded by memory");
        for stored in chunk.events.iter().skip(skip).take(usize::try_from(left).unwrap_or(usize::MAX)) {
            let position = checkpoint.position.next();
            let event = stored.decode().map_err(|source| ProjectorError::Event { position, source })?;
            project(&mut self.writer, checkpoint, position, event)?;
        }
        if checkpoint.position == chunk.last() {
            checkpoint.chunk_end = chunk.last();
            checkpoint.chunk_hash = chunk.hash.0;
        } else {
            self.chunk = Some(chunk);
        }
        Ok(())
    }

    /// Folds until the views have reached the head.
    ///
    /// # Errors
    ///
    /// As [`Projector::step`].
    pub fn catch_up(&mut self) -> Result<(), ProjectorError> {
        while self.step()? {}
        Ok(())
    }

    /// Writes what is committed to the disk, so that less is to be folded again at the next start.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&self) -> Result<(), ProjectorError> {
        Ok(self.writer.flush()?)
    }
}
