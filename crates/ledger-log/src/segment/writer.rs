//! Writing a segment.

use std::io::{self, Write};

use ledger_event::Position;

use super::{MAGIC, Progress, SegmentFooter, SegmentHeader, VERSION, crc, footer_bytes, header_bytes};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::LogError;

/// Writes chunks, in order, into a segment. The file does not exist as a segment before
/// [`SegmentWriter::finish`]; syncing it is up to the caller. After a failed write it is of no more use.
pub struct SegmentWriter<W> {
    output: W,
    header: SegmentHeader,
    progress: Progress,
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
        let version = VERSION.to_be_bytes();
        let fields = header_bytes(&header);
        for piece in [&MAGIC[..], &version, &fields, &crc(&[&MAGIC, &version, &fields])] {
            output.write_all(piece).map_err(failed)?;
        }
        Ok(Self { output, header, progress: Progress::new(&header) })
    }

    /// Adds a chunk, once its content is found to match its hash.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] when it does not match, or does not follow the one before: then nothing was
    /// written. [`LogError::Segment`] when the output fails.
    pub fn push(&mut self, encoded: &EncodedChunk) -> Result<(), LogError> {
        let chunk = encoded.verify(&self.header.identity)?;
        self.progress.advance(&chunk)?;
        let bytes = encoded.as_bytes();
        let length = u32::try_from(bytes.len()).expect("a chunk that was decoded is within its bound").to_be_bytes();
        for piece in [&length[..], &crc(&[&length, bytes]), bytes] {
            self.output.write_all(piece).map_err(failed)?;
        }
        Ok(())
    }

    /// Ends the segment, and flushes the output.
    ///
    /// # Errors
    ///
    /// [`LogError::Segment`] when it has no chunks, or the output fails.
    pub fn finish(mut self) -> Result<(W, SegmentFooter), LogError> {
        let Some(footer) = self.progress.footer() else {
            return Err(LogError::Segment { action: "finish", source: "it has no chunks".into() });
        };
        let mark = 0_u32.to_be_bytes();
        let fields = footer_bytes(&footer);
        for piece in [&mark[..], &fields, &crc(&[&mark, &fields])] {
            self.output.write_all(piece).map_err(failed)?;
        }
        self.output.flush().map_err(failed)?;
        Ok((self.output, footer))
    }
}

fn failed(error: io::Error) -> LogError {
    LogError::Segment { action: "write", source: error.into() }
}
