//! The append-only log of events: the trait, the log on sled, a log in memory, and one conformance suite.
//!
//! An append goes this way: the sender's thread packs its events into one buffer (`packed`); requests wait in a bounded
//! `queue`; the appender takes what makes one chunk;
//! the pure `sequencer` gives positions, recognizes repeats (`window`) and hashes (`chain`); the chunk is
//! encoded and compressed (`chunk_codec`), made durable in a journal, cut into `parts` for sled, and only then
//! published as the [`Head`] and acknowledged. The log in memory has all of that but the disk.
//!
//! What holds, whatever happens:
//!
//! - Positions are dense from 1; a request is whole in one chunk, in its order, or not there at all.
//! - What is acknowledged, as stored or as a duplicate, is durable. What is readable is durable.
//! - Each chunk names the hash of the one before: [`verify`] walks along them.
//! - After a failed write or sync nothing is written any more, until the log is opened again.
//! - The bytes of a chunk are the same in sled, in a segment ([`SegmentWriter`]) and in an export, and
//!   what one version wrote every later one reads.

pub mod background;
mod chain;
mod chunk_codec;
mod clock;
mod cold;
#[cfg(feature = "conformance")]
pub mod conformance;
mod event_log;
mod fingerprint;
mod hex;
mod identity;
mod memory_log;
mod packed;
mod parts;
mod queue;
mod restore;
mod segment;
mod sequencer;
mod signed_head;
mod sled_log;
mod verify;
mod window;

pub use chunk_codec::EncodedChunk;
pub use clock::Clock;
pub use cold::{Archive, NewSegment, SealedSegment, segment_path, tail_path};
pub use event_log::{
    Append, AppendBuilder, AppendError, Appended, BoxError, ChainHash, Chunk, EventLog, Head, LogError, NotAHead,
    PendingAppend,
};
pub use identity::{LedgerId, LogIdentity};
pub use memory_log::{MemoryLog, MemoryLogOptions};
pub use restore::{Restored, identities, restore};
pub use segment::{FrameReader, SegmentFooter, SegmentHeader, SegmentReader, SegmentWriter};
pub use signed_head::{HeadSigner, NotAVerifierKey, SignedHead, SignedHeadError, VerifierKey};
pub use sled_log::{
    DEFAULT_CACHE_BYTES, DEFAULT_CHUNK_TARGET_BYTES, DEFAULT_CHUNK_TARGET_EVENTS, DEFAULT_HOT_MAX_BYTES,
    DEFAULT_IDEMPOTENCE_WINDOW_EVENTS, DEFAULT_JOURNAL_FILE_MAX_BYTES, DEFAULT_QUEUE_MAX_BYTES,
    DEFAULT_QUEUE_MAX_REQUESTS, DEFAULT_SEGMENT_TARGET_BYTES, Salvaged, Sealing, SledLog, SledLogOptions, salvage,
    was_closed_well, witnessed_head,
};
pub use verify::{Chain, ChainWalk, verify};
