//! The bytes of a chunk: in sled's parts, in segments and in exports the same.
//!
//! ```text
//! version:u8 (1)  one zstd frame that states its content's size, of MessagePack:
//!   { "first": u64, "recorded_at": i64 (microseconds), "previous": bin 32, "hash": bin 32, "seed": bin 32,
//!     "events": [ { "e": [ skeleton: bin, [ [slot: u8, body: bin], ... ] ] }, ... ] }
//! ```
//!
//! An event stands under the name of its form: `e` is an event with all its bodies. Other forms (bodies
//! erased, the event dropped) will be other names beside it, and come with a higher version, so that a
//! program that does not know them says so instead of calling the chunk damaged.
//!
//! The checksum of the bytes is the business of whoever stores them.

use std::borrow::Cow;

use ledger_event::limits::REQUEST_MAX_BYTES;
use ledger_event::{Body, BodySlot, Position, StoredEvent, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, Bytes};
use zstd::zstd_safe;

use crate::chain::{self, ChunkSeed};
use crate::event_log::{BoxError, ChainHash, Chunk, LogError};
use crate::identity::LogIdentity;

/// Newest version of the format, and the one that is written.
const VERSION: u8 = 1;

/// More is no smaller, and slower.
const ZSTD_LEVEL: i32 = 1;

/// Most bytes that the events of one request may take as [`event_bytes`] counts them. A request in JSON
/// within its own bound stays below it with all that is filled in; one in MessagePack can cross it, as
/// control characters take six bytes of JSON text.
pub(crate) const APPEND_MAX_BYTES: usize = 2 * REQUEST_MAX_BYTES;

/// Most bytes of a chunk before compression. A chunk holds one request of any size or several small
/// ones, and [`event_bytes`] counts what encoding adds, so none that is written comes near.
const PLAIN_MAX_BYTES: usize = APPEND_MAX_BYTES + REQUEST_MAX_BYTES;

/// Most bytes of a chunk as stored: what does not compress grows by less than a hundredth.
pub(crate) const ENCODED_MAX_BYTES: usize = PLAIN_MAX_BYTES + PLAIN_MAX_BYTES / 64;

/// How much memory an encoder keeps from one chunk to the next.
const PLAIN_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// What encoding adds to an event, and to a body, at most.
const EVENT_OVERHEAD_BYTES: usize = 16;
const BODY_OVERHEAD_BYTES: usize = 8;

/// How many bytes an event takes in a chunk at most, before compression.
pub(crate) fn event_bytes(event: &StoredEvent) -> usize {
    let bodies: usize = event.bodies.iter().map(|body| BODY_OVERHEAD_BYTES + body.bytes.len()).sum();
    EVENT_OVERHEAD_BYTES + event.skeleton.len() + bodies
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    first: u64,
    recorded_at: i64,
    previous: ByteArray<32>,
    hash: ByteArray<32>,
    seed: ByteArray<32>,
    events: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
enum Entry<'a> {
    #[serde(rename = "e")]
    Event(Cow<'a, Bytes>, Vec<(u8, Cow<'a, Bytes>)>),
}

/// A chunk as it is stored, not necessarily whole: it came from a disk.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedChunk {
    first: Position,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for EncodedChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EncodedChunk(first {}, {} bytes)", self.first, self.bytes.len())
    }
}

/// Encodes chunks, with one compression context for all of them.
pub(crate) struct ChunkEncoder {
    compressor: zstd::bulk::Compressor<'static>,
    /// What is compressed.
    plain: Vec<u8>,
}

impl ChunkEncoder {
    pub(crate) fn new() -> Result<Self, BoxError> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(ZSTD_LEVEL)?, plain: Vec::new() })
    }

    pub(crate) fn encode(&mut self, chunk: &Chunk, seed: &ChunkSeed) -> Result<EncodedChunk, BoxError> {
        let record = Record {
            first: chunk.first.get(),
            recorded_at: chunk.recorded_at.as_micros(),
            previous: ByteArray::new(chunk.previous.0),
            hash: ByteArray::new(chunk.hash.0),
            seed: ByteArray::new(seed.0),
            events: chunk.events.iter().map(entry).collect(),
        };
        self.plain.clear();
        rmp_serde::encode::write_named(&mut self.plain, &record)?;
        let length = self.plain.len();
        if length > PLAIN_MAX_BYTES {
            return Err(format!("a chunk of {length} bytes: the bound is {PLAIN_MAX_BYTES}").into());
        }
        let mut bytes = vec![0; 1 + zstd_safe::compress_bound(length)];
        bytes[0] = VERSION;
        let compressed = self.compressor.compress_to_buffer(&self.plain, &mut bytes[1..])?;
        bytes.truncate(1 + compressed);
        // A rare large chunk does not hold its memory for ever.
        self.plain.shrink_to(PLAIN_KEPT_BYTES);
        Ok(EncodedChunk { first: chunk.first, bytes })
    }
}

