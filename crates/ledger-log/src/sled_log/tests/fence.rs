//! The items behind all chunks, which nobody sees.

use ledger_event::Position;

use super::{fill, new_dir, open, with_sled};
use crate::conformance::all_chunks;
use crate::event_log::EventLog;
use crate::sled_log::store::FENCE;

#[test]
fn the_fence_is_behind_all_chunks_and_part_of_none() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    assert_eq!((log.head().position, log.shared.oldest_in_sled().expect("it is readable")), (Position::START, None));
    fill(&log, 0..3);
    fill(&log, 3..5);
    let chunks = all_chunks(&log);
    assert_eq!(chunks.len(), 2);
    drop(log);
    let behind = with_sled(&options, |tree, _| tree.range(FENCE.to_bytes()..).count());
    assert_eq!(behind, 7);
    assert_eq!(all_chunks(&open(&options)), chunks);
}

#[test]
fn a_log_that_has_none_gets_one() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    fill(&log, 0..3);
    let chunks = all_chunks(&log);
    drop(log);
    with_sled(&options, |tree, _| {
        for key in tree.range(FENCE.to_bytes()..).keys() {
            tree.remove(key.expect("it is readable")).expect("it is removed");
        }
    });
    assert_eq!(all_chunks(&open(&options)), chunks);
    assert!(with_sled(&options, |tree, _| tree.contains_key(FENCE.to_bytes())).expect("it is readable"));
}
