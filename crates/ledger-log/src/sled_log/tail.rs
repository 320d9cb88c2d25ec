//! What is in no segment yet, as one: for a backup, while the log goes on.

use std::io::Write;
use std::path::Path;

use ledger_event::Position;

use super::SledLog;
use crate::cold::{NewSegment, SealedSegment};
use crate::event_log::{Chunk, EventLog, Head, LogError};
use crate::segment::{SegmentFooter, SegmentHeader, SegmentWriter};

impl SledLog {
    /// The first position that is in no segment.
    #[must_use]
    pub fn first_unsealed(&self) -> Position {
        self.shared.cold.end().position.next()
    }

    /// Writes a segment of the chunks from `first` up to the head that the log has now, wherever they are by then.
    ///
    /// # Errors
    ///
    /// [`LogError::Segment`] when the output fails, or `first` is beyond the head; those of reading.
    pub fn write_tail<W: Write>(&self, output: W, first: Position) -> Result<(W, SegmentFooter), LogError> {
        let head = self.head();
        let mut writer = SegmentWriter::new(output, self.tail_header(first, head)?)?;
        self.each_chunk(first, head, |encoded| writer.push(encoded))?;
        writer.finish()
    }

    /// Writes what is in no segment into a file of that folder, synced and read back; `None` when all is sealed.
    ///
    /// # Errors
    ///
    /// As [`SledLog::write_tail`]; [`LogError::SegmentDamaged`] when it does not read back as it was written.
    pub fn copy_tail(&self, dir: &Path) -> Result<Option<SealedSegment>, LogError> {
        let (first, head) = (self.first_unsealed(), self.head());
        if first > head.position {
            return Ok(None);
        }
        let mut segment = NewSegment::begin(dir, self.tail_header(first, head)?)?;
        self.each_chunk(first, head, |encoded| segment.push(encoded))?;
        segment.finish_as_tail(head.position).map(Some)
    }

    fn tail_header(&self, first: Position, head: Head) -> Result<SegmentHeader, LogError> {
        let begun = self.encoded_chunk_at(first)?.filter(|_| first <= head.position);
        let Some(chunk) = begun.filter(|chunk| chunk.first() == first) else {
            let source = format!("no chunk begins at position {first}").into();
            return Err(LogError::Segment { action: "begin", source });
        };
        Ok(SegmentHeader { identity: self.identity(), first, previous: chunk.place()?.previous })
    }

    fn each_chunk(
        &self,
        first: Position,
        head: Head,
        mut push: impl FnMut(&crate::EncodedChunk) -> Result<Chunk, LogError>,
    ) -> Result<(), LogError> {
        let mut position = first;
        while position <= head.position {
            position = push(&self.shared.encoded_chunk_at(position)?)?.last().next();
        }
        Ok(())
    }
}
