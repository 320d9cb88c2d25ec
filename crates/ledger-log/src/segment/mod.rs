//! Segments: sealed runs of chunks, immutable and self-describing. Exports have the same format.
//!
//! ```text
//! header  magic:8 ("HKLSEG\r\n")  version:u32 (1)  ledger_id:16  partition:u32
//!         first_position:u64  previous:32  crc32:u32 of all before it
//! chunk   length:u32 (not 0)  first_position:u64  events:u32 (not 0)
//!         crc32:u32 of length, position, events and bytes  bytes: a chunk as its parts in sled hold it
//! ...     at least one chunk, each beginning where the one before ends, in position and in the chain
//! index   0:u32  entries:u32  entries × { first_position:u64  offset:u64 }  crc32:u32 of the index before it
//! footer  last_position:u64  hash:32  chunks:u64  index_offset:u64
//!         crc32:u32 of the header without its checksum and of the footer before it
//! ```
//!
//! Integers are big-endian, checksums CRC-32 (IEEE). Nothing follows the footer; a file without one was
//! not finished. `previous` is the hash of the chunk before the first, `hash` that of the last one. The
//! magic ends like a line of text so that a transfer that rewrites line ends is noticed at once.
//!
//! The index has the first chunk, and then each that begins 256 KiB or more behind the chunk of the entry
//! before. So any chunk is found by reading a bounded amount ([`SegmentFile`]), and as the footer stands at a fixed
//! distance from the end, a segment is opened by reading its two ends.
//!
//! A [`FrameReader`] sees to all of that but what the chunks hold; a [`SegmentReader`] decodes them and
//! follows the chain too. What neither does is hash what the chunks hold: that is
//! [`EncodedChunk::verify`], with the identity from the header.

mod file;
mod frames;
mod reader;
mod writer;

pub(crate) use self::file::SegmentFile;
pub use self::frames::FrameReader;
pub use self::reader::SegmentReader;
pub use self::writer::SegmentWriter;

use ledger_event::Position;

#[cfg(doc)]
use crate::EncodedChunk;
use crate::chunk_codec::ENCODED_MAX_BYTES;
use crate::event_log::{ChainHash, LogError};
use crate::identity::LogIdentity;

const MAGIC: [u8; 8] = *b"HKLSEG\r\n";
const VERSION: u32 = 1;
/// Magic and version: what a program reads before it knows whether it can read on.
const PREFIX_BYTES: usize = 12;
/// Identity, first position, previous hash.
const HEADER_FIELDS_BYTES: usize = LogIdentity::BYTES + 8 + 32;
/// Prefix, fields, checksum.
pub(crate) const HEADER_BYTES: usize = PREFIX_BYTES + HEADER_FIELDS_BYTES + 4;
/// Length, first position, count of events, checksum.
pub(crate) const FRAME_HEADER_BYTES: usize = 4 + 8 + 4 + 4;
/// Last position, hash, count of chunks, offset of the index.
const FOOTER_FIELDS_BYTES: usize = 8 + 32 + 8 + 8;
/// Fields, checksum.
const FOOTER_BYTES: usize = FOOTER_FIELDS_BYTES + 4;
/// How far apart the chunks of the index are at least.
const INDEX_STRIDE_BYTES: u64 = 256 * 1024;
const INDEX_ENTRY_BYTES: usize = 16;

/// What a segment says of itself at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Which log its chunks are of.
    pub identity: LogIdentity,
    /// The position of its first event.
    pub first: Position,
    /// The hash of the chunk before its first.
    pub previous: ChainHash,
}

/// What a segment says of itself at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFooter {
    /// The position of its last event.
    pub last: Position,
    /// The hash of its last chunk.
    pub hash: ChainHash,
    /// How many chunks it has.
    pub chunks: u64,
}

/// What stands before the bytes of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) length: u32,
    pub(crate) first: Position,
    events: u32,
    pub(crate) checksum: [u8; 4],
}

impl FrameHeader {
    fn of(first: Position, events: u32, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("a chunk that was decoded is within its bound");
        let unsealed = Self { length, first, events, checksum: [0; 4] };
        Self { checksum: unsealed.checksum_over(bytes), ..unsealed }
    }

    fn to_bytes(self) -> [u8; FRAME_HEADER_BYTES] {
        let mut header = [0; FRAME_HEADER_BYTES];
        header[..4].copy_from_slice(&self.length.to_be_bytes());
        header[4..12].copy_from_slice(&self.first.get().to_be_bytes());
        header[12..16].copy_from_slice(&self.events.to_be_bytes());
        header[16..].copy_from_slice(&self.checksum);
        header
    }

    pub(crate) fn of_bytes(bytes: &[u8; FRAME_HEADER_BYTES]) -> Self {
        Self {
            length: u32::from_be_bytes(bytes[..4].try_into().expect("4 bytes")),
            first: Position::new(u64::from_be_bytes(bytes[4..12].try_into().expect("8 bytes"))),
            events: u32::from_be_bytes(bytes[12..16].try_into().expect("4 bytes")),
            checksum: bytes[16..].try_into().expect("4 bytes"),
        }
    }

    pub(crate) fn checksum_over(&self, bytes: &[u8]) -> [u8; 4] {
        crc(&[&self.to_bytes()[..16], bytes])
    }

    /// Whether such a chunk can be.
    pub(crate) fn is_possible(&self) -> bool {
        let is_bounded = self.length > 0 && self.length as usize <= ENCODED_MAX_BYTES && self.events > 0;
        is_bounded && self.first > Position::START && self.first.get().checked_add(u64::from(self.events)).is_some()
    }

