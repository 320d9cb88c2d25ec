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

use ledger_event::limits::{REQUEST_MAX_BYTES, REQUEST_MAX_EVENTS};
#[cfg(test)]
use ledger_event::{EncodedEvent, StoredEvent};
use ledger_event::{Position, Timestamp};
use rmp::{decode, encode};
use zstd::zstd_safe;

use crate::chain::{ChunkHasher, ChunkSeed, Link};
use crate::event_log::{BoxError, ChainHash, Chunk, Head, LogError};
use crate::identity::LogIdentity;
use crate::packed::{self, PackedEvent, Unpacker};

/// Newest version of the format, and the one that is written.
const VERSION: u8 = 1;

/// More is no smaller, and slower.
const ZSTD_LEVEL: i32 = 1;

/// Most bytes that the events of one request may take in a chunk, before compression. A request in JSON within its own
/// bound stays below it with all that is filled in; one in MessagePack can cross it, as control characters take six
/// bytes of JSON text.
pub(crate) const APPEND_MAX_BYTES: usize = 2 * REQUEST_MAX_BYTES;

/// Most bytes of a chunk before compression. A chunk holds one request of any size or several small ones, so none that
/// is written comes near.
const PLAIN_MAX_BYTES: usize = APPEND_MAX_BYTES + REQUEST_MAX_BYTES;

/// Most bytes of a chunk as stored: what does not compress grows by less than a hundredth.
pub(crate) const ENCODED_MAX_BYTES: usize = PLAIN_MAX_BYTES + PLAIN_MAX_BYTES / 64;

/// How much memory an encoder keeps from one chunk to the next.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// A chunk that is to be stored.
pub(crate) struct PackedChunk {
    pub(crate) link: Link,
    pub(crate) hash: ChainHash,
    pub(crate) seed: ChunkSeed,
    /// How many events it has, at least one.
    pub(crate) count: u64,
    /// Its events, in any number of buffers.
    pub(crate) events: Vec<Vec<u8>>,
}

impl PackedChunk {
    /// That chunk, with the hash that it has.
    #[cfg(test)]
    pub(crate) fn of(chunk: &Chunk, seed: ChunkSeed) -> Self {
        let mut events = Vec::new();
        for StoredEvent { skeleton, bodies } in &chunk.events {
            packed::pack(EncodedEvent { skeleton, bodies }, &mut events);
        }
        let link = Link { first: chunk.first, recorded_at: chunk.recorded_at, previous: chunk.previous };
        Self { link, hash: chunk.hash, seed, count: chunk.events.len() as u64, events: vec![events] }
    }

    /// That chunk, with the hash of its content.
    #[cfg(test)]
    pub(crate) fn hashed(chunk: &Chunk, seed: ChunkSeed, identity: &LogIdentity) -> Self {
        let mut packed = Self::of(chunk, seed);
        let mut hasher = ChunkHasher::begin(identity, &packed.link, &seed, packed.count);
        let mut unpacker = Unpacker::new(&packed.events[0]);
        while let Some(event) = unpacker.next() {
            hasher.push(&event.expect("it was just packed"));
        }
        packed.hash = hasher.finish();
        packed
    }

    /// The end of a log that ends with this chunk.
    pub(crate) fn head(&self) -> Head {
        Head { position: self.link.first.plus(self.count - 1), hash: self.hash }
    }
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

/// The place of a chunk in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub(crate) first: Position,
    /// How many events it has, at least one.
    pub(crate) events: u32,
    pub(crate) previous: ChainHash,
    pub(crate) hash: ChainHash,
}

/// Encodes chunks, with one compression context for all of them.
pub(crate) struct ChunkEncoder {
    compressor: zstd::bulk::Compressor<'static>,
    /// What is compressed.
    plain: Vec<u8>,
    /// What came of it.
    compressed: Vec<u8>,
}

impl ChunkEncoder {
    pub(crate) fn new() -> Result<Self, BoxError> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
        Ok(Self { compressor, plain: Vec::new(), compressed: Vec::new() })
    }

    pub(crate) fn encode(&mut self, chunk: &PackedChunk) -> Result<EncodedChunk, BoxError> {
        self.plain.clear();
        write_head(&mut self.plain, chunk)?;
        for events in &chunk.events {
            self.plain.extend_from_slice(events);
        }
        let length = self.plain.len();
        if length > PLAIN_MAX_BYTES {
            return Err(format!("a chunk of {length} bytes: the bound is {PLAIN_MAX_BYTES}").into());
        }
        self.compressed.clear();
        self.compressed.reserve(zstd_safe::compress_bound(length));
        self.compressor.compress_to_buffer(&self.plain, &mut self.compressed)?;
        let mut bytes = Vec::with_capacity(1 + self.compressed.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.compressed);
        // A rare large chunk does not hold its memory for ever.
        self.plain.shrink_to(KEPT_BYTES);
        self.compressed.shrink_to(KEPT_BYTES);
        Ok(EncodedChunk { first: chunk.link.first, bytes })
    }
}

/// Writes what stands before the events.
fn write_head(plain: &mut Vec<u8>, chunk: &PackedChunk) -> Result<(), BoxError> {
    encode::write_map_len(plain, 6)?;
    encode::write_str(plain, "first")?;
    encode::write_uint(plain, chunk.link.first.get())?;
    encode::write_str(plain, "recorded_at")?;
    encode::write_sint(plain, chunk.link.recorded_at.as_micros())?;
    for (name, bytes) in [("previous", &chunk.link.previous.0), ("hash", &chunk.hash.0), ("seed", &chunk.seed.0)] {
        encode::write_str(plain, name)?;
        encode::write_bin(plain, bytes)?;
    }
    encode::write_str(plain, "events")?;
    encode::write_array_len(plain, u32::try_from(chunk.count)?)?;
    Ok(())
}

