//! What is sealed and trimmed, and what is found of it when the log is opened.

use std::fs;

use ledger_event::Position;
use tempfile::TempDir;

use super::{fill, new_dir, open, random_text, remove_journal, with_sled};
use crate::cold::segment_path;
use crate::conformance::{all_chunks, append, numbered, wait, with_payload};
use crate::event_log::{Chunk, EventLog, LogError};
use crate::sled_log::store::FENCE;
use crate::sled_log::{SledLog, SledLogOptions};

/// A log that seals each chunk and keeps the newest alone in sled.
fn eager() -> (TempDir, SledLogOptions) {
    let (dir, options) = new_dir();
    (dir, SledLogOptions { segment_target_bytes: 1, hot_max_bytes: 0, ..options })
}

/// The same that seals nothing.
fn idle(options: &SledLogOptions) -> SledLogOptions {
    SledLogOptions { segment_target_bytes: u64::MAX, hot_max_bytes: u64::MAX, ..options.clone() }
}

/// Waits until all is sealed, and all but the newest chunk trimmed.
fn settle(log: &SledLog) {
    let head = log.head().position;
    let newest = log.chunk_at(head).expect("it is readable").expect("it is not empty").first;
    let mut sealing = log.watch_sealing();
    wait(sealing.wait_for(|sealing| sealing.sealed >= head && sealing.oldest_hot >= newest)).expect("it is open");
}

/// A closed log of chunks of positions 1 to 5, 6 to 9, 10 to 12, all sealed, the last one in sled too.
fn three_segments() -> (TempDir, SledLogOptions, Vec<Chunk>) {
    let (dir, options) = eager();
    let log = open(&options);
    for numbers in [0..5, 5..9, 9..12] {
        fill(&log, numbers);
        settle(&log);
    }
    let chunks = all_chunks(&log);
    (dir, options, chunks)
}

fn segment(options: &SledLogOptions, first: u64) -> std::path::PathBuf {
    segment_path(&options.segments_dir, Position::new(first))
}

