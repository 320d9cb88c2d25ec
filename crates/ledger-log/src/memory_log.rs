//! A log in memory, for tests: the same semantics, gone with the process.

use std::sync::{Mutex, MutexGuard};

use ledger_event::{Position, Timestamp};
use tokio::sync::watch;

use crate::chain::ChunkSeed;
use crate::chunk_codec::{ChunkEncoder, EncodedChunk};
use crate::clock::Clock;
use crate::event_log::{Append, AppendError, Appended, ChainHash, Chunk, EventLog, Head, LogError, PendingAppend};
use crate::identity::LogIdentity;
use crate::sequencer::Sequencer;
use crate::sled_log::DEFAULT_IDEMPOTENCE_WINDOW_EVENTS;

/// How a [`MemoryLog`] behaves.
#[derive(Clone, Debug)]
pub struct MemoryLogOptions {
    /// How many of the newest events are recognized when they are sent again.
    pub idempotence_window_events: usize,
    /// Where `recorded_at` comes from.
    pub clock: Clock,
}

impl Default for MemoryLogOptions {
    fn default() -> Self {
        Self { idempotence_window_events: DEFAULT_IDEMPOTENCE_WINDOW_EVENTS, clock: Clock::system() }
    }
}

/// A log in memory. Each request that stores something is one chunk; appends are done when `append`
/// returns.
pub struct MemoryLog {
    identity: LogIdentity,
    clock: Clock,
    state: Mutex<State>,
    head: watch::Sender<Head>,
}

struct State {
    sequencer: Sequencer,
    encoder: ChunkEncoder,
    /// By rising position, with their last positions.
    chunks: Vec<(Position, EncodedChunk)>,
    stopped: Option<String>,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(MemoryLogOptions::default())
    }

    /// An empty log that behaves as the options say.
    #[must_use]
    pub fn with_options(options: MemoryLogOptions) -> Self {
        let identity = LogIdentity::random().expect("the machine has randomness");
        let head = Head { position: Position::START, hash: ChainHash::START };
        let start = Timestamp::from_micros(0).expect("1970 is within the bounds");
        let state = State {
            sequencer: Sequencer::new(identity, head, start, options.idempotence_window_events),
            encoder: ChunkEncoder::new().expect("compression needs nothing but memory"),
            chunks: Vec::new(),
            stopped: None,
        };
        Self { identity, clock: options.clock, state: Mutex::new(state), head: watch::Sender::new(head) }
    }

    /// Makes every later append fail as if a write had failed.
    pub fn stop(&self, reason: &str) {
        self.state().stopped.get_or_insert_with(|| reason.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the log")
    }

    fn append_now(&self, request: Append) -> Result<Appended, AppendError> {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(reason) = &state.stopped {
            return Err(AppendError::Stopped(LogError::Stopped { reason: reason.clone() }));
        }
        let appended = state.sequencer.stage(request)?;
        let seed = ChunkSeed::random().expect("the machine has randomness");
        if let Some(chunk) = state.sequencer.seal(self.clock.now(), &seed) {
            let encoded = state.encoder.encode(&chunk).expect("a chunk that was staged is within its bounds");
            state.chunks.push((chunk.head().position, encoded));
            self.head.send_replace(chunk.head());
        }
        Ok(appended)
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl EventLog for MemoryLog {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    fn append(&self, request: Append) -> PendingAppend {
        let result = self.append_now(request);
        Box::pin(std::future::ready(result))
    }

    fn watch_head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn chunk_at(&self, position: Position) -> Result<Option<Chunk>, LogError> {
        let encoded = self.encoded_chunk_at(position)?;
        encoded.map(|chunk| chunk.decode()).transpose()
    }

    fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError> {
        if position == Position::START {
            return Ok(None);
        }
        let state = self.state();
        let index = state.chunks.partition_point(|(last, _)| *last < position);
        Ok(state.chunks.get(index).map(|(_, chunk)| chunk.clone()))
    }

    fn check_writable(&self) -> Result<(), LogError> {
        match &self.state().stopped {
            Some(reason) => Err(LogError::Stopped { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}
