//! What every log does before it writes: positions, idempotence, chunks, the chain. No I/O, no clock,
//! no randomness.

use std::ops::Range;

use ledger_event::limits::REQUEST_MAX_EVENTS;
use ledger_event::{Event, EventEncoder, EventId, Position, StoredEvent, Timestamp};

use crate::chain::{ChunkHasher, ChunkSeed, Link};
use crate::chunk_codec::{APPEND_MAX_BYTES, PackedChunk};
use crate::event_log::{Append, AppendError, Appended, Head, PreparedEvent};
use crate::fingerprint::Fingerprint;
use crate::identity::LogIdentity;
use crate::packed::Unpacker;
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
    encoder: EventEncoder,
    /// The events of the next chunk, of each request those that are new.
    staged: Vec<Vec<u8>>,
    staged_events: u64,
}

/// How the events of a request stand to those before.
#[derive(Default)]
struct Standings {
    appended: u64,
    duplicates: u64,
    /// The highest position of its events, new and duplicate.
    readable_at: Position,
    /// Where the duplicates lie among its packed events.
    repeated: Vec<Range<usize>>,
}

impl Sequencer {
    /// A sequencer that goes on after the chunk that ends at `head` and was recorded at `recorded_at`.
    pub(crate) fn new(identity: LogIdentity, head: Head, recorded_at: Timestamp, window_events: usize) -> Self {
        let window = Window::new(window_events);
        let encoder = EventEncoder::default();
        Self { identity, head, recorded_at, window, encoder, staged: Vec::new(), staged_events: 0 }
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
        let fingerprint = Fingerprint::of(event, &mut self.encoder);
        self.window.add(&fingerprint, position);
        self.window.evict();
    }

    /// Stages the events of a request, all of them or none.
    ///
    /// # Errors
    ///
    /// When the request is too large or reuses an id; other requests are not touched by that.
    pub(crate) fn stage(&mut self, request: Append) -> Result<Appended, AppendError> {
        let (events, bytes) = (request.len(), request.bytes());
        if events > REQUEST_MAX_EVENTS || bytes > APPEND_MAX_BYTES {
            return Err(AppendError::TooLarge { events, bytes });
        }
        let first = self.next_position();
        let (events, packed) = request.into_parts();
        let Standings { appended, duplicates, readable_at, repeated } =
            self.take_in(&events, &packed).inspect_err(|_| self.window.take_back_from(first))?;
        if appended > 0 {
            self.staged.push(without(packed, &repeated));
            self.staged_events += appended;
        }
        let last = Position::new(self.next_position().get() - 1);
        Ok(Appended { appended, duplicates, positions: (appended > 0).then_some((first, last)), readable_at })
    }

    /// Puts the new ones of these events into the window.
    fn take_in(&mut self, events: &[PreparedEvent], packed: &[u8]) -> Result<Standings, AppendError> {
        let mut standings = Standings::default();
        let (mut position, mut start) = (self.next_position(), 0);
        for (index, PreparedEvent { fingerprint, occurred_at_given, end }) in events.iter().enumerate() {
            match self.window.standing(fingerprint, *occurred_at_given) {
                Standing::Reused => return Err(AppendError::IdReused { index, id: id_of(&packed[start..*end]) }),
                Standing::Duplicate(position) => {
                    standings.duplicates += 1;
                    standings.readable_at = standings.readable_at.max(position);
                    standings.repeated.push(start..*end);
                }
                Standing::New => {
                    self.window.add(fingerprint, position);
                    standings.appended += 1;
                    standings.readable_at = position;
                    position = position.next();
                }
            }
            start = *end;
        }
        Ok(standings)
    }

    /// Makes one chunk of what is staged; `None` when nothing is.
    pub(crate) fn seal(&mut self, now: Timestamp, seed: &ChunkSeed) -> Option<PackedChunk> {
        if self.staged.is_empty() {
            return None;
        }
        let events = std::mem::take(&mut self.staged);
        let count = std::mem::take(&mut self.staged_events);
        let recorded_at = now.max(self.recorded_at);
        let link = Link { first: self.head.position.next(), recorded_at, previous: self.head.hash };
        let mut hasher = ChunkHasher::begin(&self.identity, &link, seed, count);
        for packed in &events {
            let mut unpacker = Unpacker::new(packed);
            while let Some(event) = unpacker.next() {
                hasher.push(&event.expect("it was packed here"));
            }
        }
        let chunk = PackedChunk { link, hash: hasher.finish(), seed: *seed, count, events };
        self.recorded_at = recorded_at;
        self.head = chunk.head();
        self.window.evict();
        Some(chunk)
    }

    fn next_position(&self) -> Position {
        self.head.position.plus(self.staged_events).next()
    }
}

/// The bytes without those ranges, which rise.
fn without(bytes: Vec<u8>, ranges: &[Range<usize>]) -> Vec<u8> {
    if ranges.is_empty() {
        return bytes;
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for range in ranges {
        kept.extend_from_slice(&bytes[from..range.start]);
        from = range.end;
    }
    kept.extend_from_slice(&bytes[from..]);
    kept
}

/// The id of an event that was packed here.
fn id_of(packed: &[u8]) -> EventId {
    let event = Unpacker::new(packed).next().and_then(Result::ok).map(|event| event.skeleton.to_vec());
    let stored = StoredEvent { skeleton: event.expect("it was packed here"), bodies: Vec::new() };
    stored.decode().expect("a skeleton stands for itself").id
}
