//! Reading a segment.

use std::io::Read;

use super::{FrameReader, SegmentFooter, SegmentHeader, damaged};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{ChainHash, Chunk, LogError};

/// Reads the chunks of a segment, one at a time, and sees that the segment is whole.
pub struct SegmentReader<R> {
    frames: FrameReader<R>,
    hash: ChainHash,
    has_failed: bool,
}

impl<R: Read> SegmentReader<R> {
    /// Reads the header of a segment. The input is read in small pieces: it should be buffered.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when it is no segment, or its header is damaged; [`LogError::NewerFormat`];
    /// [`LogError::Segment`] when the input fails.
    pub fn open(input: R) -> Result<Self, LogError> {
        let frames = FrameReader::open(input)?;
        let hash = frames.header().previous;
        Ok(Self { frames, hash, has_failed: false })
    }

    /// What the segment says of itself.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        self.frames.header()
    }

    /// The footer, once [`SegmentReader::next_chunk`] has come to it: then the segment was whole.
    #[must_use]
    pub fn footer(&self) -> Option<&SegmentFooter> {
        self.frames.footer().filter(|_| !self.has_failed)
    }

    /// Reads the next chunk, as it is stored and decoded; `None` at the end of a whole segment.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when a checksum does not match, a chunk does not follow the one before,
    /// index or footer do not fit or are missing; [`LogError::NewerFormat`] of a chunk;
    /// [`LogError::Segment`] when the input fails. There is nothing to read after an error.
    pub fn next_chunk(&mut self) -> Result<Option<(EncodedChunk, Chunk)>, LogError> {
        if self.has_failed {
            return Err(damaged(self.frames.next_position(), "reading has failed before"));
        }
        let read = self.read_next();
        self.has_failed = read.is_err();
        read
    }

    fn read_next(&mut self) -> Result<Option<(EncodedChunk, Chunk)>, LogError> {
        let Some((encoded, events)) = self.frames.next_frame()? else {
            let is_the_last = self.frames.footer().is_some_and(|footer| footer.hash == self.hash);
            let end = self.frames.next_position();
            return if is_the_last { Ok(None) } else { Err(damaged(end, "its last chunk has another hash")) };
        };
        let chunk = encoded.decode()?;
        if chunk.events.len() as u64 != u64::from(events) {
            return Err(damaged(chunk.first, "a chunk has another number of events than is said"));
        }
        if chunk.previous != self.hash {
            return Err(damaged(chunk.first, "it does not follow the chunk before it in the chain"));
        }
        self.hash = chunk.hash;
        Ok(Some((encoded, chunk)))
    }
}
