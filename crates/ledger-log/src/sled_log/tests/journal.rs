//! What the journal gives back to a sled that lost it.

use std::fs;
use std::path::{Path, PathBuf};

use ledger_event::Position;
use tempfile::TempDir;

use super::{copy_dir, fill, new_dir, open, random_text};
use crate::conformance::{all_chunks, append, numbered, with_payload};
use crate::event_log::{Chunk, EventLog, LogError};
use crate::sled_log::{SledLog, SledLogOptions};

/// What a power cut leaves of a log of chunks of 5, 4 and 3 events: nothing in sled, everything in the journal.
fn cut_off() -> (TempDir, SledLogOptions, Vec<Chunk>) {
    let (dir, options) = new_dir();
    drop(open(&options));
    let empty = dir.path().join("empty");
    copy_dir(&options.dir, &empty);
    let log = open(&options);
    for numbers in [0..5, 5..9, 9..12] {
        fill(&log, numbers);
    }
    let image = dir.path().join("image");
    copy_dir(&empty, &image);
    fs::copy(journal(&options.dir), journal(&image)).expect("there is room");
    let chunks = all_chunks(&log);
    (dir, SledLogOptions { dir: image, ..options }, chunks)
}

/// The file that a log writes first.
fn journal(dir: &Path) -> PathBuf {
    dir.join("journal-0")
}

fn change(options: &SledLogOptions, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(journal(&options.dir)).expect("it is there");
    change(&mut bytes);
    fs::write(journal(&options.dir), bytes).expect("it is written");
}

/// Where the frames of three small chunks begin: each is shorter than two sectors.
fn frames(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).step_by(512).filter(|at| bytes[*at..].starts_with(b"HKLJRNL\n")).collect()
}

#[test]
fn all_that_sled_lost_is_read_and_recognized_again() {
    let (_dir, options, chunks) = cut_off();
    let log = open(&options);
    assert_eq!(all_chunks(&log), chunks);
    assert_eq!(append(&log, vec![numbered(11)]).expect("it is a duplicate").duplicates, 1);
    fill(&log, 12..14);
    drop(log);
    assert_eq!(open(&options).head().position, Position::new(14));
}

#[test]
fn a_frame_that_was_not_written_to_its_end_is_no_chunk_and_its_place_is_given_again() {
    let (_dir, options, chunks) = cut_off();
    let frames = frames(&fs::read(journal(&options.dir)).expect("it is there"));
    assert_eq!(frames.len(), 3);
    for end in [frames[2] + 1, frames[2] + 67, frames[2] + 68, frames[2] + 200] {
        let image = options.dir.with_extension(end.to_string());
        copy_dir(&options.dir, &image);
        let options = SledLogOptions { dir: image, ..options.clone() };
        change(&options, |bytes| bytes[end..].fill(0));
        let log = open(&options);
        assert_eq!(all_chunks(&log), chunks[..2], "cut at {end}");
        fill(&log, 100..102);
        drop(log);
        assert_eq!(open(&options).head().position, Position::new(11));
    }
}

#[test]
fn a_damaged_frame_before_others_is_told_and_the_log_gets_no_shorter() {
    let (_dir, options, chunks) = cut_off();
    let bytes = fs::read(journal(&options.dir)).expect("it is there");
    let frames = frames(&bytes);
    for at in (0..frames[2]).step_by(7) {
        let image = options.dir.with_extension("flipped");
        copy_dir(&options.dir, &image);
        let options = SledLogOptions { dir: image, ..options.clone() };
        change(&options, |bytes| bytes[at] ^= 0x20);
        match SledLog::open(options.clone()) {
            // What fills a frame up says nothing.
            Ok(log) => assert_eq!(all_chunks(&log), chunks, "byte {at}"),
            Err(LogError::Damaged { position, reason }) => {
                assert_eq!(position.get(), if at < frames[1] { 1 } else { 6 }, "byte {at}");
                assert_eq!(reason, "it is missing, and the journal holds later ones");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
        fs::remove_dir_all(&options.dir).expect("nobody has it open");
    }
}

#[test]
fn a_journal_that_turns_over_again_and_again_loses_nothing_in_any_crash() {
    let (dir, options) = new_dir();
    let options = SledLogOptions { journal_file_max_bytes: 8 * 1024, ..options };
    let log = open(&options);
    let image = dir.path().join("image");
    for round in 0..40 {
        let first = round * 100;
        let size = [10, 3000, 60_000][usize::try_from(round % 3).expect("it is small")];
        let filler = format!(r#"{{"filler":"{}"}}"#, random_text(size));
        append(&log, vec![with_payload(first, &filler), numbered(first + 1)]).expect("it is appended");
        copy_dir(&options.dir, &image);
        let copy = open(&SledLogOptions { dir: image.clone(), ..options.clone() });
        assert_eq!(all_chunks(&copy), all_chunks(&log), "round {round}");
        drop(copy);
        fs::remove_dir_all(&image).expect("nobody has it open");
    }
    let bytes = |name| fs::metadata(options.dir.join(name)).expect("it is there").len();
    assert!(bytes("journal-0").max(bytes("journal-1")) <= 1024 * 1024 + 70_000, "it is bounded");
}

#[test]
fn a_log_that_was_closed_has_nothing_left_in_its_journal_alone() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    fill(&log, 0..5);
    let chunks = all_chunks(&log);
    drop(log);
    fs::remove_file(journal(&options.dir)).expect("it is there");
    assert_eq!(all_chunks(&open(&options)), chunks);
}
