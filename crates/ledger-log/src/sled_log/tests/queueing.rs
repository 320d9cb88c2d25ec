//! What waits, and what is refused.

use std::task::{Context, Waker};

use ledger_event::Position;

use super::{new_dir, open_held};
use crate::conformance::{all_chunks, numbered, wait, with_payload};
use crate::event_log::{Append, AppendError, Appended, EventLog, PendingAppend};
use crate::sled_log::{SledLog, SledLogOptions};

fn send(log: &SledLog, number: u64) -> PendingAppend {
    log.append(Append::new(vec![numbered(number)]))
}

/// The answer, if it is there already.
fn answer_now(pending: &mut PendingAppend) -> Option<Result<Appended, AppendError>> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(answer) => Some(answer),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_full_queue_refuses_at_once_and_takes_again_when_it_has_room() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&SledLogOptions { queue_max_requests: 2, ..options });
    let held = send(&log, 1);
    hold.wait_until_held();
    let waiting = [2, 3].map(|number| send(&log, number));
    assert!(matches!(answer_now(&mut send(&log, 4)), Some(Err(AppendError::QueueFull))));

    hold.let_go();
    wait(held).expect("it is appended");
    hold.wait_until_held();
    let next = send(&log, 4);
    hold.let_go();
    for pending in waiting {
        wait(pending).expect("it is appended");
    }
    hold.wait_until_held();
    hold.let_go();
    assert_eq!(wait(next).expect("it is appended").readable_at, Position::new(4), "the refused one took no position");
}

#[test]
fn the_queue_is_bounded_in_bytes_and_takes_any_one_request_when_it_is_empty() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&SledLogOptions { queue_max_bytes: 100_000, ..options });
    let large = |number| {
        let payload = format!(r#"{{"p":"{}"}}"#, "x".repeat(200_000));
        log.append(Append::new(vec![with_payload(number, &payload)]))
    };
    let held = send(&log, 1);
    hold.wait_until_held();
    let waiting = large(2);
    assert!(matches!(answer_now(&mut large(3)), Some(Err(AppendError::QueueFull))));
    assert!(matches!(answer_now(&mut send(&log, 4)), Some(Err(AppendError::QueueFull))));
    drop(hold);
    wait(held).expect("it is appended");
    wait(waiting).expect("it is larger than the bound, and was alone");
    wait(large(3)).expect("the queue is empty again");
}

#[test]
fn what_waits_becomes_one_chunk_within_the_target() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&SledLogOptions { chunk_target_events: 4, ..options });
    let held = send(&log, 0);
    hold.wait_until_held();
    let waiting: Vec<PendingAppend> = [1..3, 3..5, 5..6, 6..16, 16..17]
        .map(|numbers| log.append(Append::new(numbers.map(numbered).collect())))
        .into();
    drop(hold);
    for pending in std::iter::once(held).chain(waiting) {
        wait(pending).expect("it is appended");
    }
    let lengths: Vec<usize> = all_chunks(&log).iter().map(|chunk| chunk.events.len()).collect();
    assert_eq!(lengths, [1, 4, 1, 10, 1], "a request above the target is a chunk of its own");
}

#[test]
fn a_duplicate_is_acknowledged_only_once_its_original_is_durable() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&options);
    let mut original = send(&log, 1);
    hold.wait_until_held();
    let mut duplicate = send(&log, 1);
    assert!(answer_now(&mut original).is_none() && answer_now(&mut duplicate).is_none());
    assert_eq!(log.head().position, Position::START, "nothing is published before it is durable");
    hold.let_go();
    assert_eq!(wait(original).expect("it is appended").appended, 1);
    let duplicate = wait(duplicate).expect("it is a duplicate, and needs no sync");
    assert_eq!((duplicate.duplicates, duplicate.readable_at), (1, Position::new(1)));
}

#[test]
fn a_refused_request_leaves_the_others_of_its_chunk_alone() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&options);
    let held = send(&log, 1);
    hold.wait_until_held();
    let mut reused = numbered(9);
    reused.event.id = numbered(2).event.id;
    let before = send(&log, 2);
    let refused = log.append(Append::new(vec![numbered(3), reused, numbered(4)]));
    let mut other = numbered(8);
    other.event.id = numbered(3).event.id;
    let after = log.append(Append::new(vec![other, numbered(4)]));
    drop(hold);
    wait(held).expect("it is appended");
    assert_eq!(wait(before).expect("it is appended").positions, Some((Position::new(2), Position::new(2))));
    assert!(matches!(wait(refused), Err(AppendError::IdReused { index: 1, .. })));
    let after = wait(after).expect("the ids of the refused request are free");
    assert_eq!(after.positions, Some((Position::new(3), Position::new(4))));
    assert_eq!(all_chunks(&log).len(), 2, "they were one chunk");
}

#[test]
fn a_sender_that_does_not_wait_takes_nothing_back() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&options);
    drop(send(&log, 1));
    let second = send(&log, 2);
    drop(hold);
    assert_eq!(wait(second).expect("it is appended").positions, Some((Position::new(2), Position::new(2))));
}

#[test]
fn a_duplicate_of_an_event_of_its_own_chunk_waits_for_that_chunk() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&options);
    let held = send(&log, 1);
    hold.wait_until_held();
    let mut original = send(&log, 2);
    let mut duplicate = send(&log, 2);
    hold.let_go();
    wait(held).expect("it is appended");
    hold.wait_until_held();
    assert!(answer_now(&mut original).is_none() && answer_now(&mut duplicate).is_none());
    hold.let_go();
    assert_eq!(wait(original).expect("it is appended").positions, Some((Position::new(2), Position::new(2))));
    let duplicate = wait(duplicate).expect("it is a duplicate");
    assert_eq!((duplicate.duplicates, duplicate.positions, duplicate.readable_at), (1, None, Position::new(2)));
    assert_eq!(log.head().position, Position::new(2));
}
