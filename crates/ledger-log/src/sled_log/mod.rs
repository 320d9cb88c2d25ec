//! The log on sled.
//!
//! - `open` brings a directory to a log whose tail is whole and durable.
//! - `appender` gathers what waits in the queue into a chunk, with positions and hash; `committer` encodes it, makes it
//!   durable in the `journal`, gives it to sled, publishes the head, answers. Under load the one works on the next chunk
//!   meanwhile.
//! - `read` serves chunks to anybody, up to the published head and never beyond: what stands in sled
//!   beyond it is not durable yet.
//!
//! A log fails once and for all: after a failed write or sync nobody knows what the disk holds,
//! and only opening the log again finds out.

mod appender;
mod committer;
mod disk;
mod guard;
mod journal;
mod open;
mod options;
mod read;
mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ledger_event::Position;
use sled::Tree;
use tokio::sync::watch;

pub use self::options::{
    DEFAULT_CACHE_BYTES, DEFAULT_CHUNK_TARGET_BYTES, DEFAULT_CHUNK_TARGET_EVENTS, DEFAULT_IDEMPOTENCE_WINDOW_EVENTS,
    DEFAULT_JOURNAL_FILE_MAX_BYTES, DEFAULT_QUEUE_MAX_BYTES, DEFAULT_QUEUE_MAX_REQUESTS, SledLogOptions,
};

use self::appender::Appender;
use self::committer::Committer;
use self::disk::Disk;
use self::open::Opened;
use crate::chunk_codec::{ChunkEncoder, EncodedChunk};
use crate::event_log::{Append, AppendError, BoxError, Chunk, EventLog, Head, LogError, PendingAppend};
use crate::identity::LogIdentity;
use crate::queue::Queue;
use crate::sequencer::Sequencer;

/// A log on sled, in a directory of its own.
///
/// Dropping it finishes what is queued, as [`SledLog::close`] does, and closes its files.
pub struct SledLog {
    shared: Arc<Shared>,
    appender: Mutex<Option<JoinHandle<()>>>,
}

/// What readers, senders and the appender share.
struct Shared {
    chunks: Tree,
    identity: LogIdentity,
    queue: Queue,
    head: watch::Sender<Head>,
}

impl SledLog {
    /// Opens a log, or makes an empty one.
    ///
    /// A chunk at its end that was not written whole is discarded. Reads can begin when it returns; the
    /// first append waits until the newest events have been read back into the idempotence window.
    ///
    /// # Errors
    ///
    /// [`LogError::Open`] when the files cannot be opened, another process has them, or sled finds them
    /// damaged; [`LogError::NewerFormat`]; [`LogError::Damaged`] when the last chunk is not right.
    pub fn open(options: SledLogOptions) -> Result<Self, LogError> {
        Self::open_with(options, |disk| disk)
    }

    /// As [`SledLog::open`], with what stands between the appender and the disk.
    fn open_with(options: SledLogOptions, wrap: impl FnOnce(Box<dyn Disk>) -> Box<dyn Disk>) -> Result<Self, LogError> {
        let Opened { chunks, disk, identity, head, recorded_at } = open::open(&options)?;
        let shared = Arc::new(Shared {
            chunks,
            identity,
            queue: Queue::new(options.queue_bounds()),
            head: watch::Sender::new(head),
        });
        let encoder = ChunkEncoder::new().map_err(LogError::Open)?;
        let committer = Committer::new(Arc::clone(&shared), encoder, wrap(Box::new(disk)));
        let appender = Appender {
            shared: Arc::clone(&shared),
            sequencer: Sequencer::new(identity, head, recorded_at, options.idempotence_window_events),
            committer: Arc::new(Mutex::new(committer)),
            clock: options.clock,
        };
        let thread = std::thread::Builder::new()
            .name("log-appender".to_owned())
            .spawn(move || appender.run())
            .map_err(|error| LogError::Open(error.into()))?;
        Ok(Self { shared, appender: Mutex::new(Some(thread)) })
    }

    /// Takes no more appends, finishes those that are queued, and waits for that: it blocks. Reads go on.
    pub fn close(&self) {
        self.shared.queue.close(appender::CLOSED);
        // Whoever closes it at the same time waits here for the same end.
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = appender.take() {
            // It catches its own panics, and has said what it died of.
            let _ = thread.join();
        }
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        self.close();
    }
}

impl EventLog for SledLog {
    fn identity(&self) -> LogIdentity {
        self.shared.identity
    }

    fn append(&self, request: Append) -> PendingAppend {
        let pushed = self.shared.queue.push(request);
        Box::pin(async move {
            let ended = || LogError::Stopped { reason: "the appender ended before it could answer".to_owned() };
            pushed?.await.unwrap_or_else(|_| Err(AppendError::Stopped(ended())))
        })
    }

    fn head(&self) -> Head {
        *self.shared.head.borrow()
    }

    fn watch_head(&self) -> watch::Receiver<Head> {
        self.shared.head.subscribe()
    }

    fn chunk_at(&self, position: Position) -> Result<Option<Chunk>, LogError> {
        let head = self.head().position;
        if position == Position::START || position > head {
            return Ok(None);
        }
        read::chunk_at(&self.shared.chunks, position, head).map(Some)
    }

    fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError> {
        if position == Position::START || position > self.head().position {
            return Ok(None);
        }
        read::encoded_chunk_at(&self.shared.chunks, position).map(Some)
    }

    fn check_writable(&self) -> Result<(), LogError> {
        self.shared.queue.check_open()
    }
}

impl Shared {
    /// The first position that sled holds; that after the head of an empty log.
    fn oldest(&self) -> Result<Position, LogError> {
        let failed = |source: BoxError| LogError::Read { position: Position::START, source };
        let first = guard::guarded(|| self.chunks.first()).and_then(|first| Ok(first?)).map_err(failed)?;
        match first {
            Some((key, _)) => Ok(read::part_key(Position::START, &key)?.first),
            None => Ok(self.head.borrow().position.next()),
        }
    }
}

#[cfg(test)]
mod tests;
