use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::base::{Base, Misses, Reading, Root};
use crate::pages::PageStore;
use crate::place::Place;

/// An index that is written as sets of pages would write it.
struct Index {
    base: Base,
    root: Root,
    merge: Option<Merge>,
    _dir: tempfile::TempDir,
}

impl Index {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let tree = sled::open(dir.path()).expect("it opens").open_tree("t").expect("it opens");
        let root = Root::new().expect("there is randomness");
        Self { base: Base::new(PageStore::new(tree), 1 << 20), root, merge: None, _dir: dir }
    }

    /// Brings new entries as a run, and merges a piece of older ones.
    fn bring(&mut self, entries: &BTreeMap<u64, Place>, piece: u64) {
        let pages = &self.base.pages;
        let (begun, version) = self.root.versions.begin();
        let number = self.root.next_run;
        self.root.next_run += 2;
        let mut merge = self.merge.take().or_else(|| Merge::due(&self.root.runs, number));
        if let Some(under_way) = &mut merge
            && under_way.step(pages, &self.root.versions, version, piece).expect("it reads")
        {
            let (merged, replaced) = merge.take().expect("it is there").finish(pages, version).expect("it is written");
            self.root.runs.retain(|run| !replaced.contains(run));
            self.root.runs.push(merged);
            pages.remove_runs(|number| replaced.iter().all(|run| run.number != number)).expect("it is written");
        }
        self.merge = merge;
        let mut writer = RunWriter::new(Run::new(number + 1, entries.len() as u64));
        for (hash, place) in entries {
            writer.push(pages, version, *hash, *place).expect("it is written");
        }
        self.root.runs.push(writer.finish(pages, version).expect("it is written"));
        self.root.versions = begun.finish();
    }

    fn place(&self, hash: u64) -> Option<Place> {
        Reading { base: &self.base, root: &self.root, misses: Misses::Read }.place(hash).expect("it reads")
    }
}

/// Hashes are even, as those of a keyed hash are.
fn hash(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_was_brought_is_found_and_nothing_else_whatever_is_being_merged(
        sizes in prop::collection::vec(1..900_u32, 1..40), piece in 50..3000_u64
    ) {
        let mut index = Index::new();
        let mut brought = 0;
        for size in &sizes {
            let numbers = brought..brought + size;
            index.bring(&numbers.map(|number| (hash(number), Place::of_number(number.into()))).collect(), piece);
            brought += size;
        }
        for number in 0..brought {
            prop_assert_eq!(index.place(hash(number)), Some(Place::of_number(number.into())));
        }
        for number in brought..brought + 2000 {
            prop_assert_eq!(index.place(hash(number)), None);
        }
        let entries: u64 = index.root.runs.iter().map(|run| run.entries).sum();
        prop_assert_eq!(entries, u64::from(brought));
    }
}

#[test]
fn runs_stay_few_and_their_old_pages_go() {
    let mut index = Index::new();
    for set in 0..300_u32 {
        let numbers = set * 100..(set + 1) * 100;
        index.bring(&numbers.map(|number| (hash(number), Place::of_number(number.into()))).collect(), 2000);
    }
    assert!(index.root.runs.len() <= 16, "{} runs", index.root.runs.len());
    assert_eq!(index.place(hash(29_999)), Some(Place::of_number(29_999)));
    assert_eq!(index.place(hash(30_000)), None);
}
