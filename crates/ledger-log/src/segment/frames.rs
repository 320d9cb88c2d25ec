//! Reading the frames of a segment, whatever the chunks in them hold.

use std::io::{self, Read};

use ledger_event::Position;

use super::{
    FOOTER_BYTES, FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES, IndexEntry, Progress, SegmentFooter, SegmentHeader,
    crc, damaged, parse_footer, parse_header,
};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::LogError;

/// Reads the chunks of a segment as they are stored, and sees that every byte of the segment is what was written:
/// checksums, positions, index and footer. Nothing is decoded, so it goes as fast as the disk.
pub struct FrameReader<R> {
    input: R,
    header: SegmentHeader,
    progress: Progress,
    state: State,
}

enum State {
    Reading,
    Ended(SegmentFooter),
    Failed,
}

impl<R: Read> FrameReader<R> {
    /// Reads the header of a segment. The input is read in small pieces: it should be buffered.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when it is no segment, or its header is damaged; [`LogError::NewerFormat`];
    /// [`LogError::Segment`] when the input fails.
    pub fn open(mut input: R) -> Result<Self, LogError> {
        let short = || LogError::Damaged {
            position: Position::START,
            reason: "the header of the segment is cut short".to_owned(),
        };
        let bytes: [u8; HEADER_BYTES] = read_array(&mut input)?.ok_or_else(short)?;
        let header = parse_header(&bytes)?;
        Ok(Self { input, header, progress: Progress::new(&header), state: State::Reading })
    }

    /// What the segment says of itself.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// The footer, once [`FrameReader::next_frame`] has come to it: then all of the segment is what was written.
    #[must_use]
    pub fn footer(&self) -> Option<&SegmentFooter> {
        match &self.state {
            State::Ended(footer) => Some(footer),
            State::Reading | State::Failed => None,
        }
    }

    /// Where the next chunk begins, or the segment ends.
    #[must_use]
    pub fn next_position(&self) -> Position {
        self.progress.next
    }

    /// Reads the next chunk as it is stored, and how many events it is said to have; `None` at the end of a whole segment.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when a checksum does not match, a chunk does not begin where the one before ends, index
    /// or footer do not fit or are missing; [`LogError::Segment`] when the input fails. There is nothing to read after an error.
    pub fn next_frame(&mut self) -> Result<Option<(EncodedChunk, u32)>, LogError> {
        match self.state {
            State::Reading => {}
            State::Ended(_) => return Ok(None),
            State::Failed => return Err(self.progress.damaged("reading has failed before")),
        }
        let read = self.read_next();
        if read.is_err() {
            self.state = State::Failed;
        }
        read
    }

    fn read_next(&mut self) -> Result<Option<(EncodedChunk, u32)>, LogError> {
        let mark: [u8; 4] = self.array()?;
        if mark == [0; 4] {
            self.read_end(mark)?;
            return Ok(None);
        }
        let rest: [u8; FRAME_HEADER_BYTES - 4] = self.array()?;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[..4].copy_from_slice(&mark);
        bytes[4..].copy_from_slice(&rest);
        let frame = FrameHeader::of_bytes(&bytes);
        if !frame.is_possible() {
            return Err(self.progress.damaged("the length of a chunk, or its positions, are beyond the bounds"));
        }
        let length = u64::from(frame.length);
        let mut bytes = Vec::new();
        (&mut self.input).take(length).read_to_end(&mut bytes).map_err(failed)?;
        if (bytes.len() as u64) < length {
            return Err(self.cut_short());
        }
        if frame.checksum != frame.checksum_over(&bytes) {
            return Err(self.progress.damaged("the checksum of a chunk does not match"));
        }
        if frame.first != self.progress.next {
            return Err(self.progress.damaged(format!("the next chunk begins at {}", frame.first)));
        }
        self.progress.advance(&frame);
        Ok(Some((EncodedChunk::of_stored(frame.first, bytes), frame.events)))
    }

    /// Reads index and footer, of which each byte follows from what was read before, but for the last hash.
    fn read_end(&mut self, mark: [u8; 4]) -> Result<(), LogError> {
        let not_that = |what: &str| format!("{what} is not that of the chunks before it");
        let mut index = mark.to_vec();
        let count: [u8; 4] = self.array()?;
        index.extend_from_slice(&count);
        if u32::from_be_bytes(count) as usize != self.progress.index.len() {
            return Err(self.progress.damaged(not_that("the index")));
        }
        for at in 0..self.progress.index.len() {
            let entry: [u8; 16] = self.array()?;
            if IndexEntry::of_bytes(&entry) != self.progress.index[at] {
                return Err(self.progress.damaged(not_that("the index")));
            }
            index.extend_from_slice(&entry);
        }
        if self.array::<4>()? != crc(&[&index]) {
            return Err(self.progress.damaged("the checksum of the index does not match"));
        }
        let bytes: [u8; FOOTER_BYTES] = self.array()?;
        let (footer, index_offset) = parse_footer(&self.header, &bytes)?;
        if self.progress.footer(footer.hash) != Some(footer) || index_offset != self.progress.offset {
            return Err(self.progress.damaged(not_that("the footer")));
        }
        if read_array::<1>(&mut self.input)?.is_some() {
            return Err(self.progress.damaged("bytes follow the footer"));
        }
        self.state = State::Ended(footer);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LogError> {
        read_array(&mut self.input)?.ok_or_else(|| self.cut_short())
    }

    fn cut_short(&self) -> LogError {
        damaged(self.progress.next, "it is cut short")
    }
}

/// Reads so many bytes; `None` when the input ends before.
fn read_array<const N: usize>(input: &mut impl Read) -> Result<Option<[u8; N]>, LogError> {
    let mut bytes = [0; N];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: io::Error) -> LogError {
    LogError::Segment { action: "read", source: error.into() }
}