fn entry(event: &StoredEvent) -> Entry<'_> {
    let bodies = event.bodies.iter().map(|body| (body.slot as u8, Cow::Borrowed(Bytes::new(&body.bytes))));
    Entry::Event(Cow::Borrowed(Bytes::new(&event.skeleton)), bodies.collect())
}

impl EncodedChunk {
    /// Takes bytes that were stored as the chunk from `first`; nothing of them is checked yet.
    #[must_use]
    pub fn of_stored(first: Position, bytes: Vec<u8>) -> Self {
        Self { first, bytes }
    }

    /// The position of its first event, by where it is stored.
    #[must_use]
    pub fn first(&self) -> Position {
        self.first
    }

    /// The bytes as they are stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Decodes it, without looking at the chain.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when the bytes are not those of a chunk, or of one that begins elsewhere;
    /// [`LogError::NewerFormat`] when a newer version wrote them.
    pub fn decode(&self) -> Result<Chunk, LogError> {
        self.decode_with_seed().map(|(chunk, _)| chunk)
    }

    /// Decodes it, and verifies that its hash is that of its content in the log of that identity.
    ///
    /// That it follows the chunk before it, by position and by [`Chunk::previous`], is for the caller
    /// to see.
    ///
    /// # Errors
    ///
    /// As [`EncodedChunk::decode`]; and [`LogError::Damaged`] when the hash is another.
    pub fn verify(&self, identity: &LogIdentity) -> Result<Chunk, LogError> {
        let (chunk, seed) = self.decode_with_seed()?;
        if chain::recompute(identity, &chunk, &seed) == chunk.hash {
            return Ok(chunk);
        }
        Err(self.damaged("its content does not match its hash"))
    }

    fn decode_with_seed(&self) -> Result<(Chunk, ChunkSeed), LogError> {
        let Some((&version, frame)) = self.bytes.split_first() else { return Err(self.damaged("it is empty")) };
        if version > VERSION {
            return Err(LogError::NewerFormat { what: "a chunk", found: version.into(), known: VERSION.into() });
        }
        if version != VERSION {
            return Err(self.damaged(format!("its version is {version}")));
        }
        let plain = self.decompress(frame)?;
        let mut rest = plain.as_slice();
        let record = Record::deserialize(&mut rmp_serde::Deserializer::new(&mut rest))
            .map_err(|error| self.damaged(format!("it cannot be decoded: {error}")))?;
        if !rest.is_empty() {
            return Err(self.damaged("bytes follow what was decoded"));
        }
        self.chunk_of(record)
    }

    fn decompress(&self, frame: &[u8]) -> Result<Vec<u8>, LogError> {
        let size = zstd_safe::get_frame_content_size(frame).ok().flatten();
        let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= PLAIN_MAX_BYTES);
        let Some(size) = size else {
            return Err(self.damaged("its compressed form has no size, or one beyond the bound"));
        };
        if zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
            return Err(self.damaged("its compressed form is not one frame"));
        }
        zstd::bulk::decompress(frame, size).map_err(|error| self.damaged(format!("it cannot be decompressed: {error}")))
    }

    fn chunk_of(&self, record: Record<'_>) -> Result<(Chunk, ChunkSeed), LogError> {
        if record.first != self.first.get() {
            return Err(self.damaged(format!("it is the chunk of position {}", record.first)));
        }
        let count = record.events.len() as u64;
        if count == 0 || record.first == 0 || record.first.checked_add(count).is_none() {
            return Err(self.damaged("it has no events, or its positions are none"));
        }
        let recorded_at = Timestamp::from_micros(record.recorded_at)
            .map_err(|_| self.damaged("its time of recording is out of bounds"))?;
        let mut events = Vec::with_capacity(record.events.len());
        for entry in record.events {
            events.push(self.event_of(entry)?);
        }
        let chunk = Chunk {
            first: self.first,
            recorded_at,
            previous: ChainHash(record.previous.into_array()),
            hash: ChainHash(record.hash.into_array()),
            events,
        };
        Ok((chunk, ChunkSeed(record.seed.into_array())))
    }

    fn event_of(&self, entry: Entry<'_>) -> Result<StoredEvent, LogError> {
        let Entry::Event(skeleton, stored) = entry;
        let mut bodies: Vec<Body> = Vec::with_capacity(stored.len());
        for (number, bytes) in stored {
            let slot = BodySlot::of(number).ok_or_else(|| self.damaged(format!("a body has the slot {number}")))?;
            if bodies.last().is_some_and(|before| before.slot >= slot) {
                return Err(self.damaged("the bodies of an event are not in order"));
            }
            bodies.push(Body { slot, bytes: bytes.into_owned().into_vec() });
        }
        Ok(StoredEvent { skeleton: skeleton.into_owned().into_vec(), bodies })
    }

    fn damaged(&self, reason: impl Into<String>) -> LogError {
        LogError::Damaged { position: self.first, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests;
