//! Pages in a tree of sled's.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ViewsError;
use crate::names::ScopeName;
use crate::pages::id::{self, PageId};
use crate::pages::root::Versions;
use crate::pages::value;

/// Where the root lies.
const ROOT: &[u8] = b"root";

const VERSION_BYTES: usize = size_of::<u64>();

/// Pages in a tree of sled's.
#[derive(Debug)]
pub(crate) struct PageStore {
    tree: sled::Tree,
}

/// A version of a page that a newer one has replaced.
#[derive(Debug)]
pub(crate) struct Removal {
    key: Vec<u8>,
    parts_behind: u32,
}

impl PageStore {
    pub(crate) fn new(tree: sled::Tree) -> Self {
        Self { tree }
    }

    /// What the root says.
    pub(crate) fn root<T: DeserializeOwned>(&self) -> Result<Option<T>, ViewsError> {
        let root = self.tree.get(ROOT).map_err(ViewsError::Read)?;
        root.map(|root| decode(|| ROOT.to_vec(), &root)).transpose()
    }

    /// Replaces the root, in one step.
    pub(crate) fn put_root<T: Serialize>(&self, root: &T) -> Result<(), ViewsError> {
        self.tree.insert(ROOT, encode(root)).map(drop).map_err(ViewsError::Write)
    }

    /// The newest valid version of a page.
    pub(crate) fn read(&self, id: &PageId, versions: &Versions) -> Result<Option<Vec<u8>>, ViewsError> {
        let key = id.key();
        let mut before = version_key(&key, versions.current() + 1);
        loop {
            let Some((found, value)) = self.tree.get_lt(&before).map_err(ViewsError::Read)? else { return Ok(None) };
            let Some(version) = found.strip_prefix(key.as_slice()).and_then(version_of) else { return Ok(None) };
            let head = version_key(&key, version);
            if !versions.is_valid(version) {
                before = head;
            } else if found == head {
                return self.unpack(&head, &value).map(Some);
            } else {
                // Parts stand behind the first of them.
                let first =
                    self.tree.get(&head).map_err(ViewsError::Read)?.ok_or_else(|| ViewsError::damaged(&head))?;
                return self.unpack(&head, &first).map(Some);
            }
        }
    }

    fn unpack(&self, head: &[u8], first: &[u8]) -> Result<Vec<u8>, ViewsError> {
        let count = value::parts_behind(first).ok_or_else(|| ViewsError::damaged(head))?;
        let mut behind = Vec::new();
        for number in 0..count {
            let part = self.tree.get(part_key(head, number)).map_err(ViewsError::Read)?;
            behind.extend_from_slice(&part.ok_or_else(|| ViewsError::damaged(head))?);
        }
        value::unpack(first, &behind).ok_or_else(|| ViewsError::damaged(head))
    }

    /// Writes a page in a version that is not valid yet, and says how many bytes it takes.
    pub(crate) fn write(&self, id: &PageId, version: u64, page: &[u8]) -> Result<usize, ViewsError> {
        let head = version_key(&id.key(), version);
        let parts = value::pack(page);
        let count = u32::try_from(parts.len()).expect("a page is bounded by the limits of events");
        for (number, part) in (0..count - 1).zip(&parts[1..]) {
            self.tree.insert(part_key(&head, number), part.as_slice()).map_err(ViewsError::Write)?;
        }
        self.tree.insert(head, parts[0].as_slice()).map_err(ViewsError::Write)?;
        Ok(parts.iter().map(Vec::len).sum())
    }

    /// All versions of a page below that one, to be removed once that one is valid.
    pub(crate) fn older(&self, id: &PageId, version: u64) -> Result<Vec<Removal>, ViewsError> {
        let key = id.key();
        let mut removals = Vec::new();
        for item in self.tree.range(version_key(&key, 0)..version_key(&key, version)) {
            let (found, value) = item.map_err(ViewsError::Read)?;
            if found.len() == key.len() + VERSION_BYTES {
                let parts_behind = value::parts_behind(&value).ok_or_else(|| ViewsError::damaged(&found))?;
                removals.push(Removal { key: found.to_vec(), parts_behind });
            }
        }
        Ok(removals)
    }

