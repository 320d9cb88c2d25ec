//! A chunk in pieces that sled keeps inline.
//!
//! sled writes an item above a quarter of its segment, or a leaf of sixteen large values, to a file
//! of its own that it never syncs. So a chunk is stored in parts of at most [`PART_MAX_BYTES`], each
//! an item of its own:
//!
//! ```text
//! key   = first_position:u64  part:u16                      (big-endian, so that keys order as the log does)
//! value = version:u8 (1)  last:u8 (0 or 1)  crc32:u32  bytes
//! ```
//!
//! The checksum is CRC-32 (IEEE) of key, version, last and bytes: a part that is flipped, moved or
//! wrongly marked does not pass. A chunk whose last part is not marked does not exist.

use ledger_event::Position;

use crate::event_log::LogError;

/// Largest value of a part, its header included, in bytes.
///
/// sled's cache keeps a leaf of up to sixteen values in each of its 256 shards, however small it is set: with larger
/// parts that is all of the hot tier. With what sled counts their readers by they fit 16 KiB of memory: the next larger
/// piece has 20. What was stored in larger parts reads as before.
pub(crate) const PART_MAX_BYTES: usize = 16 * 1024 - 64;

const HEADER_BYTES: usize = 6;
const VERSION: u8 = 1;
const KEY_BYTES: usize = 10;

/// The key of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartKey {
    pub(crate) first: Position,
    pub(crate) part: u16,
}

impl PartKey {
    pub(crate) fn to_bytes(self) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&self.first.get().to_be_bytes());
        bytes[8..].copy_from_slice(&self.part.to_be_bytes());
        bytes
    }

    /// Reads a key; `None` when the bytes are none.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        let (first, part) = bytes.split_at(8);
        Some(Self {
            first: Position::new(u64::from_be_bytes(first.try_into().ok()?)),
            part: u16::from_be_bytes(part.try_into().ok()?),
        })
    }

    /// The greatest key that a chunk from there can have.
    pub(crate) fn greatest_of(first: Position) -> [u8; KEY_BYTES] {
        Self { first, part: u16::MAX }.to_bytes()
    }
}

/// Splits the bytes of a chunk into parts, in order.
pub(crate) fn split(first: Position, chunk: &[u8]) -> impl Iterator<Item = (PartKey, Vec<u8>)> {
    let pieces = chunk.chunks(PART_MAX_BYTES - HEADER_BYTES);
    let count = pieces.len();
    pieces.enumerate().map(move |(index, piece)| {
        let part = u16::try_from(index).expect("the bound on a chunk's bytes makes a few thousand parts at most");
        let key = PartKey { first, part };
        (key, encode(key, index + 1 == count, piece))
    })
}

/// The value of a part.
pub(crate) fn encode(key: PartKey, last: bool, piece: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_BYTES + piece.len());
    value.extend_from_slice(&[VERSION, u8::from(last)]);
    value.extend_from_slice(&checksum(key, VERSION, u8::from(last), piece).to_be_bytes());
    value.extend_from_slice(piece);
    value
}

/// How many bytes of its chunk a part has, not checked.
pub(crate) fn payload_bytes(value: &[u8]) -> u64 {
    value.len().saturating_sub(HEADER_BYTES) as u64
}

/// One part, checked.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) last: bool,
    pub(crate) bytes: &'a [u8],
}

/// Reads a part and verifies its checksum.
pub(crate) fn decode(key: PartKey, value: &[u8]) -> Result<Part<'_>, LogError> {
    let damaged = |reason| Err(LogError::Damaged { position: key.first, reason });
    let Some((header, bytes)) = value.split_at_checked(HEADER_BYTES) else {
        return damaged(format!("part {} is cut short", key.part));
    };
    let stored = u32::from_be_bytes(header[2..].try_into().expect("a header is 6 bytes"));
    if stored != checksum(key, header[0], header[1], bytes) {
        return damaged(format!("the checksum of part {} does not match", key.part));
    }
    if header[0] != VERSION {
        return Err(LogError::NewerFormat {
            what: "a part of a chunk",
            found: header[0].into(),
            known: VERSION.into(),
        });
    }
    match header[1] {
        0 | 1 => Ok(Part { last: header[1] == 1, bytes }),
        mark => damaged(format!("part {} has the mark {mark}", key.part)),
    }
}

fn checksum(key: PartKey, version: u8, last: u8, piece: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&key.to_bytes());
    crc.update(&[version, last]);
    crc.update(piece);
    crc.finalize()
}

/// Joins the parts of a chunk, given in order; `None` when the last one is missing.
pub(crate) fn join<'a>(
    first: Position,
    parts: impl Iterator<Item = (PartKey, &'a [u8])>,
) -> Result<Option<Vec<u8>>, LogError> {
    let damaged = |reason| Err(LogError::Damaged { position: first, reason });
    let mut chunk = Vec::new();
    let mut expected = Some(0_u16);
    let mut whole = false;
    for (key, value) in parts {
        if whole {
            return damaged(format!("part {} stands after the last", key.part));
        }
        if Some(key.part) != expected {
            return damaged(format!("the part before part {} is missing", key.part));
        }
        let part = decode(key, value)?;
        chunk.extend_from_slice(part.bytes);
        whole = part.last;
        expected = key.part.checked_add(1);
    }
    Ok(whole.then_some(chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[(PartKey, Vec<u8>)]) -> Result<Option<Vec<u8>>, LogError> {
        join(Position::new(9), parts.iter().map(|(key, value)| (*key, value.as_slice())))
    }

    fn parts_of(bytes: &[u8]) -> Vec<(PartKey, Vec<u8>)> {
        split(Position::new(9), bytes).collect()
    }

    #[test]
    fn a_chunk_of_any_length_joins_to_what_was_split() {
        let piece = PART_MAX_BYTES - HEADER_BYTES;
        for length in [1, piece - 1, piece, piece + 1, 3 * piece] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let parts = parts_of(&bytes);
            assert_eq!(parts.len(), length.div_ceil(piece));
            assert!(parts.iter().all(|(_, value)| value.len() <= PART_MAX_BYTES));
            assert!(parts.is_sorted_by(|(a, _), (b, _)| a.to_bytes() < b.to_bytes()));
            assert_eq!(joined(&parts).expect("nothing is damaged"), Some(bytes));
        }
    }

    #[test]
    fn a_chunk_without_its_last_part_does_not_exist() {
        let parts = parts_of(&vec![1; 3 * PART_MAX_BYTES]);
        for kept in 0..parts.len() {
            assert_eq!(joined(&parts[..kept]).expect("a torn tail is no damage"), None);
        }
    }

    #[test]
    fn missing_moved_and_surplus_parts_are_damage() {
        let parts = parts_of(&vec![1; 3 * PART_MAX_BYTES]);
        let without_first = &parts[1..];
        let without_second = [parts[0].clone(), parts[2].clone()];
        let moved = [(parts[0].0, parts[1].1.clone())];
        let mut surplus = parts_of(b"short");
        surplus.push((PartKey { part: 1, ..surplus[0].0 }, surplus[0].1.clone()));
        for parts in [without_first, &without_second, &moved, &surplus] {
            assert!(matches!(joined(parts), Err(LogError::Damaged { .. })));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_part_is_noticed() {
        let parts = parts_of(b"some bytes of a chunk");
        let (key, value) = &parts[0];
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(*key, &flipped).is_err(), "bit {bit}");
        }
        for length in 0..value.len() {
            assert!(decode(*key, &value[..length]).is_err(), "length {length}");
        }
    }
}
