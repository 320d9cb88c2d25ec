use std::fs;

use tempfile::TempDir;

use super::*;
use crate::conformance::{all_chunks, append, numbered, wait};
use crate::event_log::{Chunk, EventLog};
use crate::{SledLog, SledLogOptions, salvage};

/// A closed log of chunks of five events each, sealed three at a time, the last two in sled alone.
struct Written {
    _dir: TempDir,
    options: SledLogOptions,
    identity: LogIdentity,
    chunks: Vec<Chunk>,
    /// The file of the journal, which stands elsewhere.
    journal: PathBuf,
}

fn written() -> Written {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let mut options = SledLogOptions::at(dir.path().join("log")).sealing_nothing();
    let log = SledLog::open(options.clone()).expect("it opens");
    for chunk in 0..11 {
        append(&log, (chunk * 5..chunk * 5 + 5).map(numbered).collect()).expect("it is appended");
    }
    let (chunks, identity) = (all_chunks(&log), log.identity());
    let three = (0..3).map(|chunk| log.encoded_chunk_at(Position::new(1 + chunk * 5)).expect("it reads"));
    let three: usize = three.map(|chunk| chunk.expect("it is there").as_bytes().len()).sum();
    drop(log);
    // Chunks of equal events differ by a few bytes.
    options.segment_target_bytes = three as u64 - 20;
    options.hot_max_bytes = 0;
    let log = SledLog::open(options.clone()).expect("it opens");
    let mut sealing = log.watch_sealing();
    wait(sealing.wait_for(|sealing| sealing.sealed == Position::new(45) && sealing.oldest_hot == Position::new(46)))
        .expect("it is open");
    assert_eq!(log.segments().len(), 3);
    drop(log);
    // It holds all of so short a log; what it gives back is a matter of its own.
    let journal = ["journal-0", "journal-1"].map(|name| options.dir.join(name));
    let kept = dir.path().join("journal");
    fs::rename(&journal[0], &kept).expect("a log has a journal");
    fs::remove_file(&journal[1]).expect("a log has a journal");
    Written { _dir: dir, options, identity, chunks, journal: kept }
}

impl Written {
    fn segments(&self) -> Vec<PathBuf> {
        [1, 16, 31].map(|first| segment_path(&self.options.segments_dir, Position::new(first))).to_vec()
    }

    /// The segments, and what the hot tier holds.
    fn sources(&self) -> Vec<PathBuf> {
        let salvaged = self.options.dir.with_file_name("salvaged");
        salvage(&self.options.dir, &salvaged).expect("it opens");
        let mut files = self.segments();
        files.extend(fs::read_dir(&salvaged).expect("it is there").map(|entry| entry.expect("it is listed").path()));
        files
    }

