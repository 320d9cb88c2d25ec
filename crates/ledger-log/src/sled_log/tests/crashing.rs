//! A process that ends in the middle.

use std::fs;

use ledger_event::{Position, Timestamp};

use super::{blob_files, copy_dir, fill, new_dir, open, open_steered, random_text, with_sled};
use crate::Clock;
use crate::conformance::{all_chunks, append, numbered, with_payload};
use crate::event_log::EventLog;
use crate::parts::{self, PART_MAX_BYTES, PartKey};
use crate::sled_log::store::FENCE;
use crate::sled_log::{SledLogOptions, was_closed_well};

#[test]
fn a_chunk_without_its_last_part_is_discarded_on_open_and_its_positions_given_again() {
    for kept in 1..=3 {
        let (_dir, options) = new_dir();
        let log = open(&options);
        fill(&log, 0..5);
        let (head, chunks) = (log.head(), all_chunks(&log));
        drop(log);

        let torn: Vec<_> = parts::split(Position::new(6), &vec![7; 3 * PART_MAX_BYTES + 100]).collect();
        assert_eq!(torn.len(), 4);
        with_sled(&options, |tree, _| {
            for (key, value) in torn.into_iter().take(kept) {
                tree.insert(key.to_bytes(), value).expect("it is inserted");
            }
        });

        let log = open(&options);
        assert_eq!(log.head(), head);
        assert_eq!(all_chunks(&log), chunks, "readers stop before it");
        assert_eq!(log.chunk_at(Position::new(6)).expect("it is readable"), None);
        fill(&log, 5..7);
        assert_eq!(log.head().position, Position::new(7));
        drop(log);
        let stored =
            with_sled(&options, |tree, _| tree.range(..FENCE.to_bytes()).keys().collect::<Result<Vec<_>, _>>());
        let keys: Vec<_> = stored.expect("it is readable").iter().filter_map(|key| PartKey::of_bytes(key)).collect();
        assert_eq!(keys, [1, 6].map(|first| PartKey { first: Position::new(first), part: 0 }), "no part is left");
        all_chunks(&open(&options));
    }
}

#[test]
fn what_was_acknowledged_is_in_the_files_before_anything_is_closed() {
    let (dir, options) = new_dir();
    let log = open(&options);
    for round in 0..4_u64 {
        let filler = format!(r#"{{"filler":"{}"}}"#, random_text(200_000));
        let mut events = vec![with_payload(round * 1000, &filler)];
        events.extend((1..50).map(|number| numbered(round * 1000 + number)));
        append(&log, events).expect("it is appended");

        let image = dir.path().join(format!("image-{round}"));
        copy_dir(&options.dir, &image);
        let copy = open(&SledLogOptions::at(image));
        assert_eq!(copy.head(), log.head());
        assert_eq!(all_chunks(&copy), all_chunks(&log));
        let again = append(&copy, vec![numbered(round * 1000 + 1)]).expect("it is a duplicate");
        assert_eq!(again.duplicates, 1);
    }
}

#[test]
fn large_payloads_that_do_not_compress_make_no_blob_files() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    let mut number = 0;
    for length in [1, 40, 3, 90, 1, 1, 20] {
        let payload = || format!(r#"{{"p":"{}"}}"#, random_text(256 * 1024 - 8));
        let events = (number..number + length).map(|number| with_payload(number, &payload())).collect();
        append(&log, events).expect("it is appended");
        number += length;
        assert_eq!(blob_files(&options), 0);
    }
    let chunks = all_chunks(&log);
    drop(log);
    let log = open(&options);
    assert_eq!(all_chunks(&log), chunks);
    assert_eq!(blob_files(&options), 0, "nor when sled rewrites its leaves");
}

#[test]
fn a_clock_that_went_back_between_two_runs_does_not_take_time_back() {
    let (_dir, options) = new_dir();
    let at = |micros| Clock::new(move || Timestamp::from_micros(micros).expect("it is a time"));
    let log = open(&SledLogOptions { clock: at(2000), ..options.clone() });
    fill(&log, 0..1);
    drop(log);
    let log = open(&SledLogOptions { clock: at(1000), ..options });
    fill(&log, 1..2);
    let recorded: Vec<i64> = all_chunks(&log).iter().map(|chunk| chunk.recorded_at.as_micros()).collect();
    assert_eq!(recorded, [2000, 2000]);
}

#[test]
fn a_log_is_marked_as_closed_well_while_nobody_has_it_open_and_it_is_as_it_was() {
    let (_dir, options) = new_dir();
    let marked = || was_closed_well(&options.dir);
    assert!(!marked(), "there is none");
    let log = open(&options);
    fill(&log, 0..3);
    assert!(!marked(), "it is open");
    log.close();
    assert!(marked());
    drop(log);
    assert!(marked(), "its files are no shorter when the storage engine has let go of them");
    drop(open(&options));
    assert!(marked(), "it was opened and closed again");

    let mark = fs::read(options.dir.join("CLOSED")).expect("it is there");
    for length in 0..mark.len() - 1 {
        fs::write(options.dir.join("CLOSED"), &mark[..length]).expect("it is written");
        assert!(!marked(), "a mark that was cut to {length} says nothing");
    }
    fs::write(options.dir.join("CLOSED"), &mark).expect("it is written");
    assert!(marked());
    let db = fs::OpenOptions::new().write(true).open(options.dir.join("db")).expect("it is there");
    db.set_len(db.metadata().expect("it has one").len() - 1).expect("it is cut");
    assert!(!marked(), "a file is shorter");
    fs::remove_file(options.dir.join("db")).expect("it is there");
    assert!(!marked(), "a file is missing");
}

#[test]
fn a_log_that_failed_is_not_marked_as_closed_well() {
    let (_dir, options) = new_dir();
    let log = open_steered(&options, || Err("the disk is gone".into()));
    append(&log, vec![numbered(0)]).expect_err("the sync fails");
    drop(log);
    assert!(!was_closed_well(&options.dir));
}
