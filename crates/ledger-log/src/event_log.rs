//! What every log does.

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;

use ledger_event::{CompletedEvent, EventEncoder, EventId, Position, StoredEvent, Timestamp};
use tokio::sync::watch;

use crate::chunk_codec::EncodedChunk;
use crate::fingerprint::{Fingerprint, Marks};
use crate::hex::{self, Hex};
use crate::identity::LogIdentity;
use crate::packed::pack;

/// How much memory is taken for an event before its size is known.
const EVENT_LIKELY_BYTES: usize = 512;

/// The source of an error below the log, whatever the engine.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An append-only log of events, in one order, by position.
///
/// `append` may be called from anywhere; what reads chunks reads files, and belongs off the async runtime.
pub trait EventLog: Send + Sync + 'static {
    /// Which log it is.
    fn identity(&self) -> LogIdentity;

    /// Appends the events of one request: all of them, in order, in one chunk, or none.
    ///
    /// An event whose (workspace, id) is in the idempotence window with the same content is a
    /// duplicate: not stored again, and acknowledged once its original is durable.
    /// The answer comes when everything it speaks of survives power loss.
    ///
    /// The request is queued by the call itself, before the future is first polled; a future that is
    /// dropped takes nothing back.
    fn append(&self, request: Append) -> PendingAppend;

    /// The last durable event.
    fn head(&self) -> Head {
        *self.watch_head().borrow()
    }

    /// The last durable event, and each later one.
    fn watch_head(&self) -> watch::Receiver<Head>;

    /// Reads the chunk that holds the event at `position`; `None` when it is beyond the head.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when what is stored does not match its checksums, is no chunk, or is not the
    /// one that belongs there. Hashing its content is left to whoever verifies the log.
    fn chunk_at(&self, position: Position) -> Result<Option<Chunk>, LogError>;

    /// Reads that chunk as it is stored: to verify it, or to copy it. `None` when it is beyond the head.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when what is stored does not match its checksums, or is not all there.
    fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError>;

    /// Whether the log takes appends; if not, why it stopped.
    ///
    /// # Errors
    ///
    /// [`LogError::Stopped`] once a write or sync has failed.
    fn check_writable(&self) -> Result<(), LogError>;
}

/// An append under way.
pub type PendingAppend = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send>>;

/// The events of one request, encoded: all that can be done for it by itself, before it waits for its turn.
#[derive(Clone, Debug, Default)]
pub struct Append {
    events: Vec<PreparedEvent>,
    /// The events as they will lie in a chunk.
    packed: Vec<u8>,
}

/// What tells an event of a request apart from others, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PreparedEvent {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) occurred_at_given: bool,
    /// Where it ends among the packed ones.
    pub(crate) end: usize,
}

impl Append {
    /// Prepares the events of one request, in the sender's order. It takes about a microsecond per event.
    #[must_use]
    pub fn new(events: Vec<CompletedEvent>) -> Self {
        let mut builder = AppendBuilder::default();
        builder.append.events.reserve_exact(events.len());
        builder.append.packed.reserve_exact(events.len() * EVENT_LIKELY_BYTES);
        for event in events {
            builder.push(event);
        }
        builder.finish()
    }

    /// How many events it has.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// How many bytes they take in a chunk, before compression.
    pub(crate) fn bytes(&self) -> usize {
        self.packed.len()
    }

    pub(crate) fn into_parts(self) -> (Vec<PreparedEvent>, Vec<u8>) {
        (self.events, self.packed)
    }
}

/// Prepares the events of one request as they come, so that none waits for the others in a larger form.
#[derive(Debug, Default)]
pub struct AppendBuilder {
    append: Append,
    encoder: EventEncoder,
}

impl AppendBuilder {
    /// Adds the sender's next event.
    pub fn push(&mut self, CompletedEvent { event, occurred_at_given }: CompletedEvent) {
        let Append { events, packed } = &mut self.append;
        let marks = Marks::of(&event);
        let encoded = self.encoder.encode(event);
        pack(encoded, packed);
        events.push(PreparedEvent { fingerprint: marks.with_content(&encoded), occurred_at_given, end: packed.len() });
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.append.events.is_empty()
    }

