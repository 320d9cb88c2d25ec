//! Rows as bytes: their encoding, and how a large one is split.
//!
//! sled moves a large item, and a leaf of several, out into a file that it never syncs. So no value is
//! longer than [`PART_MAX_BYTES`]: what is longer lies in parts, under the row's key with a number
//! behind it. A row that is removed or replaced takes its parts with it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ViewsError;

/// Longest value in sled, in bytes.
const PART_MAX_BYTES: usize = 96 * 1024;

/// The value stands whole behind this byte.
const WHOLE: u8 = 0;
/// The value stands in parts, whose number (big-endian, 32 bits) stands behind this byte.
const IN_PARTS: u8 = 1;

pub(crate) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    rmp_serde::to_vec(row).expect("rows are plain maps, text and integers")
}

pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, ViewsError> {
    rmp_serde::from_slice(bytes).map_err(|source| ViewsError::Row { key: key.escape_ascii().to_string(), source })
}

/// Puts a row into a batch, in parts if it is long.
pub(crate) fn put(batch: &mut sled::Batch, tree: &sled::Tree, key: &[u8], row: &[u8]) -> Result<(), ViewsError> {
    remove_parts(batch, tree, key)?;
    if row.len() < PART_MAX_BYTES {
        batch.insert(key, [&[WHOLE], row].concat());
        return Ok(());
    }
    let parts = row.chunks(PART_MAX_BYTES);
    let count = u32::try_from(parts.len()).expect("a row is bounded by the limits of an event");
    batch.insert(key, [&[IN_PARTS][..], &count.to_be_bytes()].concat());
    for (number, part) in (0..count).zip(parts) {
        batch.insert(part_key(key, number), part);
    }
    Ok(())
}

/// Removes a row in a batch, with its parts.
pub(crate) fn remove(batch: &mut sled::Batch, tree: &sled::Tree, key: &[u8]) -> Result<(), ViewsError> {
    remove_parts(batch, tree, key)?;
    batch.remove(key);
    Ok(())
}

fn remove_parts(batch: &mut sled::Batch, tree: &sled::Tree, key: &[u8]) -> Result<(), ViewsError> {
    let Some(value) = tree.get(key).map_err(ViewsError::Read)? else { return Ok(()) };
    if let Stored::InParts(count) = Stored::of(key, &value)? {
        (0..count).for_each(|number| batch.remove(part_key(key, number)));
    }
    Ok(())
}

/// Reads a row, from its parts if it has some.
pub(crate) fn get(tree: &sled::Tree, key: &[u8]) -> Result<Option<Vec<u8>>, ViewsError> {
    let Some(value) = tree.get(key).map_err(ViewsError::Read)? else { return Ok(None) };
    match Stored::of(key, &value)? {
        Stored::Whole(row) => Ok(Some(row.to_vec())),
        Stored::InParts(count) => {
            let mut row = Vec::new();
            for number in 0..count {
                let part = tree.get(part_key(key, number)).map_err(ViewsError::Read)?;
                row.extend_from_slice(&part.ok_or_else(|| ViewsError::damaged(key))?);
            }
            Ok(Some(row))
        }
    }
}

/// What stands under a row's key.
enum Stored<'a> {
    Whole(&'a [u8]),
    InParts(u32),
}

impl<'a> Stored<'a> {
    fn of(key: &[u8], value: &'a [u8]) -> Result<Self, ViewsError> {
        let damaged = || ViewsError::damaged(key);
        match value.split_first() {
            Some((&WHOLE, row)) => Ok(Self::Whole(row)),
            Some((&IN_PARTS, count)) => Ok(Self::InParts(u32::from_be_bytes(count.try_into().map_err(|_| damaged())?))),
            Some(_) | None => Err(damaged()),
        }
    }
}

fn part_key(key: &[u8], number: u32) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_read_back_also_when_they_change_size() {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let tree = sled::open(dir.path()).expect("it opens").open_tree("t").expect("it opens");
        for length in [0, 1, PART_MAX_BYTES - 1, PART_MAX_BYTES, 5 * PART_MAX_BYTES, 5, 2 * PART_MAX_BYTES + 1] {
            let row: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).expect("it is a byte")).collect();
            let mut batch = sled::Batch::default();
            put(&mut batch, &tree, b"key", &row).expect("it reads");
            tree.apply_batch(batch).expect("it is written");
            assert_eq!(get(&tree, b"key").expect("it reads").as_deref(), Some(row.as_slice()), "{length}");
        }
        assert!(tree.iter().values().all(|value| value.expect("it reads").len() <= PART_MAX_BYTES));
        assert_eq!(tree.len(), 4, "the row and its three parts");
        let mut batch = sled::Batch::default();
        remove(&mut batch, &tree, b"key").expect("it reads");
        tree.apply_batch(batch).expect("it is written");
        assert!(tree.is_empty());
    }
}