    pub(crate) fn remove(&self, removal: &Removal) -> Result<(), ViewsError> {
        for number in 0..removal.parts_behind {
            self.tree.remove(part_key(&removal.key, number)).map_err(ViewsError::Write)?;
        }
        self.tree.remove(&removal.key).map(drop).map_err(ViewsError::Write)
    }

    /// Removes the index's runs that `is_kept` does not know, whatever is left of them.
    pub(crate) fn remove_runs(&self, is_kept: impl Fn(u32) -> bool) -> Result<(), ViewsError> {
        for letter in [id::BUCKETS, id::FILTERS] {
            let mut next = Some(0_u32);
            while let Some(from) = next {
                let start = [&[letter][..], &from.to_be_bytes()].concat();
                let found =
                    self.tree.range(start..vec![letter + 1]).keys().next().transpose().map_err(ViewsError::Read)?;
                let Some(key) = found else { break };
                let number =
                    key.get(1..5).and_then(|number| number.try_into().ok()).ok_or_else(|| ViewsError::damaged(&key))?;
                let run = u32::from_be_bytes(number);
                if !is_kept(run) {
                    self.remove_run(letter, run)?;
                }
                next = run.checked_add(1);
            }
        }
        Ok(())
    }

    fn remove_run(&self, letter: u8, run: u32) -> Result<(), ViewsError> {
        let prefix = [&[letter][..], &run.to_be_bytes()].concat();
        for key in self.tree.scan_prefix(prefix).keys() {
            self.tree.remove(key.map_err(ViewsError::Read)?).map_err(ViewsError::Write)?;
        }
        Ok(())
    }

    /// The days of a scope that have a page, rising; some may be of versions that are not valid.
    pub(crate) fn days_of(&self, scope: u32) -> Result<Vec<i32>, ViewsError> {
        let mut days = Vec::new();
        for key in self.tree.scan_prefix(id::days_prefix(scope)).keys() {
            let key = key.map_err(ViewsError::Read)?;
            days.push(id::day_of(&key).ok_or_else(|| ViewsError::damaged(&key))?);
        }
        days.dedup();
        Ok(days)
    }

    /// The next scope that has a page, in the order of their keys; some may be of versions that are not valid.
    pub(crate) fn scope_after(&self, last: Option<&ScopeName>) -> Result<Option<ScopeName>, ViewsError> {
        let start =
            last.map_or_else(|| vec![id::SCOPES], |last| version_key(&PageId::Scope(last.clone()).key(), u64::MAX));
        let found = self.tree.range(start..vec![id::SCOPES + 1]).keys().next().transpose().map_err(ViewsError::Read)?;
        let Some(key) = found else { return Ok(None) };
        id::scope_of(&key).map(|(name, _)| Some(name)).ok_or_else(|| ViewsError::damaged(&key))
    }
}

fn version_key(key: &[u8], version: u64) -> Vec<u8> {
    [key, &version.to_be_bytes()].concat()
}

fn part_key(head: &[u8], number: u32) -> Vec<u8> {
    [head, &number.to_be_bytes()].concat()
}

/// The version at the beginning of what stands behind the id of a page.
fn version_of(behind: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(behind.get(..VERSION_BYTES)?.try_into().ok()?))
}

pub(crate) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, row);
    bytes
}

/// Encodes into memory that is at hand, in the place of what was there.
pub(crate) fn encode_into<T: Serialize>(bytes: &mut Vec<u8>, row: &T) {
    bytes.clear();
    rmp_serde::encode::write(bytes, row).expect("rows are plain maps, text and integers");
}

/// Decodes what lies under a key, which is told where it cannot be.
pub(crate) fn decode<'a, T: Deserialize<'a>>(key: impl FnOnce() -> Vec<u8>, bytes: &'a [u8]) -> Result<T, ViewsError> {
    rmp_serde::from_slice(bytes).map_err(|source| ViewsError::Row { key: key().escape_ascii().to_string(), source })
}

#[cfg(test)]
mod tests;