    /// The request of all that was added.
    #[must_use]
    pub fn finish(mut self) -> Append {
        // It may wait in the queue, which counts what is in it.
        self.append.packed.shrink_to_fit();
        self.append.events.shrink_to_fit();
        self.append
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// How many events were stored.
    pub appended: u64,
    /// How many were stored before, or stood in the request before.
    pub duplicates: u64,
    /// First and last position of those stored; `None` when all were duplicates.
    pub positions: Option<(Position, Position)>,
    /// Once views have reached this position, they show every event of the request, duplicates too.
    pub readable_at: Position,
}

/// A link of the chain: the hash of a chunk and, through it, of everything before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// Before the first chunk.
    pub const START: ChainHash = ChainHash([0; 32]);
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a log. It is written as `POSITION:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last durable position; [`Position::START`] of an empty log.
    pub position: Position,
    /// The hash of the chunk that ends there; [`ChainHash::START`] of an empty log.
    pub hash: ChainHash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, self.hash)
    }
}

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let read = || {
            let (position, hash) = text.split_once(':')?;
            Some(Self { position: Position::new(position.parse().ok()?), hash: ChainHash(hex::read(hash)?) })
        };
        read().ok_or_else(|| NotAHead { text: text.to_owned() })
    }
}

/// Why a text is no [`Head`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a position, a colon, and a hash of 64 hexadecimal digits")]
pub struct NotAHead {
    text: String,
}

/// The events of one group commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// The position of its first event.
    pub first: Position,
    /// When it was made durable by our clock; never earlier than that of the chunk before.
    pub recorded_at: Timestamp,
    /// The hash of the chunk before.
    pub previous: ChainHash,
    /// The hash of this one.
    pub hash: ChainHash,
    /// Its events, at least one.
    pub events: Vec<StoredEvent>,
}

impl Chunk {
    /// The position of its last event.
    #[must_use]
    pub fn last(&self) -> Position {
        self.first.plus(self.events.len() as u64 - 1)
    }

    /// The end of a log that ends with this chunk.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { position: self.last(), hash: self.hash }
    }
}

/// Why a request was not appended. Nothing of it was stored, unless the log stopped: then it may or
/// may not be found after a restart, and sending it again under the same ids is safe.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// More requests wait than the queue holds.
    #[error("the append queue is full")]
    QueueFull,
    /// An id was used before, with other content.
    #[error("event {index} reuses the id {id} with other content")]
    IdReused {
        /// Which event of the request, from 0.
        index: usize,
        /// Its id.
        id: EventId,
    },
    /// The request is larger than a chunk can be. Sending it again will not help; sending it in two will.
    #[error("a request of {events} events and {bytes} bytes, as the log stores them, is too large")]
    TooLarge {
        /// How many events it has.
        events: usize,
        /// How many bytes its events take.
        bytes: usize,
    },
    /// The log takes no appends any more.
    #[error("the log has stopped")]
    Stopped(#[source] LogError),
}

/// What can go wrong below the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be opened.
    #[error("cannot open the log")]
    Open(#[source] BoxError),
    /// It was written by a newer version of this program.
    #[error("{what} has format {found}; this program reads formats up to {known}: use a newer version")]
    NewerFormat {
        /// What was written: the log, a chunk, a segment.
        what: &'static str,
        /// The format that was found.
        found: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// A segment file cannot be written or read.
    #[error("cannot {action} the segment")]
    Segment {
        /// What was being done.
        action: &'static str,
        /// Why.
        source: BoxError,
    },
    /// It cannot be read.
    #[error("cannot read the log at position {position}")]
    Read {
        /// Where.
        position: Position,
        /// Why.
        source: BoxError,
    },
    /// What is stored does not match its checksums or the chain.
    #[error("the chunk at position {position} is damaged: {reason}")]
    Damaged {
        /// The first position of the chunk.
        position: Position,
        /// What does not match.
        reason: String,
    },
    /// A sealed segment is not what was written.
    #[error("the segment {} is damaged at position {position}: {reason}", path.display())]
    SegmentDamaged {
        /// Its file.
        path: PathBuf,
        /// Where; the position before the first when it is not known.
        position: Position,
        /// What does not match.
        reason: String,
    },
    /// The hot tier and the sealed segments are not of one log, or something is missing between them.
    #[error("the log's hot tier does not fit its sealed segments: {reason}")]
    TiersApart {
        /// What is missing or differs, and where.
        reason: String,
    },
    /// A write or sync failed, or the log was closed; it takes no appends until it is opened again.
    #[error("the log takes no appends: {reason}")]
    Stopped {
        /// What failed.
        reason: String,
    },
}

impl LogError {
    /// Whether what is stored is damaged or lost, so that the log must be restored from what is whole.
    #[must_use]
    pub fn is_mended_by_restore(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::SegmentDamaged { .. } | Self::TiersApart { .. } => true,
            Self::Open(source) => !is_of_the_system(source.as_ref()),
            Self::Read { source, .. } => !is_of_the_system(source.as_ref()),
            Self::NewerFormat { .. } | Self::Segment { .. } | Self::Stopped { .. } => false,
        }
    }

    /// Names the segment in which damage was found.
    pub(crate) fn in_segment(self, path: &Path) -> Self {
        let Self::Damaged { position, reason } = self else { return self };
        let reason = reason.strip_prefix("in a segment: ").map(str::to_owned).unwrap_or(reason);
        Self::SegmentDamaged { path: path.to_owned(), position, reason }
    }
}

/// Whether the operating system refused something, as opposed to the storage engine finding damage: of which a file
/// that is too short is one form.
fn is_of_the_system(source: &(dyn std::error::Error + 'static)) -> bool {
    let of_sled = match source.downcast_ref() {
        Some(sled::Error::Io(error)) => Some(error),
        Some(_) | None => None,
    };
    let refused = source.downcast_ref::<std::io::Error>().or(of_sled);
    refused.is_some_and(|error| !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = Head { position: Position::new(970), hash: ChainHash([0xa5; 32]) };
        let text = head.to_string();
        assert_eq!(text, format!("970:{}", "a5".repeat(32)));
        assert_eq!(text.parse(), Ok(head));
        for wrong in ["", "970", "970:", "x:00", &text[..text.len() - 1], &text.replace('a', "g"), &format!("{text}0")]
        {
            let error = wrong.parse::<Head>().expect_err("it is none").to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
        }
    }
}
