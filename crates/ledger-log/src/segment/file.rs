//! A segment file, read where it is needed.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ledger_event::Position;

use super::{
    FOOTER_BYTES, FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES, INDEX_ENTRY_BYTES, IndexEntry, SegmentFooter,
    SegmentHeader, crc, damaged, parse_footer, parse_header,
};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::LogError;

/// How many places of chunks are remembered: where each of a few sequential readers goes on.
const PLACES_MAX: usize = 16;

/// How much is read at once while frames are walked along.
const WALK_BYTES: usize = 4096;

/// A segment whose ends were read and checked. Each chunk is checked when it is read.
pub(crate) struct SegmentFile {
    path: PathBuf,
    file: File,
    header: SegmentHeader,
    footer: SegmentFooter,
    bytes: u64,
    index_offset: u64,
    /// Read when it is first needed.
    index: OnceLock<Vec<IndexEntry>>,
    /// Where chunks begin that were read lately, and those after them.
    places: Mutex<VecDeque<IndexEntry>>,
}

impl SegmentFile {
    /// Opens a segment by its header and its footer.
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let read = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = read.map_err(|error| failed(path, &error))?;
        Self::open_ends(path, file, bytes).map_err(|error| error.in_segment(path))
    }

    fn open_ends(path: &Path, file: File, bytes: u64) -> Result<Self, LogError> {
        let short = |first| damaged(first, "it is cut short");
        if bytes < (HEADER_BYTES + FOOTER_BYTES) as u64 {
            return Err(short(Position::START));
        }
        let header = parse_header(&array_at(&file, path, 0)?)?;
        let footer_offset = bytes - FOOTER_BYTES as u64;
        let (footer, index_offset) = parse_footer(&header, &array_at(&file, path, footer_offset)?)?;
        if footer.last < header.first || !(HEADER_BYTES as u64..footer_offset).contains(&index_offset) {
            return Err(damaged(header.first, "its footer is not that of a segment"));
        }
        let path = path.to_owned();
        let (index, places) = (OnceLock::new(), Mutex::default());
        Ok(Self { path, file, header, footer, bytes, index_offset, index, places })
    }

    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn footer(&self) -> &SegmentFooter {
        &self.footer
    }

    /// How long the file is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the chunk that holds the event at `position`, which is one of the segment's; and the position after its
    /// last event, as the segment tells it.
    pub(crate) fn encoded_chunk_at(&self, position: Position) -> Result<(EncodedChunk, Position), LogError> {
        self.read_at(position).map_err(|error| error.in_segment(&self.path))
    }

    /// How many bytes the chunks from there on take, to the coarseness of the index.
    pub(crate) fn bytes_from(&self, position: Position) -> Result<u64, LogError> {
        let index = self.index().map_err(|error| error.in_segment(&self.path))?;
        let at = index.partition_point(|entry| entry.first < position);
        Ok(index.get(at).map_or(0, |entry| self.index_offset.saturating_sub(entry.offset)))
    }

    fn read_at(&self, position: Position) -> Result<(EncodedChunk, Position), LogError> {
        let (offset, frame) = self.locate(position)?;
        let mut bytes = vec![0; frame.length as usize];
        self.read_exact(&mut bytes, offset + FRAME_HEADER_BYTES as u64)?;
        if frame.checksum != frame.checksum_over(&bytes) {
            return Err(damaged(frame.first, "the checksum of a chunk does not match"));
        }
        self.remember(IndexEntry { first: frame.first, offset });
        let next = IndexEntry { first: frame.next(), offset: offset + frame.frame_bytes() };
        if next.offset < self.index_offset {
            self.remember(next);
        }
        Ok((EncodedChunk::of_stored(frame.first, bytes), frame.next()))
    }

    /// Walks from the nearest known place to the frame that holds the position.
    fn locate(&self, position: Position) -> Result<(u64, FrameHeader), LogError> {
        let mut at = self.nearest(position)?;
        let mut window = Window::default();
        loop {
            let frame = FrameHeader::of_bytes(&window.header_at(self, at.offset)?);
            let end = at.offset.saturating_add(frame.frame_bytes());
            if frame.first != at.first || !frame.is_possible() || end > self.index_offset {
                return Err(damaged(at.first, "what stands before a chunk is not what was written"));
            }
            if position < frame.next() {
                return Ok((at.offset, frame));
            }
            if end == self.index_offset {
                return Err(damaged(position, "no chunk holds that position"));
            }
            at = IndexEntry { first: frame.next(), offset: end };
        }
    }

    /// The last place that is known at or before the position.
    fn nearest(&self, position: Position) -> Result<IndexEntry, LogError> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.iter().filter(|place| place.first <= position).max_by_key(|place| place.first).copied();
        drop(places);
        if let Some(place) = place.filter(|place| place.first == position) {
            return Ok(place);
        }
        let index = self.index()?;
        let before = index.partition_point(|entry| entry.first <= position).checked_sub(1);
        let entry = before.map(|at| index[at]);
        let nearest = place.into_iter().chain(entry).max_by_key(|place| place.first);
        nearest.ok_or_else(|| damaged(position, "its index does not begin at its first position"))
    }

    fn remember(&self, place: IndexEntry) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains(&place) {
            places.push_back(place);
            if places.len() > PLACES_MAX {
                places.pop_front();
            }
        }
    }

    fn index(&self) -> Result<&[IndexEntry], LogError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = self.read_index()?;
        Ok(self.index.get_or_init(|| index))
    }

    fn read_index(&self) -> Result<Vec<IndexEntry>, LogError> {
        let length = self.bytes - FOOTER_BYTES as u64 - self.index_offset;
        let mut bytes = vec![0; usize::try_from(length).expect("a file of this machine")];
        self.read_exact(&mut bytes, self.index_offset)?;
        let not_that = || damaged(self.header.first, "its index is not what was written");
        let (stored, checksum) = bytes.split_at_checked(bytes.len().saturating_sub(4)).ok_or_else(not_that)?;
        if checksum != crc(&[stored]) || stored.len() < 8 || (stored.len() - 8) % INDEX_ENTRY_BYTES != 0 {
            return Err(not_that());
        }
        Ok(stored[8..].chunks_exact(INDEX_ENTRY_BYTES).map(IndexEntry::of_bytes).collect())
    }

    fn read_exact(&self, bytes: &mut [u8], offset: u64) -> Result<(), LogError> {
        self.file.read_exact_at(bytes, offset).map_err(|error| failed(&self.path, &error))
    }
}

