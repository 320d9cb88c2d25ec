//! What is whole in a file that was a segment, whatever became of the rest of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use ledger_event::Position;

use super::failed;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::LogError;
use crate::segment::{FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES};

/// How much is read at once.
const READ_BYTES: usize = 1024 * 1024;

/// How far two chunks of one segment are apart at most, in positions: more is not believed.
const GAP_MAX: u64 = 1 << 24;

/// Goes along a file and gives each chunk whose checksum matches, by rising position. Neither header nor index nor
/// footer is needed: after a chunk that is damaged the next one is looked for byte by byte.
pub(super) struct Scan {
    path: PathBuf,
    input: BufReader<File>,
    /// What was read and is not passed over yet.
    window: VecDeque<u8>,
    floor: Position,
}

impl Scan {
    pub(super) fn open(path: &Path) -> Result<Self, LogError> {
        let file = File::open(path).map_err(|error| failed("read", path, &error))?;
        let input = BufReader::with_capacity(READ_BYTES, file);
        let mut scan = Self { path: path.to_owned(), input, window: VecDeque::new(), floor: Position::START };
        scan.fill(HEADER_BYTES)?;
        scan.pass(HEADER_BYTES);
        Ok(scan)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next chunk that is whole by its checksum; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<EncodedChunk>, LogError> {
        while self.fill(FRAME_HEADER_BYTES)? {
            let header: Vec<u8> = self.window.iter().take(FRAME_HEADER_BYTES).copied().collect();
            let frame = FrameHeader::of_bytes(header.as_slice().try_into().expect("so many were taken"));
            if self.is_credible(&frame) {
                let end = FRAME_HEADER_BYTES + frame.length as usize;
                if self.fill(end)? {
                    let bytes: Vec<u8> = self.window.range(FRAME_HEADER_BYTES..end).copied().collect();
                    if frame.checksum == frame.checksum_over(&bytes) {
                        self.pass(end);
                        self.floor = frame.next();
                        return Ok(Some(EncodedChunk::of_stored(frame.first, bytes)));
                    }
                }
            }
            self.pass(1);
        }
        Ok(None)
    }

    fn is_credible(&self, frame: &FrameHeader) -> bool {
        let is_near = self.floor == Position::START
            || (frame.first >= self.floor && frame.first.get() - self.floor.get() <= GAP_MAX);
        frame.is_possible() && is_near
    }

    /// Reads until the window holds so many bytes; whether the file has them.
    fn fill(&mut self, bytes: usize) -> Result<bool, LogError> {
        while self.window.len() < bytes {
            let mut piece = [0; 64 * 1024];
            let length = match self.input.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| failed("read", &self.path, &error))?,
            };
            if length == 0 {
                return Ok(false);
            }
            self.window.extend(&piece[..length]);
        }
        Ok(true)
    }

    fn pass(&mut self, bytes: usize) {
        self.window.drain(..bytes.min(self.window.len()));
    }
}
