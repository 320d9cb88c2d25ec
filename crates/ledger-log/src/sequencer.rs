//! What every log does before it writes: positions, idempotence, chunks, the chain. No I/O, no clock,
//! no randomness.

use ledger_event::limits::REQUEST_MAX_EVENTS;
use ledger_event::{Event, Position, StoredEvent, Timestamp};

use crate::chain::{self, ChunkSeed, Link};
use crate::chunk_codec::APPEND_MAX_BYTES;
use crate::event_log::{Append, AppendError, Appended, Chunk, Head, PreparedEvent};
use crate::fingerprint::Fingerprint;
use crate::identity::LogIdentity;
use crate::window::{Standing, Window};

/// Turns requests into chunks.
///
/// Requests are staged one by one, and what is staged is sealed into one chunk. From then on the
/// sequencer takes the chunk for written: if it is not, the sequencer is of no more use.
pub(crate) struct Sequencer {
    identity: LogIdentity,
    head: Head,
    recorded_at: Timestamp,
    window: Window,
    staged: Vec<StoredEvent>,
}

/// How much of a request was staged so far.
#[derive(Default)]
struct Progress {
    duplicates: u64,
    /// The highest position of its events, staged and duplicate.
    readable_at: Position,
}

impl Sequencer {
    /// A sequencer that goes on after the chunk that ends at `head` and was recorded at `recorded_at`.
    pub(crate) fn new(identity: LogIdentity, head: Head, recorded_at: Timestamp, window_events: usize) -> Self {
        Self { identity, head, recorded_at, window: Window::new(window_events), staged: Vec::new() }
    }

    /// The end of the log.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The first position whose event belongs into the window.
    pub(crate) fn window_start(&self) -> Position {
        Position::new(self.head.position.get().saturating_sub(self.window.max_events() as u64)).next()
    }

    /// Puts an event that was found in the log into the window; they come by rising position.
    pub(crate) fn remember(&mut self, position: Position, event: Event) {
        let (_, fingerprint) = Fingerprint::of(event);
        self.window.add(&fingerprint, position);
        self.window.evict();
    }

    /// Stages the events of a request, all of them or none.
    ///
    /// # Errors
    ///
    /// When the request is too large or reuses an id; other requests are not touched by that.
    pub(crate) fn stage(&mut self, request: Append) -> Result<Appended, AppendError> {
        let staged_before = self.staged.len();
        let first = self.next_position();
        match self.stage_each(request) {
            Ok(progress) => {
                let appended = (self.staged.len() - staged_before) as u64;
                let last = Position::new(self.next_position().get() - 1);
                Ok(Appended {
                    appended,
                    duplicates: progress.duplicates,
                    positions: (appended > 0).then_some((first, last)),
                    readable_at: progress.readable_at,
                })
            }
            Err(error) => {
                self.window.take_back_from(first);
                self.staged.truncate(staged_before);
                Err(error)
            }
        }
    }

    fn stage_each(&mut self, request: Append) -> Result<Progress, AppendError> {
        let (events, bytes) = (request.len(), request.bytes());
        if events > REQUEST_MAX_EVENTS || bytes > APPEND_MAX_BYTES {
            return Err(AppendError::TooLarge { events, bytes });
        }
        let mut progress = Progress::default();
        for (index, PreparedEvent { stored, fingerprint, occurred_at_given }) in
            request.into_events().into_iter().enumerate()
        {
            match self.window.standing(&fingerprint, occurred_at_given) {
                Standing::Reused => {
                    let id = stored.decode().expect("it was just encoded").id;
                    return Err(AppendError::IdReused { index, id });
                }
                Standing::Duplicate(position) => {
                    progress.duplicates += 1;
                    progress.readable_at = progress.readable_at.max(position);
                }
                Standing::New => {
                    let position = self.next_position();
                    self.window.add(&fingerprint, position);
                    self.staged.push(stored);
                    progress.readable_at = position;
                }
            }
        }
        Ok(progress)
    }

    /// Makes one chunk of what is staged; `None` when nothing is.
    pub(crate) fn seal(&mut self, now: Timestamp, seed: &ChunkSeed) -> Option<Chunk> {
        if self.staged.is_empty() {
            return None;
        }
        let events = std::mem::take(&mut self.staged);
        let first = self.head.position.next();
        let recorded_at = now.max(self.recorded_at);
        let previous = self.head.hash;
        let hash = chain::hash(&self.identity, &Link { first, recorded_at, previous }, seed, &events);
        let chunk = Chunk { first, recorded_at, previous, hash, events };
        self.recorded_at = recorded_at;
        self.head = chunk.head();
        self.window.evict();
        Some(chunk)
    }

    fn next_position(&self) -> Position {
        self.head.position.plus(self.staged.len() as u64).next()
    }
}
