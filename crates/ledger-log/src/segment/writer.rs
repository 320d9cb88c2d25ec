//! Writing a segment.

use std::io::{self, Write};

use ledger_event::Position;

use super::{FrameHeader, Progress, SegmentFooter, SegmentHeader, crc, damaged, footer_bytes, header_bytes};
use crate::chunk_codec::{ChunkPlace, EncodedChunk};
use crate::event_log::{ChainHash, Chunk, LogError};

/// Writes chunks, in order, into a segment. The file does not exist as a segment before
/// [`SegmentWriter::finish`]; syncing it is up to the caller. After a failed write it is of no more use.
pub struct SegmentWriter<W> {
    output: W,
    header: SegmentHeader,
    progress: Progress,
    hash: ChainHash,
}

impl<W: Write> SegmentWriter<W> {
    /// Begins a segment.
    ///
    /// # Errors
    ///
    /// [`LogError::Segment`] when the output fails, or the first position is none.
    pub fn new(mut output: W, header: SegmentHeader) -> Result<Self, LogError> {
        if header.first == Position::START {
            return Err(LogError::Segment { action: "begin", source: "positions begin at 1".into() });
        }
        let fields = header_bytes(&header);
        for piece in [&fields[..], &crc(&[&fields])] {
            output.write_all(piece).map_err(failed)?;
        }
        Ok(Self { output, header, progress: Progress::new(&header), hash: header.previous })
    }

    /// Adds a chunk, once its content is found to match its hash; returns what is in it.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when it does not match, or does not follow the one before: then nothing was
    /// written. [`LogError::Segment`] when the output fails.
    pub fn push(&mut self, encoded: &EncodedChunk) -> Result<Chunk, LogError> {
        let chunk = encoded.verify(&self.header.identity)?;
        let events = u32::try_from(chunk.events.len()).expect("a request is a few thousand events");
        self.append(encoded, ChunkPlace { first: chunk.first, events, previous: chunk.previous, hash: chunk.hash })?;
        Ok(chunk)
    }

    /// Adds a chunk whose bytes were held against a checksum when they were read: that it follows is seen, its content is
    /// not hashed once more. Returns its last position.
    ///
    /// # Errors
    ///
    /// As [`SegmentWriter::push`].
    pub fn push_checked(&mut self, encoded: &EncodedChunk) -> Result<Position, LogError> {
        self.append(encoded, encoded.place()?)
    }

    fn append(&mut self, encoded: &EncodedChunk, place: ChunkPlace) -> Result<Position, LogError> {
        if place.first != self.progress.next {
            return Err(self.progress.damaged(format!("the next chunk begins at {}", place.first)));
        }
        if place.previous != self.hash {
            return Err(damaged(place.first, "it does not follow the chunk before it in the chain"));
        }
        let bytes = encoded.as_bytes();
        let frame = FrameHeader::of(place.first, place.events, bytes);
        for piece in [&frame.to_bytes()[..], bytes] {
            self.output.write_all(piece).map_err(failed)?;
        }
        self.progress.advance(&frame);
        self.hash = place.hash;
        Ok(place.first.plus(u64::from(place.events) - 1))
    }

    /// How many bytes it has so far.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.progress.offset
    }

    /// Ends the segment, and flushes the output.
    ///
    /// # Errors
    ///
    /// [`LogError::Segment`] when it has no chunks, or the output fails.
    pub fn finish(mut self) -> Result<(W, SegmentFooter), LogError> {
        let Some(footer) = self.progress.footer(self.hash) else {
            return Err(LogError::Segment { action: "finish", source: "it has no chunks".into() });
        };
        let count = u32::try_from(self.progress.index.len()).expect("an entry stands for 256 KiB at least");
        let mut index = 0_u32.to_be_bytes().to_vec();
        index.extend_from_slice(&count.to_be_bytes());
        for entry in &self.progress.index {
            index.extend_from_slice(&entry.to_bytes());
        }
        let footer_bytes = footer_bytes(&self.header, &footer, self.progress.offset);
        for piece in [&index[..], &crc(&[&index]), &footer_bytes] {
            self.output.write_all(piece).map_err(failed)?;
        }
        self.output.flush().map_err(failed)?;
        Ok((self.output, footer))
    }
}

fn failed(error: io::Error) -> LogError {
    LogError::Segment { action: "write", source: error.into() }
}