fn refusal(options: &SledLogOptions) -> LogError {
    match SledLog::open(options.clone()) {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

#[test]
fn sealed_chunks_leave_sled_but_for_the_newest_and_are_read_on() {
    let (_dir, options, chunks) = three_segments();
    let keys = with_sled(&options, |tree, _| tree.range(..FENCE.to_bytes()).count());
    assert_eq!(keys, 1, "the newest chunk stays");
    let log = open(&options);
    assert_eq!(all_chunks(&log), chunks);
    let firsts: Vec<u64> = log.segments().iter().map(|segment| segment.header.first.get()).collect();
    assert_eq!(firsts, [1, 6, 10]);
    fill(&log, 12..13);
    assert_eq!(all_chunks(&log)[..3], chunks[..]);
    let again = append(&log, vec![numbered(2)]).expect("the window was read from the segments");
    assert_eq!(again.duplicates, 1);
}

#[test]
fn nothing_is_trimmed_that_is_not_sealed_and_the_bounds_are_kept() {
    let (_dir, options) = new_dir();
    let options = SledLogOptions { segment_target_bytes: 200_000, hot_max_bytes: 300_000, ..options };
    let log = open(&options);
    for number in 0..40 {
        append(&log, vec![with_payload(number, &format!(r#"{{"p":"{}"}}"#, random_text(60_000)))])
            .expect("it is appended");
    }
    let mut sealing = log.watch_sealing();
    let settled = |sealing: &super::super::Sealing| sealing.sealed > Position::new(30) && sealing.hot_bytes <= 300_000;
    let sealing = wait(sealing.wait_for(settled)).expect("it is open").clone();
    assert!(sealing.oldest_hot <= sealing.sealed.next(), "{sealing:?}");
    assert!(log.segments().iter().all(|segment| (200_000..300_000).contains(&segment.bytes)), "{:?}", log.segments());
    assert_eq!(all_chunks(&log).len(), 40);
    drop(log);
    assert_eq!(all_chunks(&open(&options)).len(), 40);
}

#[test]
fn a_segment_that_was_not_written_to_its_end_is_removed_and_sealed_again() {
    let (_dir, options, chunks) = three_segments();
    let leftover = options.segments_dir.join("00000000000000000013.segment.writing");
    fs::write(&leftover, "half").expect("it is written");
    let log = open(&options);
    assert!(!leftover.exists());
    fill(&log, 12..14);
    settle(&log);
    assert_eq!(all_chunks(&log)[..3], chunks[..]);
    assert_eq!(log.segments().len(), 4);
}

#[test]
fn trimmed_chunks_that_reappear_after_a_crash_do_no_harm() {
    let (_dir, options) = eager();
    let log = open(&idle(&options));
    for numbers in [0..5, 5..9, 9..12, 12..15] {
        fill(&log, numbers);
    }
    let chunks = all_chunks(&log);
    drop(log);
    let stored = with_sled(&options, |tree, _| tree.iter().collect::<Result<Vec<_>, _>>()).expect("it is readable");
    let log = open(&options);
    settle(&log);
    drop(log);
    // All of them, one in part, and one with other bytes: nobody reads them there.
    for reappeared in [&stored[..3], &stored[1..3], &stored[2..3]] {
        with_sled(&options, |tree, _| {
            for (key, value) in reappeared {
                let value = if key == &stored[1].0 { &value[..20] } else { value };
                tree.insert(key, value).expect("it is inserted");
            }
        });
        let log = open(&options);
        settle(&log);
        assert_eq!(all_chunks(&log), chunks);
        drop(log);
        assert_eq!(with_sled(&options, |tree, _| tree.range(..FENCE.to_bytes()).count()), 1, "they are trimmed");
    }
}

#[test]
fn a_segment_that_is_missing_or_stands_in_the_place_of_another_is_named() {
    let (_other_dir, other, _) = three_segments();
    type Change<'a> = &'a dyn Fn(&SledLogOptions);
    let foreign = fs::read(segment(&other, 6)).expect("it is there");
    let cases: [(&str, Change<'_>, u64); 4] = [
        ("is missing before it", &|options| fs::remove_file(segment(options, 6)).expect("it is there"), 6),
        ("is missing before it", &|options| fs::remove_file(segment(options, 1)).expect("it is there"), 1),
        ("is named by", &|options| fs::rename(segment(options, 6), segment(options, 7)).expect("it is there"), 6),
        ("does not follow", &|options| fs::write(segment(options, 6), &foreign).expect("it is written"), 6),
    ];
    for (words, change, at) in cases {
        let (_dir, options, _) = three_segments();
        change(&options);
        let error = refusal(&options);
        assert!(error.is_mended_by_restore());
        let LogError::SegmentDamaged { position, reason, .. } = &error else { panic!("{error}") };
        assert!(reason.contains(words) && position.get() == at, "{words}: {error}");
    }
}

#[test]
fn a_hot_tier_that_is_lost_empty_older_or_of_another_log_is_never_taken_for_the_log() {
    let (_dir, options, _) = three_segments();
    fs::remove_dir_all(&options.dir).expect("it is there");
    assert!(matches!(refusal(&options), LogError::TiersApart { .. }));
    assert!(!options.dir.exists(), "nothing was made in its place");

    let (_dir, options, _) = three_segments();
    with_sled(&options, |chunks, _| chunks.clear().expect("it is emptied"));
    remove_journal(&options);
    assert!(matches!(refusal(&options), LogError::TiersApart { .. }));
    with_sled(&options, |_, meta| meta.clear().expect("it is emptied"));
    assert!(matches!(refusal(&options), LogError::TiersApart { .. }));

    let (_dir, options, _) = three_segments();
    let (_other_dir, other, _) = three_segments();
    fs::remove_dir_all(&options.dir).expect("it is there");
    fs::rename(&other.dir, &options.dir).expect("they are on one disk");
    assert!(matches!(refusal(&options), LogError::TiersApart { .. }));
}

#[test]
fn chunks_that_are_missing_between_the_tiers_are_damage_at_their_position() {
    let (_dir, options, _) = three_segments();
    let log = open(&idle(&options));
    fill(&log, 12..14);
    fill(&log, 14..16);
    drop(log);
    let lost = segment(&options, 10);
    fs::rename(&lost, lost.with_extension("gone")).expect("it is there");
    let log = open(&idle(&options));
    assert_eq!(all_chunks(&log).len(), 5, "sled still has what the segment held");
    drop(log);
    let lost = segment(&options, 6);
    fs::rename(&lost, lost.with_extension("gone")).expect("it is there");
    let error = refusal(&options);
    assert!(matches!(&error, LogError::Damaged { position, .. } if position.get() == 6), "{error}");
    assert!(error.is_mended_by_restore());
}

#[test]
fn damage_within_a_segment_is_told_to_its_readers_with_its_file_and_the_rest_is_served() {
    let (_dir, options, chunks) = three_segments();
    let path = segment(&options, 6);
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[100] ^= 1;
    fs::write(&path, bytes).expect("it is written");
    let log = open(&SledLogOptions { idempotence_window_events: 1, ..options });
    let error = log.chunk_at(Position::new(7)).expect_err("a byte is flipped");
    assert!(
        matches!(&error, LogError::SegmentDamaged { path: named, position, .. } if *named == path && position.get() == 6),
        "{error}"
    );
    assert!(log.encoded_chunk_at(Position::new(7)).is_err());
    assert!(log.segments()[1].check().is_err());
    assert_eq!(log.chunk_at(Position::new(3)).expect("it is whole").as_ref(), Some(&chunks[0]));
    fill(&log, 20..21);
}

#[test]
fn a_failure_to_seal_stops_no_append_is_told_and_is_tried_again() {
    let (_dir, options) = eager();
    fs::write(&options.segments_dir, "no folder").expect("it is written");
    let log = SledLog::open(options.clone());
    // A file where the folder should be cannot even be listed.
    assert!(matches!(log, Err(LogError::Segment { .. })));
    fs::remove_file(&options.segments_dir).expect("it is there");
    let obstacle = segment(&options, 1).with_added_extension("writing");
    fs::create_dir_all(&obstacle).expect("there is room");
    let log = open(&options);
    fill(&log, 0..5);
    let mut sealing = log.watch_sealing();
    let failed = wait(sealing.wait_for(|sealing| sealing.failure.is_some())).expect("it is open").clone();
    assert!(failed.failure.expect("it failed").contains("00000000000000000001.segment.writing"));
    fill(&log, 5..9);
    fs::remove_dir(&obstacle).expect("it is empty");
    settle(&log);
    wait(sealing.wait_for(|sealing| sealing.failure.is_none())).expect("it is open");
    assert_eq!(all_chunks(&log).len(), 2);
}

#[test]
fn an_archive_gets_each_segment_and_what_it_lacks_at_the_start_and_is_never_overwritten() {
    let (dir, options, _) = three_segments();
    let archive = dir.path().join("deep/archive");
    let options = SledLogOptions { archive_dir: Some(archive.clone()), ..options };
    let log = open(&options);
    fill(&log, 12..13);
    let mut sealing = log.watch_sealing();
    wait(sealing.wait_for(|sealing| sealing.archived >= Position::new(13))).expect("it is open");
    for segment in log.segments() {
        let copy = archive.join(segment.path.file_name().expect("it is a file"));
        assert_eq!(fs::read(copy).expect("it is there"), fs::read(&segment.path).expect("it is there"));
    }
    drop(log);
    let (_other_dir, other, _) = three_segments();
    let foreign = fs::read(segment(&other, 6)).expect("it is there");
    fs::write(segment_path(&archive, Position::new(6)), &foreign).expect("it is written");
    let log = open(&options);
    let mut sealing = log.watch_sealing();
    let told = wait(sealing.wait_for(|sealing| sealing.archive_failure.is_some())).expect("it is open").clone();
    let reason = told.archive_failure.expect("it is told");
    assert!(reason.contains("left as it is") && reason.contains("00000000000000000006.segment"), "{reason}");
    assert_eq!(fs::read(segment_path(&archive, Position::new(6))).expect("it is there"), foreign);
    fill(&log, 13..14);
    settle(&log);
}
