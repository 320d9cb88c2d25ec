//! The log on sled.
//!
//! - `open` brings a directory to a log whose tail is whole and durable.
//! - `appender` gathers what waits in the queue into a chunk, with positions and hash; `committer` encodes it, makes it
//!   durable in the `journal`, gives it to sled, publishes the head, answers. Under load the one works on the next chunk
//!   meanwhile.
//! - `read` serves chunks to anybody, up to the published head and never beyond: what stands in sled
//!   beyond it is not durable yet.
//! - `sealer` is another thread, which follows the head: it makes segments of what is old and takes it out of
//!   sled; `tiers` reads both as one log.
//!
//! A log fails once and for all: after a failed write or sync nobody knows what the disk holds,
//! and only opening the log again finds out.

mod appender;
mod clean_end;
mod committer;
mod disk;
mod guard;
mod journal;
mod open;
mod options;
mod read;
mod rebuild;
mod sealer;
mod store;
mod tail;
mod tiers;
mod witness;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use ledger_event::Position;
use sled::Tree;
use tokio::sync::watch;

pub use self::clean_end::was_closed_well;
pub use self::options::{
    DEFAULT_CACHE_BYTES, DEFAULT_CHUNK_TARGET_BYTES, DEFAULT_CHUNK_TARGET_EVENTS, DEFAULT_HOT_MAX_BYTES,
    DEFAULT_IDEMPOTENCE_WINDOW_EVENTS, DEFAULT_JOURNAL_FILE_MAX_BYTES, DEFAULT_QUEUE_MAX_BYTES,
    DEFAULT_QUEUE_MAX_REQUESTS, DEFAULT_SEGMENT_TARGET_BYTES, SledLogOptions,
};
pub(crate) use self::rebuild::HotWriter;
pub use self::rebuild::{Salvaged, salvage};
pub use self::sealer::Sealing;
pub use self::witness::witnessed_head;

use self::appender::Appender;
use self::committer::Committer;
use self::disk::Disk;
use self::open::Opened;
use self::sealer::{Sealer, Unsealed};
use crate::background;
use crate::chunk_codec::{ChunkEncoder, EncodedChunk};
use crate::cold::{Archive, Catalog, SealedSegment};
use crate::event_log::{Append, AppendError, Chunk, EventLog, Head, LogError, PendingAppend};
use crate::identity::LogIdentity;
use crate::queue::Queue;
use crate::sequencer::Sequencer;

/// A log on sled, in a directory of its own.
///
/// Dropping it finishes what is queued, as [`SledLog::close`] does, and closes its files.
pub struct SledLog {
    shared: Arc<Shared>,
    appender: Mutex<Option<JoinHandle<()>>>,
    sealer: Mutex<Option<JoinHandle<()>>>,
    stop_sealing: watch::Sender<bool>,
    committer: Arc<Mutex<Committer>>,
}

/// What readers, senders, the appender and the sealer share.
struct Shared {
    chunks: Tree,
    cold: Catalog,
    sealing: watch::Sender<Sealing>,
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
    /// damaged; [`LogError::NewerFormat`]; [`LogError::Damaged`] when the last chunk is not right, or chunks are
    /// missing between the tiers or at the end; [`LogError::SegmentDamaged`] when a segment is missing, or its ends are not right;
    /// [`LogError::TiersApart`].
    pub fn open(options: SledLogOptions) -> Result<Self, LogError> {
        Self::open_with(options, |disk| disk)
    }

    /// As [`SledLog::open`], with what stands between the appender and the disk.
    fn open_with(options: SledLogOptions, wrap: impl FnOnce(Box<dyn Disk>) -> Box<dyn Disk>) -> Result<Self, LogError> {
        let Opened { chunks, cold, disk, identity, head, recorded_at } = open::open(&options)?;
        let sealed = cold.end().position;
        let oldest = tiers::oldest_in(&chunks)?.unwrap_or(sealed.next());
        let sealing = Sealing {
            sealed,
            archived: Position::START,
            oldest_hot: oldest,
            hot_bytes: 0,
            failure: None,
            archive_failure: None,
        };
        let shared = Arc::new(Shared {
            chunks,
            cold,
            sealing: watch::Sender::new(sealing),
            identity,
            queue: Queue::new(options.queue_bounds()),
            head: watch::Sender::new(head),
        });
        let encoder = ChunkEncoder::new().map_err(LogError::Open)?;
        let committer = Committer::new(Arc::clone(&shared), encoder, wrap(Box::new(disk)));
        let committer = Arc::new(Mutex::new(committer));
        let appender = Appender {
            shared: Arc::clone(&shared),
            sequencer: Sequencer::new(identity, head, recorded_at, options.idempotence_window_events),
            committer: Arc::clone(&committer),
            clock: options.clock,
        };
        let stop_sealing = watch::Sender::new(false);
        let sealer = Sealer {
            shared: Arc::clone(&shared),
            segment_target_bytes: options.segment_target_bytes,
            hot_max_bytes: options.hot_max_bytes,
            archive: options.archive_dir.as_deref().map(Archive::new),
            stop: stop_sealing.subscribe(),
            log_dir: options.dir,
            noted: head,
            unsealed: Unsealed { counted_to: sealed, bytes: 0 },
        };
        let not_started = |error: io::Error| LogError::Open(error.into());
        let appending = thread::Builder::new().name("log-appender".to_owned()).spawn(move || appender.run());
        let appender = Mutex::new(Some(appending.map_err(not_started)?));
        // From here on dropping it ends the appender.
        let log = Self { shared, appender, sealer: Mutex::default(), stop_sealing, committer };
        let sealing = background::spawn("log-sealer", move || sealer.run()).map_err(not_started)?;
        *log.sealer.lock().unwrap_or_else(PoisonError::into_inner) = Some(sealing);
        Ok(log)
    }

    /// How far sealing has come, and each further step.
    #[must_use]
    pub fn watch_sealing(&self) -> watch::Receiver<Sealing> {
        self.shared.sealing.subscribe()
    }

    /// The segments that are sealed now, by rising position.
    #[must_use]
    pub fn segments(&self) -> Vec<Arc<SealedSegment>> {
        self.shared.cold.list()
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
        self.stop_sealing.send_replace(true);
        let mut sealer = self.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = sealer.take() {
            // What it was in the middle of is no segment yet, and is begun anew by the next one.
            let _ = thread.join();
            // From here on nobody writes: neither what is appended, nor what is trimmed.
            appender::lock(&self.committer).close();
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
        self.shared.chunk_at(position, head).map(Some)
    }

    fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError> {
        if position == Position::START || position > self.head().position {
            return Ok(None);
        }
        self.shared.encoded_chunk_at(position).map(Some)
    }

    fn check_writable(&self) -> Result<(), LogError> {
        self.shared.queue.check_open()
    }
}

#[cfg(test)]
mod tests;