    fn restore(&self, files: &[PathBuf]) -> (Restored, Vec<Chunk>, Vec<Vec<u8>>) {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let options = SledLogOptions::at(dir.path().join("log")).sealing_nothing();
        let restored = restore(self.identity, files, &options.dir, &options.segments_dir, |_| {});
        let restored = restored.expect("there is room");
        if restored.head.position == Position::START {
            return (restored, Vec::new(), Vec::new());
        }
        let log = SledLog::open(options).expect("what was restored opens");
        assert_eq!(log.head(), restored.head);
        let segments = log.segments().iter().map(|segment| fs::read(&segment.path).expect("it is there")).collect();
        (restored, all_chunks(&log), segments)
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("it is there");
    change(&mut bytes);
    fs::write(path, bytes).expect("it is written");
}

#[test]
fn segments_and_hot_tier_make_the_same_log_with_the_same_segments() {
    let written = written();
    let sources = written.sources();
    assert_eq!(sources.len(), 4);
    let (restored, chunks, segments) = written.restore(&sources);
    assert_eq!(chunks, written.chunks);
    assert_eq!((restored.segments, restored.beyond), (3, None));
    let originals: Vec<_> = written.segments().iter().map(|path| fs::read(path).expect("it is there")).collect();
    assert_eq!(segments, originals);
    let (restored, chunks, _) = written.restore(&written.segments());
    assert_eq!((restored.head.position.get(), chunks.len()), (45, 9), "without the hot tier it ends with the segments");
}

#[test]
fn a_journal_alone_gives_back_what_it_holds_also_where_sled_does_not_open() {
    let written = written();
    fs::rename(&written.journal, written.options.dir.join("journal-0")).expect("they are on one disk");
    fs::write(written.options.dir.join("db"), "nonsense").expect("it is written");
    fs::write(written.options.dir.join("conf"), "nonsense").expect("it is written");
    let salvaged = written.options.dir.with_file_name("salvaged");
    salvage(&written.options.dir, &salvaged).expect_err("sled does not open");
    let files: Vec<_> =
        fs::read_dir(&salvaged).expect("it is there").map(|entry| entry.expect("it is listed").path()).collect();
    let (restored, chunks, _) = written.restore(&files);
    assert_eq!((chunks, restored.beyond), (written.chunks, None));
}

#[test]
fn two_copies_that_are_damaged_in_different_places_make_one_that_is_whole() {
    let written = written();
    let mut files = written.sources();
    let second = written.segments().remove(1);
    let copy = second.with_file_name("copy.segment");
    fs::copy(&second, &copy).expect("there is room");
    let length = fs::metadata(&second).expect("it is there").len() as usize;
    files.push(copy.clone());
    // The header, the first chunk, the length of the second one; the third chunk, and all that comes after it.
    change(&second, |bytes| {
        bytes[3] ^= 1;
        bytes[150] ^= 1;
        bytes[length / 3 + 40] ^= 1;
    });
    change(&copy, |bytes| bytes.truncate(length - 200));
    let (restored, chunks, _) = written.restore(&files);
    assert_eq!(chunks, written.chunks);
    assert_eq!(restored.beyond, None);
}

#[test]
fn what_no_source_has_ends_the_log_and_what_is_beyond_is_named() {
    let written = written();
    let files = written.sources();
    let second = written.segments().remove(1);
    let chunk_bytes = fs::read(&second).expect("it is there").len() / 3;
    change(&second, |bytes| bytes[chunk_bytes + 60] ^= 1);
    let (restored, chunks, _) = written.restore(&files);
    assert_eq!(chunks, written.chunks[..4]);
    let (beyond, first) = restored.beyond.expect("there is more");
    assert_eq!((restored.head.position.get(), beyond, first.get()), (20, second, 26));
}

#[test]
fn nothing_of_another_log_gets_in() {
    let (written, other) = (written(), super::tests::written());
    let (restored, chunks, _) = written.restore(&other.segments());
    assert_eq!((restored.head.position, chunks.len()), (Position::START, 0));
    let mut both = other.sources();
    both.extend(written.sources());
    let (_, chunks, _) = written.restore(&both);
    assert_eq!(chunks, written.chunks);
    assert_eq!(identities(&both).len(), 2);
}

#[test]
fn any_byte_that_is_flipped_in_a_segment_costs_its_chunk_at_most() {
    let written = written();
    let first = written.segments().remove(0);
    let whole = fs::read(&first).expect("it is there");
    for at in (0..whole.len()).step_by(7) {
        change(&first, |bytes| bytes[at] ^= 0x20);
        let mut merge = Merge::new(written.identity, std::slice::from_ref(&first));
        let mut merged = Vec::new();
        while let Some((_, chunk)) = merge.next().expect("it can be read") {
            merged.push(chunk);
        }
        assert_eq!(merged, written.chunks[..merged.len()], "byte {at}");
        let in_frames = at > 76 && at < whole.len() - 100;
        let lost = 3 - merged.len();
        let is_found_again = merge.beyond().is_some() || lost <= 1;
        assert!(if in_frames { lost >= 1 && is_found_again } else { lost <= 1 }, "byte {at}: {lost} are lost");
        fs::write(&first, &whole).expect("it is written");
    }
}