/// A chunk as it was unpacked, its events not looked at yet.
struct Plain<'a> {
    first: u64,
    recorded_at: i64,
    previous: ChainHash,
    hash: ChainHash,
    seed: ChunkSeed,
    count: u32,
    events: &'a [u8],
}

fn read_plain(mut rest: &[u8]) -> Result<Plain<'_>, BoxError> {
    let rest = &mut rest;
    if decode::read_map_len(rest)? != 6 {
        return Err("it has other fields".into());
    }
    expect_name(rest, "first")?;
    let first = decode::read_int(rest)?;
    expect_name(rest, "recorded_at")?;
    let recorded_at = decode::read_int(rest)?;
    let mut hashes = [[0; 32]; 3];
    for (name, hash) in ["previous", "hash", "seed"].into_iter().zip(&mut hashes) {
        expect_name(rest, name)?;
        *hash = packed::read_bytes(rest)?.try_into()?;
    }
    expect_name(rest, "events")?;
    let count = decode::read_array_len(rest)?;
    let [previous, hash, seed] = hashes;
    let (previous, hash, seed) = (ChainHash(previous), ChainHash(hash), ChunkSeed(seed));
    Ok(Plain { first, recorded_at, previous, hash, seed, count, events: rest })
}

/// Reads the name of the next field, which must be that one: fields have stood in one order always.
fn expect_name(rest: &mut &[u8], expected: &str) -> Result<(), BoxError> {
    let (name, after) = decode::read_str_from_slice(*rest).map_err(|error| error.to_string())?;
    if name != expected {
        return Err(format!("where {expected} stands there is another field").into());
    }
    *rest = after;
    Ok(())
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
        let plain = self.unpack()?;
        self.chunk_of(&self.read(&plain)?, |_| {})
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
        let plain = self.unpack()?;
        let plain = self.read(&plain)?;
        let link = Link { first: self.first, recorded_at: self.recorded_at(&plain)?, previous: plain.previous };
        let mut hasher = ChunkHasher::begin(identity, &link, &plain.seed, plain.count.into());
        let chunk = self.chunk_of(&plain, |event| hasher.push(event))?;
        if hasher.finish() == chunk.hash {
            return Ok(chunk);
        }
        Err(self.damaged("its content does not match its hash"))
    }

    /// Its place in the chain, as it says itself: neither its events nor its hash are looked at.
    ///
    /// # Errors
    ///
    /// As [`EncodedChunk::decode`].
    pub(crate) fn place(&self) -> Result<ChunkPlace, LogError> {
        let plain = self.unpack()?;
        let plain = self.read(&plain)?;
        Ok(ChunkPlace { first: self.first, events: plain.count, previous: plain.previous, hash: plain.hash })
    }

    /// Its bytes without the compression.
    fn unpack(&self) -> Result<Vec<u8>, LogError> {
        let Some((&version, frame)) = self.bytes.split_first() else { return Err(self.damaged("it is empty")) };
        if version > VERSION {
            return Err(LogError::NewerFormat { what: "a chunk", found: version.into(), known: VERSION.into() });
        }
        if version != VERSION {
            return Err(self.damaged(format!("its version is {version}")));
        }
        self.decompress(frame)
    }

    fn read<'a>(&self, plain: &'a [u8]) -> Result<Plain<'a>, LogError> {
        let plain = read_plain(plain).map_err(|error| self.undecodable(&error))?;
        if plain.first != self.first.get() {
            return Err(self.damaged(format!("it is the chunk of position {}", plain.first)));
        }
        if plain.count == 0 || plain.first == 0 || plain.first.checked_add(plain.count.into()).is_none() {
            return Err(self.damaged("it has no events, or its positions are none"));
        }
        Ok(plain)
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

    fn recorded_at(&self, plain: &Plain<'_>) -> Result<Timestamp, LogError> {
        Timestamp::from_micros(plain.recorded_at).map_err(|_| self.damaged("its time of recording is out of bounds"))
    }

    /// The chunk, each event of which is shown on the way.
    fn chunk_of(&self, plain: &Plain<'_>, mut show: impl FnMut(&PackedEvent<'_, '_>)) -> Result<Chunk, LogError> {
        let recorded_at = self.recorded_at(plain)?;
        let mut unpacker = Unpacker::new(plain.events);
        // The count comes from a disk.
        let mut events = Vec::with_capacity((plain.count as usize).min(REQUEST_MAX_EVENTS));
        while let Some(event) = unpacker.next() {
            let event = event.map_err(|error| self.undecodable(&error))?;
            show(&event);
            events.push(event.to_stored());
        }
        if events.len() != plain.count as usize {
            return Err(self.damaged("it has more events than it counts, or fewer"));
        }
        Ok(Chunk { first: self.first, recorded_at, previous: plain.previous, hash: plain.hash, events })
    }

    fn undecodable(&self, error: &BoxError) -> LogError {
        self.damaged(format!("it cannot be decoded: {error}"))
    }

    fn damaged(&self, reason: impl Into<String>) -> LogError {
        LogError::Damaged { position: self.first, reason: reason.into() }
    }
}

#[cfg(test)]
mod tests;
