//! A disk that gives back something else.

use std::fs;

use ledger_event::Position;

use super::{fill, new_dir, open, remove_journal, with_sled};
use crate::conformance::{all_chunks, append, numbered};
use crate::event_log::{AppendError, EventLog, LogError};
use crate::parts::PartKey;
use crate::sled_log::{SledLog, SledLogOptions, witnessed_head};

fn key(first: u64) -> [u8; 10] {
    PartKey { first: Position::new(first), part: 0 }.to_bytes()
}

/// A closed log of three chunks: positions 1 to 5, 6 to 9, 10 to 12.
fn three_chunks() -> (tempfile::TempDir, SledLogOptions) {
    let (dir, options) = new_dir();
    let log = open(&options);
    for numbers in [0..5, 5..9, 9..12] {
        fill(&log, numbers);
    }
    (dir, options)
}

#[test]
fn every_flipped_byte_of_a_stored_part_is_noticed_on_read() {
    let (_dir, options) = three_chunks();
    let log = open(&options);
    let stored = log.shared.chunks.get(key(6)).expect("it is readable").expect("it is there");
    for at in 0..stored.len() {
        let mut flipped = stored.to_vec();
        flipped[at] ^= 1 << (at % 8);
        log.shared.chunks.insert(key(6), flipped).expect("it is inserted");
        let error = log.chunk_at(Position::new(7)).expect_err("a byte is flipped");
        assert!(matches!(error, LogError::Damaged { position, .. } if position == Position::new(6)), "byte {at}");
        assert!(log.encoded_chunk_at(Position::new(7)).is_err(), "byte {at}");
    }
    log.shared.chunks.insert(key(6), stored).expect("it is inserted");
    assert_eq!(all_chunks(&log).len(), 3);
}

#[test]
fn a_missing_chunk_is_noticed_by_its_own_readers_and_by_those_before_it() {
    let (_dir, options) = three_chunks();
    let log = open(&options);
    log.shared.chunks.remove(key(6)).expect("it is removed");
    for position in [1, 5, 6, 9] {
        let error = log.chunk_at(Position::new(position)).expect_err("a chunk is missing");
        assert!(matches!(error, LogError::Damaged { position, .. } if position == Position::new(1)), "{error}");
    }
    assert!(log.chunk_at(Position::new(10)).expect("the rest is readable").is_some());
}

#[test]
fn a_log_whose_last_chunk_is_damaged_does_not_open() {
    let (_dir, options) = three_chunks();
    with_sled(&options, |chunks, _| {
        let mut value = chunks.get(key(10)).expect("it is readable").expect("it is there").to_vec();
        let last = value.len() - 1;
        value[last] ^= 1;
        chunks.insert(key(10), value).expect("it is inserted");
    });
    assert!(matches!(SledLog::open(options), Err(LogError::Damaged { position, .. }) if position == Position::new(10)));
}

#[test]
fn a_log_whose_last_chunk_does_not_follow_the_one_before_does_not_open() {
    let (_dir, options) = three_chunks();
    let (_other_dir, other) = three_chunks();
    let foreign = with_sled(&other, |chunks, _| chunks.get(key(6)).expect("it is readable").expect("it is there"));
    with_sled(&options, |chunks, _| chunks.insert(key(6), foreign).expect("it is inserted"));
    assert!(matches!(SledLog::open(options), Err(LogError::Damaged { .. })));
}

#[test]
fn a_chunk_with_right_checksums_and_other_content_is_noticed_by_the_chain() {
    let (_dir, options) = three_chunks();
    let (_other_dir, other) = three_chunks();
    let foreign = with_sled(&other, |chunks, _| chunks.get(key(1)).expect("it is readable").expect("it is there"));
    with_sled(&options, |chunks, _| chunks.insert(key(1), foreign).expect("it is inserted"));
    let log = open(&options);
    let chunk = log.encoded_chunk_at(Position::new(3)).expect("its checksums match").expect("it is there");
    chunk.decode().expect("it is well formed");
    assert!(matches!(chunk.verify(&log.identity()), Err(LogError::Damaged { .. })));
}

#[test]
fn damage_within_the_window_stops_appends_and_leaves_the_rest_readable() {
    let (_dir, options) = three_chunks();
    with_sled(&options, |chunks, _| {
        let value = chunks.get(key(1)).expect("it is readable").expect("it is there");
        chunks.insert(key(1), &value[..value.len() - 1]).expect("it is inserted");
    });
    let log = open(&options);
    let refusal = append(&log, vec![numbered(50)]).expect_err("what is a duplicate is not known");
    assert!(matches!(refusal, AppendError::Stopped(_)));
    let reason = log.check_writable().expect_err("it takes none").to_string();
    assert!(reason.contains("position 1 is damaged"), "{reason}");
    assert!(log.chunk_at(Position::new(6)).expect("it is whole").is_some());
}

#[test]
fn a_log_that_ends_earlier_than_it_was_seen_to_is_damaged() {
    let (_dir, options) = three_chunks();
    assert_eq!(witnessed_head(&options.dir).map(|head| head.position.get()), Some(12));
    with_sled(&options, |chunks, _| chunks.remove(key(10)).expect("it is removed"));
    remove_journal(&options);
    let Err(error) = SledLog::open(options.clone()) else { panic!("it is refused") };
    assert!(matches!(&error, LogError::Damaged { position, .. } if position.get() == 10), "{error}");
    assert_eq!(
        error.to_string(),
        "the chunk at position 10 is damaged: it is lost: the log was seen up to position 12"
    );
    fs::write(options.dir.join("HEAD"), "12:nonsense").expect("it is written");
    assert_eq!(open(&options).head().position.get(), 9, "a note that cannot be read says nothing");
}

#[test]
fn a_log_of_a_newer_format_is_refused_as_such() {
    let (_dir, options) = three_chunks();
    with_sled(&options, |_, meta| {
        meta.insert("log", &[0, 0, 0, 2, 1, 2, 3][..]).expect("it is inserted");
    });
    let Err(error) = SledLog::open(options) else { panic!("it is refused") };
    assert_eq!(error.to_string(), "the log has format 2; this program reads formats up to 1: use a newer version");
}

#[test]
fn a_log_that_does_not_know_its_identity_does_not_open() {
    for record in [None, Some(vec![]), Some(vec![0, 0, 0, 1, 5]), Some(vec![0; 24])] {
        let (_dir, options) = three_chunks();
        with_sled(&options, |_, meta| {
            match record {
                None => meta.remove("log"),
                Some(record) => meta.insert("log", record),
            }
            .expect("it is changed");
        });
        assert!(matches!(SledLog::open(options), Err(LogError::Open(_))));
    }
}

#[test]
fn damage_that_sled_notices_is_an_error() {
    let (_dir, options) = three_chunks();
    let conf = options.dir.join("conf");
    let mut bytes = fs::read(&conf).expect("sled keeps its settings there");
    bytes[0] ^= 0xff;
    fs::write(&conf, bytes).expect("it is written");
    assert!(matches!(SledLog::open(options), Err(LogError::Open(_))));

    let (dir, _) = new_dir();
    let file = dir.path().join("file");
    fs::write(&file, "no directory").expect("it is written");
    assert!(matches!(SledLog::open(SledLogOptions::at(file)), Err(LogError::Open(_))));
}
