//! How a chunk lies in the journal.
//!
//! ```text
//! frame  = header  bytes: a chunk as its parts in sled hold it  zeros up to a multiple of 512 bytes
//! header = magic:8 ("HKLJRNL\n")  version:u32 (1)  ledger_id:16  partition:u32  generation:u64  first:u64  last:u64
//!          length:u32  crc32:u32 of the bytes  crc32:u32 of the header before it
//! ```
//!
//! Integers are big-endian, checksums CRC-32 (IEEE). A frame begins at a multiple of 512 bytes, so that one can be found
//! behind another that is damaged. The generation rises each time a file is written from its beginning again: frames of
//! earlier ones may stand behind those of this one.

use ledger_event::Position;

use crate::identity::LogIdentity;

/// Frames begin at multiples of this.
pub(super) const ALIGN_BYTES: usize = 512;

/// How long a header is.
pub(super) const HEADER_BYTES: usize = 48 + LogIdentity::BYTES;

const MAGIC: [u8; 8] = *b"HKLJRNL\n";
const VERSION: u32 = 1;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) identity: LogIdentity,
    pub(super) generation: u64,
    /// The position of its chunk's first event.
    pub(super) first: Position,
    /// And of its last.
    pub(super) last: Position,
    pub(super) length: u32,
    pub(super) crc: u32,
}

impl FrameHeader {
    /// The header of these bytes.
    pub(super) fn new(identity: LogIdentity, generation: u64, first: Position, last: Position, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("a chunk is bounded");
        Self { identity, generation, first, last, length, crc: crc32fast::hash(bytes) }
    }

    /// Reads a header; `None` where there is none, or a damaged one.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (fields, crc) = bytes.split_at_checked(HEADER_BYTES - 4)?;
        let rest = fields.strip_prefix(&MAGIC)?;
        if crc.get(..4)? != crc32fast::hash(fields).to_be_bytes() {
            return None;
        }
        let (version, rest) = rest.split_first_chunk()?;
        let (identity, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (crc, _) = rest.split_first_chunk()?;
        (u32::from_be_bytes(*version) == VERSION).then(|| Self {
            identity: LogIdentity::of_bytes(*identity),
            generation: u64::from_be_bytes(*generation),
            first: Position::new(u64::from_be_bytes(*first)),
            last: Position::new(u64::from_be_bytes(*last)),
            length: u32::from_be_bytes(*length),
            crc: u32::from_be_bytes(*crc),
        })
    }

    /// Writes the whole frame of these bytes, which are those of the header.
    pub(super) fn write(&self, bytes: &[u8], output: &mut Vec<u8>) {
        let start = output.len();
        output.extend_from_slice(&MAGIC);
        output.extend_from_slice(&VERSION.to_be_bytes());
        output.extend_from_slice(&self.identity.to_bytes());
        output.extend_from_slice(&self.generation.to_be_bytes());
        output.extend_from_slice(&self.first.get().to_be_bytes());
        output.extend_from_slice(&self.last.get().to_be_bytes());
        output.extend_from_slice(&self.length.to_be_bytes());
        output.extend_from_slice(&self.crc.to_be_bytes());
        let crc = crc32fast::hash(&output[start..]);
        output.extend_from_slice(&crc.to_be_bytes());
        output.extend_from_slice(bytes);
        output.resize(start + self.frame_bytes(), 0);
    }

    /// How long the frame is, with what fills it up.
    pub(super) fn frame_bytes(&self) -> usize {
        (HEADER_BYTES + self.length as usize).next_multiple_of(ALIGN_BYTES)
    }

    /// The chunk of the frame, out of what follows its header; `None` when it is cut short or damaged.
    pub(super) fn chunk<'a>(&self, behind: &'a [u8]) -> Option<&'a [u8]> {
        let bytes = behind.get(..self.length as usize)?;
        (crc32fast::hash(bytes) == self.crc).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::LedgerId;

    #[test]
    fn a_frame_reads_back_and_no_flipped_byte_of_it_passes() {
        let bytes = b"the bytes of a chunk";
        let identity = LogIdentity { ledger_id: LedgerId([9; 16]), partition: 2 };
        let header = FrameHeader::new(identity, 7, Position::new(5), Position::new(9), bytes);
        let mut frame = Vec::new();
        header.write(bytes, &mut frame);
        assert_eq!((frame.len(), header.frame_bytes()), (ALIGN_BYTES, ALIGN_BYTES));
        let read = |frame: &[u8]| {
            let header = FrameHeader::of_bytes(frame)?;
            Some((header, header.chunk(&frame[HEADER_BYTES..])?.to_vec()))
        };
        assert_eq!(read(&frame), Some((header, bytes.to_vec())));
        for at in 0..HEADER_BYTES + bytes.len() {
            let mut flipped = frame.clone();
            flipped[at] ^= 1 << (at % 8);
            assert_eq!(read(&flipped), None, "byte {at}");
        }
    }
}