    /// The position after its last event.
    pub(crate) fn next(&self) -> Position {
        self.first.plus(u64::from(self.events))
    }

    /// How many bytes it takes with what stands before it.
    fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.length)
    }
}

/// Where a chunk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IndexEntry {
    first: Position,
    offset: u64,
}

impl IndexEntry {
    fn to_bytes(self) -> [u8; INDEX_ENTRY_BYTES] {
        let mut bytes = [0; INDEX_ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.first.get().to_be_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let (first, offset) = bytes.split_at(8);
        Self {
            first: Position::new(u64::from_be_bytes(first.try_into().expect("8 bytes"))),
            offset: u64::from_be_bytes(offset.try_into().expect("an entry is 16 bytes")),
        }
    }
}

/// How far the frames of a segment were written or read: where the next one must begin.
struct Progress {
    next: Position,
    offset: u64,
    chunks: u64,
    index: Vec<IndexEntry>,
}

impl Progress {
    fn new(header: &SegmentHeader) -> Self {
        Self { next: header.first, offset: HEADER_BYTES as u64, chunks: 0, index: Vec::new() }
    }

    /// Goes on over a frame, which begins at the next position.
    fn advance(&mut self, frame: &FrameHeader) {
        if self.index.last().is_none_or(|entry| self.offset - entry.offset >= INDEX_STRIDE_BYTES) {
            self.index.push(IndexEntry { first: frame.first, offset: self.offset });
        }
        self.next = frame.next();
        self.offset += frame.frame_bytes();
        self.chunks += 1;
    }

    /// The footer that fits a segment which ends here with that hash; `None` before the first chunk.
    fn footer(&self, hash: ChainHash) -> Option<SegmentFooter> {
        let last = Position::new(self.next.get() - 1);
        (self.chunks > 0).then_some(SegmentFooter { last, hash, chunks: self.chunks })
    }

    fn damaged(&self, reason: impl Into<String>) -> LogError {
        damaged(self.next, reason)
    }
}

fn damaged(position: Position, reason: impl Into<String>) -> LogError {
    LogError::Damaged { position, reason: format!("in a segment: {}", reason.into()) }
}

/// The checksum of these bytes in a row.
fn crc(pieces: &[&[u8]]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    for piece in pieces {
        crc.update(piece);
    }
    crc.finalize().to_be_bytes()
}

/// The header without its checksum.
fn header_bytes(header: &SegmentHeader) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&header.identity.to_bytes());
    bytes.extend_from_slice(&header.first.get().to_be_bytes());
    bytes.extend_from_slice(&header.previous.0);
    bytes
}

/// Reads a header and checks it.
fn parse_header(bytes: &[u8; HEADER_BYTES]) -> Result<SegmentHeader, LogError> {
    let damaged = |reason: &str| LogError::Damaged { position: Position::START, reason: reason.to_owned() };
    let (prefix, rest) = bytes.split_at(PREFIX_BYTES);
    let (magic, version) = prefix.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(damaged("it is not a segment"));
    }
    let version = u32::from_be_bytes(version.try_into().expect("4 bytes are left of 12"));
    if version > VERSION {
        return Err(LogError::NewerFormat { what: "the segment", found: version, known: VERSION });
    }
    let (fields, stored) = rest.split_at(HEADER_FIELDS_BYTES);
    if stored != crc(&[prefix, fields]) || version != VERSION {
        return Err(damaged("the checksum of the segment's header does not match"));
    }
    let (identity, rest) = fields.split_at(LogIdentity::BYTES);
    let (first, previous) = rest.split_at(8);
    let header = SegmentHeader {
        identity: LogIdentity::of_bytes(identity.try_into().expect("it was split there")),
        first: Position::new(u64::from_be_bytes(first.try_into().expect("it was split at 8"))),
        previous: ChainHash(previous.try_into().expect("32 bytes are left")),
    };
    match header.first {
        Position::START => Err(damaged("the segment begins before the first position")),
        _ => Ok(header),
    }
}

/// The footer with its checksum.
fn footer_bytes(header: &SegmentHeader, footer: &SegmentFooter, index_offset: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FOOTER_BYTES);
    bytes.extend_from_slice(&footer.last.get().to_be_bytes());
    bytes.extend_from_slice(&footer.hash.0);
    bytes.extend_from_slice(&footer.chunks.to_be_bytes());
    bytes.extend_from_slice(&index_offset.to_be_bytes());
    bytes.extend_from_slice(&crc(&[&header_bytes(header), &bytes]));
    bytes
}

/// Reads a footer and checks it; beside it the offset of the index.
fn parse_footer(header: &SegmentHeader, bytes: &[u8; FOOTER_BYTES]) -> Result<(SegmentFooter, u64), LogError> {
    let (fields, stored) = bytes.split_at(FOOTER_FIELDS_BYTES);
    if stored != crc(&[&header_bytes(header), fields]) {
        return Err(damaged(header.first, "the checksum of the footer does not match: it is cut short or changed"));
    }
    let number = |at: usize| u64::from_be_bytes(fields[at..at + 8].try_into().expect("8 bytes"));
    let footer = SegmentFooter {
        last: Position::new(number(0)),
        hash: ChainHash(fields[8..40].try_into().expect("32 bytes")),
        chunks: number(40),
    };
    Ok((footer, number(48)))
}

#[cfg(test)]
mod tests;
