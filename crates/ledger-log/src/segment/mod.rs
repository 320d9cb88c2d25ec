//! Segments: sealed runs of chunks, immutable and self-describing. Exports have the same format.
//!
//! ```text
//! header  magic:8 ("HKLSEG\r\n")  version:u32 (1)  ledger_id:16  partition:u32
//!         first_position:u64  previous:32  crc32:u32 of all before it
//! chunk   length:u32 (not 0)  crc32:u32 of length and bytes  bytes: a chunk as its parts in sled hold it
//! ...     at least one chunk, each beginning where the one before ends, in position and in the chain
//! footer  0:u32  last_position:u64  hash:32  chunks:u64  crc32:u32 of the footer before it
//! ```
//!
//! Integers are big-endian, checksums CRC-32 (IEEE). Nothing follows the footer; a file without one was
//! not finished. `previous` is the hash of the chunk before the first, `hash` that of the last one. The
//! magic ends like a line of text so that a transfer that rewrites line ends is noticed at once.
//!
//! A reader sees to all of that. What it does not do is hash what the chunks hold: that is
//! [`EncodedChunk::verify`], with the identity from the header.

mod reader;
mod writer;

pub use self::reader::SegmentReader;
pub use self::writer::SegmentWriter;

use ledger_event::Position;

#[cfg(doc)]
use crate::EncodedChunk;
use crate::event_log::{ChainHash, Chunk, LogError};
use crate::identity::LogIdentity;

const MAGIC: [u8; 8] = *b"HKLSEG\r\n";
const VERSION: u32 = 1;
/// Magic and version: what a program reads before it knows whether it can read on.
const PREFIX_BYTES: usize = 12;
/// Identity, first position, previous hash.
const HEADER_BYTES: usize = LogIdentity::BYTES + 8 + 32;
/// Last position, hash, count.
const FOOTER_BYTES: usize = 8 + 32 + 8;

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

/// How far a segment was written or read: where the next chunk must begin.
struct Progress {
    next: Position,
    hash: ChainHash,
    chunks: u64,
}

impl Progress {
    fn new(header: &SegmentHeader) -> Self {
        Self { next: header.first, hash: header.previous, chunks: 0 }
    }

    /// Goes on over a chunk that follows.
    fn advance(&mut self, chunk: &Chunk) -> Result<(), LogError> {
        if chunk.first != self.next {
            return Err(self.damaged(format!("the next chunk begins at {}", chunk.first)));
        }
        if chunk.previous != self.hash {
            return Err(self.damaged("it does not follow the chunk before it in the chain"));
        }
        self.next = chunk.last().next();
        self.hash = chunk.hash;
        self.chunks += 1;
        Ok(())
    }

    /// The footer that fits; `None` before the first chunk.
    fn footer(&self) -> Option<SegmentFooter> {
        let last = Position::new(self.next.get() - 1);
        (self.chunks > 0).then_some(SegmentFooter { last, hash: self.hash, chunks: self.chunks })
    }

    fn damaged(&self, reason: impl Into<String>) -> LogError {
        LogError::Damaged { position: self.next, reason: format!("in a segment: {}", reason.into()) }
    }
}

/// The checksum of these bytes in a row.
fn crc(pieces: &[&[u8]]) -> [u8; 4] {
    let mut crc = crc32fast::Hasher::new();
    for piece in pieces {
        crc.update(piece);
    }
    crc.finalize().to_be_bytes()
}

fn header_bytes(header: &SegmentHeader) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&header.identity.to_bytes());
    bytes.extend_from_slice(&header.first.get().to_be_bytes());
    bytes.extend_from_slice(&header.previous.0);
    bytes
}

fn footer_bytes(footer: &SegmentFooter) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FOOTER_BYTES);
    bytes.extend_from_slice(&footer.last.get().to_be_bytes());
    bytes.extend_from_slice(&footer.hash.0);
    bytes.extend_from_slice(&footer.chunks.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests;
