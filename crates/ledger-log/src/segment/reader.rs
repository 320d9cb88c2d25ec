//! Reading a segment.

use std::io::{self, Read};

use ledger_event::Position;

use super::{
    FOOTER_BYTES, HEADER_BYTES, MAGIC, PREFIX_BYTES, Progress, SegmentFooter, SegmentHeader, VERSION, crc, footer_bytes,
};
use crate::chunk_codec::{ENCODED_MAX_BYTES, EncodedChunk};
use crate::event_log::{ChainHash, Chunk, LogError};
use crate::identity::LogIdentity;

/// Reads the chunks of a segment, one at a time, and sees that the segment is whole.
pub struct SegmentReader<R> {
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

impl<R: Read> SegmentReader<R> {
    /// Reads the header of a segment. The input is read in small pieces: it should be buffered.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when it is no segment, or its header is damaged; [`LogError::NewerFormat`];
    /// [`LogError::Segment`] when the input fails.
    pub fn open(mut input: R) -> Result<Self, LogError> {
        let damaged = |reason: &str| LogError::Damaged { position: Position::START, reason: reason.to_owned() };
        let short = || damaged("the header of the segment is cut short");
        let prefix: [u8; PREFIX_BYTES] = read_array(&mut input)?.ok_or_else(short)?;
        let (magic, version) = prefix.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damaged("it is not a segment"));
        }
        let version = u32::from_be_bytes(version.try_into().expect("4 bytes are left of 12"));
        if version > VERSION {
            return Err(LogError::NewerFormat { what: "the segment", found: version, known: VERSION });
        }
        let fields: [u8; HEADER_BYTES] = read_array(&mut input)?.ok_or_else(short)?;
        let stored: [u8; 4] = read_array(&mut input)?.ok_or_else(short)?;
        if stored != crc(&[&prefix, &fields]) || version != VERSION {
            return Err(damaged("the checksum of the segment's header does not match"));
        }
        let header = parse_header(&fields);
        if header.first == Position::START {
            return Err(damaged("the segment begins before the first position"));
        }
        Ok(Self { input, header, progress: Progress::new(&header), state: State::Reading })
    }

    /// What the segment says of itself.
    #[must_use]
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// The footer, once [`SegmentReader::next_chunk`] has come to it: then the segment was whole.
    #[must_use]
    pub fn footer(&self) -> Option<&SegmentFooter> {
        match &self.state {
            State::Ended(footer) => Some(footer),
            State::Reading | State::Failed => None,
        }
    }

    /// Reads the next chunk, as it is stored and decoded; `None` at the end of a whole segment.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when a checksum does not match, a chunk does not follow the one before,
    /// the footer does not fit or is missing; [`LogError::NewerFormat`] of a chunk;
    /// [`LogError::Segment`] when the input fails. There is nothing to read after an error.
    pub fn next_chunk(&mut self) -> Result<Option<(EncodedChunk, Chunk)>, LogError> {
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

    fn read_next(&mut self) -> Result<Option<(EncodedChunk, Chunk)>, LogError> {
        let mark: [u8; 4] = self.array()?;
        let length = u32::from_be_bytes(mark) as usize;
        if length == 0 {
            self.read_footer(mark)?;
            return Ok(None);
        }
        if length > ENCODED_MAX_BYTES {
            return Err(self.progress.damaged("the length of a chunk is beyond the bound"));
        }
        let stored: [u8; 4] = self.array()?;
        let mut bytes = Vec::new();
        (&mut self.input).take(length as u64).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() < length {
            return Err(self.cut_short());
        }
        if stored != crc(&[&mark, &bytes]) {
            return Err(self.progress.damaged("the checksum of a chunk does not match"));
        }
        let encoded = EncodedChunk::of_stored(self.progress.next, bytes);
        let chunk = encoded.decode()?;
        self.progress.advance(&chunk)?;
        Ok(Some((encoded, chunk)))
    }

    fn read_footer(&mut self, mark: [u8; 4]) -> Result<(), LogError> {
        let fields: [u8; FOOTER_BYTES] = self.array()?;
        let stored: [u8; 4] = self.array()?;
        if stored != crc(&[&mark, &fields]) {
            return Err(self.progress.damaged("the checksum of the footer does not match"));
        }
        let Some(footer) = self.progress.footer().filter(|footer| footer_bytes(footer) == fields) else {
            return Err(self.progress.damaged("the footer is not that of the chunks before it"));
        };
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
        self.progress.damaged("it is cut short")
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

fn parse_header(fields: &[u8; HEADER_BYTES]) -> SegmentHeader {
    let (identity, rest) = fields.split_at(LogIdentity::BYTES);
    let (first, previous) = rest.split_at(8);
    SegmentHeader {
        identity: LogIdentity::of_bytes(identity.try_into().expect("it was split there")),
        first: Position::new(u64::from_be_bytes(first.try_into().expect("it was split at 8"))),
        previous: ChainHash(previous.try_into().expect("32 bytes are left")),
    }
}