/// What was read last while walking.
#[derive(Default)]
struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn header_at(&mut self, segment: &SegmentFile, offset: u64) -> Result<[u8; FRAME_HEADER_BYTES], LogError> {
        let within = |window: &Self| {
            let start = usize::try_from(offset.checked_sub(window.offset)?).ok()?;
            window.bytes.get(start..start.checked_add(FRAME_HEADER_BYTES)?)?.try_into().ok()
        };
        if let Some(header) = within(self) {
            return Ok(header);
        }
        let left = usize::try_from(segment.bytes.saturating_sub(offset)).unwrap_or(WALK_BYTES);
        self.bytes.resize(left.min(WALK_BYTES), 0);
        self.offset = offset;
        segment.read_exact(&mut self.bytes, offset)?;
        within(self).ok_or_else(|| damaged(segment.header.first, "it is cut short"))
    }
}

fn array_at<const N: usize>(file: &File, path: &Path, offset: u64) -> Result<[u8; N], LogError> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).map_err(|error| failed(path, &error))?;
    Ok(bytes)
}

/// Reading failed. A file that became shorter under its reader is damage; all else is told as it came.
fn failed(path: &Path, error: &io::Error) -> LogError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return damaged(Position::START, "it became shorter");
    }
    LogError::Segment { action: "read", source: format!("{}: {error}", path.display()).into() }
}
