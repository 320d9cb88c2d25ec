//! Reads the log in order, folds, commits.

use std::sync::Arc;

use ledger_event::{Position, StoredEventError};
use ledger_log::{EventLog, LogError};
use ledger_views::{Checkpoint, ReadModel, ViewWriter, ViewsError};

use crate::project::{ProjectError, project};
use crate::read_ahead::{Decoded, ReadAhead};

/// Most events of one commit: more would hold up readers while the commit is published.
pub const COMMIT_MAX_EVENTS: u64 = 2048;

/// The same while the log is read ahead: what the views say is old anyway, and larger commits copy each leaf of a list
/// less often.
const BEHIND_COMMIT_MAX_EVENTS: u64 = 8192;

/// A commit ends after the event with which it holds so many bytes of the log, whatever their number.
const COMMIT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Folds the log into views, from their checkpoint on.
pub struct Projector {
    log: Arc<dyn EventLog>,
    writer: ViewWriter,
    commit_max_events: u64,
    /// What is left of the chunk in which the last commit ended.
    chunk: Option<Decoded>,
    ahead: Option<ReadAhead>,
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
        /// How far the views have folded it.
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
    /// An event cannot be folded.
    #[error("the event at position {position} cannot be folded")]
    Project {
        /// Its position.
        position: Position,
        /// Why.
        source: ProjectError,
    },
    /// The views cannot be written.
    #[error("the projector cannot write the views")]
    Views(#[from] ViewsError),
    /// The projector was stopped before it was done.
    #[error("the ledger is being stopped")]
    Stopped,
    /// There is no thread for it.
    #[error("the projector cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// A fault of ours.
    #[error("the projector panicked: {text}")]
    Panicked {
        /// What it said.
        text: String,
    },
}

impl ProjectorError {
    /// Whether the views are damaged, so that making them anew mends it.
    #[must_use]
    pub fn is_mended_by_rebuild(&self) -> bool {
        match self {
            Self::Project { source, .. } => source.is_mended_by_rebuild(),
            Self::Views(error) => error.is_mended_by_rebuild(),
            Self::LogIsShorter { .. }
            | Self::LogDiffers { .. }
            | Self::Gap { .. }
            | Self::Log(_)
            | Self::Event { .. }
            | Self::Stopped
            | Self::Thread(_)
            | Self::Panicked { .. } => false,
        }
    }
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
        if checkpoint.position > Position::START {
            let position = checkpoint.position;
            let chunk = log.chunk_at(position)?.ok_or(ProjectorError::Gap { position })?;
            if chunk.hash.0 != checkpoint.chunk_hash {
                return Err(ProjectorError::LogDiffers { position });
            }
        }
        Ok(Self { log, writer, commit_max_events: COMMIT_MAX_EVENTS, chunk: None, ahead: None })
    }

    /// The same, with commits of at most so many events instead of [`COMMIT_MAX_EVENTS`]: for tests of where they end.
    #[must_use]
    pub fn with_commits_of(self, commit_max_events: u64) -> Self {
        Self { commit_max_events, ..self }
    }

    /// Folds what comes next, at most one commit; `false` when the views have reached the head.
    ///
    /// # Errors
    ///
    /// When log or views fail: the views stay at their last commit, and the projector is of no more use.
    pub fn step(&mut self) -> Result<bool, ProjectorError> {
        let head = self.log.head().position;
        let mut checkpoint = self.writer.checkpoint();
        let start = checkpoint.position;
        let max_events = if self.ahead.is_some() { BEHIND_COMMIT_MAX_EVENTS } else { self.commit_max_events };
        let end = head.min(start.plus(max_events));
        let mut bytes = 0;
        while checkpoint.position < end && bytes < COMMIT_MAX_BYTES {
            self.fold_chunk(&mut checkpoint, end, &mut bytes)?;
        }
        if checkpoint.position == start {
            return Ok(false);
        }
        if self.ahead.is_some() {
            self.writer.hurry();
        }
        self.writer.commit(checkpoint)?;
        Ok(true)
    }

    /// Folds the chunk that holds the next event, up to the position `end` or the bound on bytes.
    fn fold_chunk(
        &mut self,
        checkpoint: &mut Checkpoint,
        end: Position,
        bytes: &mut usize,
    ) -> Result<(), ProjectorError> {
        let mut chunk = self.chunk_at(checkpoint.position.next())?;
        checkpoint.chunk_hash = chunk.hash;
        while chunk.next <= end
            && *bytes < COMMIT_MAX_BYTES
            && let Some((position, event, event_bytes)) = chunk.take()
        {
            project(&mut self.writer, checkpoint, position, event)
                .map_err(|source| ProjectorError::Project { position, source })?;
            *bytes += event_bytes;
        }
        self.chunk = Some(chunk);
        Ok(())
    }

    /// The chunk that holds an event: what is left of the last one, what was read ahead, or from the log.
    fn chunk_at(&mut self, next: Position) -> Result<Decoded, ProjectorError> {
        if let Some(chunk) = self.chunk.take().filter(|chunk| chunk.next == next && next <= chunk.last) {
            return Ok(chunk);
        }
        if self.ahead.is_none() {
            self.ahead = ReadAhead::start(&self.log, next);
        }
        if let Some(ahead) = &self.ahead {
            match ahead.take() {
                Some(chunk) => return chunk,
                None => self.ahead = None,
            }
        }
        Decoded::read(&*self.log, next)
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

    /// Puts the views in the place of those that `live` and its clones answer from, which they have caught up with
    /// when that is done; without `live`, in the place of those that nobody has open.
    ///
    /// Nobody else may fold into the views of `live` meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Projector::step`], and when it cannot be written: then the old views go on.
    pub fn take_place_of(&mut self, live: Option<&ReadModel>) -> Result<(), ProjectorError> {
        if let Some(live) = live {
            while self.writer.checkpoint().position < live.position() && self.step()? {}
        }
        Ok(self.writer.take_place_of(live)?)
    }

    /// Gives damaged views up, so that the next start rebuilds them.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn give_up_views(&self) -> Result<(), ProjectorError> {
        Ok(self.writer.give_up()?)
    }

    /// Writes what is committed to the disk, so that less is to be folded again at the next start.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), ProjectorError> {
        Ok(self.writer.flush()?)
    }
}
