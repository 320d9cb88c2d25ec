//! Reading and decoding the log: chunk by chunk, or in a thread of its own while there is much to fold.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use ledger_event::{Event, Position};
use ledger_log::{Chunk, EventLog, background};

use crate::projector::ProjectorError;

/// Views that are further behind have the log read for them: it takes about as long as the folding.
const MIN_EVENTS: u64 = 8192;

/// How many chunks wait to be folded.
const CHUNKS_AHEAD: usize = 2;

/// A chunk whose events are decoded, as far as they were not taken yet.
pub(crate) struct Decoded {
    /// Of the next event.
    pub(crate) next: Position,
    pub(crate) last: Position,
    pub(crate) hash: [u8; 32],
    events: std::vec::IntoIter<(Event, usize)>,
}

impl Decoded {
    /// Reads the chunk that holds an event, and decodes it from there on.
    pub(crate) fn read(log: &dyn EventLog, position: Position) -> Result<Self, ProjectorError> {
        let chunk = log.chunk_at(position)?.ok_or(ProjectorError::Gap { position })?;
        Self::of(chunk, position)
    }

    fn of(chunk: Chunk, from: Position) -> Result<Self, ProjectorError> {
        let skip = usize::try_from(from.get() - chunk.first.get()).expect("a chunk is bounded by memory");
        let (last, hash) = (chunk.last(), chunk.hash.0);
        let mut events = Vec::with_capacity(chunk.events.len().saturating_sub(skip));
        for (number, stored) in (from.get()..).zip(chunk.events.into_iter().skip(skip)) {
            let failed = |source| ProjectorError::Event { position: Position::new(number), source };
            let bytes = stored.skeleton.len() + stored.bodies.iter().map(|body| body.bytes.len()).sum::<usize>();
            events.push((stored.into_event().map_err(failed)?, bytes));
        }
        Ok(Self { next: from, last, hash, events: events.into_iter() })
    }

    /// The next event, with its position and how many bytes of the log it takes.
    pub(crate) fn take(&mut self) -> Option<(Position, Event, usize)> {
        let (event, bytes) = self.events.next()?;
        let position = self.next;
        self.next = position.next();
        Some((position, event, bytes))
    }
}

/// Chunks that another thread reads and decodes.
pub(crate) struct ReadAhead {
    chunks: Receiver<Result<Decoded, ProjectorError>>,
}

impl ReadAhead {
    /// Starts to read from a position up to the head of now, if that is far enough to be worth a thread, and one is to be
    /// had.
    pub(crate) fn start(log: &Arc<dyn EventLog>, from: Position) -> Option<Self> {
        let head = log.head().position;
        if head.get().saturating_sub(from.get()) < MIN_EVENTS {
            return None;
        }
        let log = Arc::clone(log);
        let (send, chunks) = sync_channel(CHUNKS_AHEAD);
        let read = move || {
            let mut next = from;
            while next <= head {
                let decoded = Decoded::read(&*log, next);
                let (after, failed) = decoded.as_ref().map_or((head, true), |chunk| (chunk.last, false));
                // Whoever folds may have stopped.
                if send.send(decoded).is_err() || failed {
                    return;
                }
                next = after.next();
            }
        };
        background::spawn("log-reader", read).ok()?;
        Some(Self { chunks })
    }

    /// The next chunk; `None` after the last.
    pub(crate) fn take(&self) -> Option<Result<Decoded, ProjectorError>> {
        self.chunks.recv().ok()
    }
}
