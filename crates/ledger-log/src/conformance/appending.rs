//! What an append stores, and where.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_event::limits::REQUEST_MAX_EVENTS;
use ledger_event::{CompletedEvent, Event, EventId, Position, Timestamp, WorkspaceId, testing};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Setup, Subject, all_chunks, append, numbered, with_payload};
use crate::event_log::{AppendError, EventLog, Head};
use crate::{ChainHash, Clock};

/// Appends get positions from 1 on without a gap, in the order of the sender.
pub fn positions_are_dense_from_1_and_keep_the_order<S: Subject>() {
    let subject = S::open(Setup::default());
    let mut next = 1;
    for length in [1, 3, 100, 1, 2000] {
        let events: Vec<CompletedEvent> = (next..next + length).map(numbered).collect();
        let appended = append(subject.log(), events).expect("it is appended");
        let (first, last) = (Position::new(next), Position::new(next + length - 1));
        assert_eq!(appended.positions, Some((first, last)));
        assert_eq!((appended.appended, appended.duplicates, appended.readable_at), (length, 0, last));
        assert_eq!(subject.log().head().position, last, "what is acknowledged is readable");
        next += length;
    }
    assert_eq!(events_of(&subject), (1..next).map(|number| numbered(number).event).collect::<Vec<_>>());
}

/// A request without events is answered, and moves nothing.
pub fn an_empty_request_stores_nothing<S: Subject>() {
    let subject = S::open(Setup::default());
    let appended = append(subject.log(), Vec::new()).expect("there is nothing to refuse");
    assert_eq!((appended.appended, appended.positions, appended.readable_at), (0, None, Position::START));
    assert_eq!(subject.log().head(), Head { position: Position::START, hash: ChainHash::START });
}

/// The largest request is stored, undivided.
pub fn a_request_of_maximal_size_is_one_chunk<S: Subject>() {
    let subject = S::open(Setup::default());
    let filler = format!(r#"{{"filler":"{}"}}"#, "x".repeat(1400));
    let events = (0..REQUEST_MAX_EVENTS as u64).map(|number| with_payload(number, &filler)).collect();
    append(subject.log(), events).expect("it is within the bounds");
    let chunks = all_chunks(subject.log());
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].events.len(), REQUEST_MAX_EVENTS);
}

/// Too many events or bytes are refused, and the log goes on.
pub fn a_request_that_is_too_large_stores_nothing<S: Subject>() {
    let subject = S::open(Setup::default());
    let many = (0..=REQUEST_MAX_EVENTS as u64).map(numbered).collect();
    assert!(matches!(append(subject.log(), many), Err(AppendError::TooLarge { .. })));
    let filler = format!(r#"{{"filler":"{}"}}"#, "x".repeat(250_000));
    let large = (0..140).map(|number| with_payload(number, &filler)).collect();
    assert!(matches!(append(subject.log(), large), Err(AppendError::TooLarge { .. })));
    let appended = append(subject.log(), vec![numbered(0)]).expect("its id was not taken by what was refused");
    assert_eq!(appended.positions, Some((Position::new(1), Position::new(1))));
}

/// Chunks are recorded at times that never fall, whatever the clock does.
pub fn time_of_recording_never_goes_back<S: Subject>() {
    const STEPS_US: [i64; 5] = [1000, 2000, 500, 1999, 3000];
    let calls = AtomicI64::new(0);
    let clock = Clock::new(move || {
        let call = usize::try_from(calls.fetch_add(1, Ordering::Relaxed)).expect("it counts up");
        Timestamp::from_micros(STEPS_US[call.min(STEPS_US.len() - 1)]).expect("it is a time")
    });
    let subject = S::open(Setup { clock, ..Setup::default() });
    for number in 0..5 {
        append(subject.log(), vec![numbered(number)]).expect("it is appended");
    }
    let recorded: Vec<i64> = all_chunks(subject.log()).iter().map(|chunk| chunk.recorded_at.as_micros()).collect();
    assert_eq!(recorded, [1000, 2000, 2000, 2000, 3000]);
}

/// Any history, in requests of any length, with repeats anywhere, is stored once and in order.
pub fn generated_histories_read_back_as_they_were_appended<S: Subject>() {
    let requests = (testing::history(40), prop::collection::vec((0..40_usize, any::<bool>()), 1..80))
        .prop_map(|(history, picks)| requests_of(&history, &picks));
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let result = runner.run(&requests, |requests| {
        let subject = S::open(Setup::default());
        check_history(subject, &requests);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

/// Deals the picked events out to requests; `true` ends a request.
fn requests_of(history: &[Event], picks: &[(usize, bool)]) -> Vec<Vec<CompletedEvent>> {
    let mut requests = vec![Vec::new()];
    for (pick, ends) in picks {
        let event = history[pick % history.len()].clone();
        requests
            .last_mut()
            .expect("there is one from the start")
            .push(CompletedEvent { event, occurred_at_given: true });
        if *ends {
            requests.push(Vec::new());
        }
    }
    requests
}

/// Appends the requests and compares each answer and what is read back with a list that does the same;
/// and once more with all requests sent again to the reopened log.
fn check_history<S: Subject>(subject: S, requests: &[Vec<CompletedEvent>]) {
    let mut expected: Vec<Event> = Vec::new();
    let mut positions: HashMap<(WorkspaceId, EventId), Position> = HashMap::new();
    for request in requests {
        let before = expected.len() as u64;
        let mut readable_at = Position::START;
        for CompletedEvent { event, .. } in request {
            let position = *positions.entry((event.workspace_id.clone(), event.id.clone())).or_insert_with(|| {
                expected.push(event.clone());
                Position::new(expected.len() as u64)
            });
            readable_at = readable_at.max(position);
        }
        let after = expected.len() as u64;
        let appended = append(subject.log(), request.clone()).expect("no id comes with two contents");
        let stored = (after > before).then(|| (Position::new(before + 1), Position::new(after)));
        assert_eq!(appended.positions, stored);
        assert_eq!(appended.appended, after - before);
        assert_eq!(appended.appended + appended.duplicates, request.len() as u64);
        assert_eq!(appended.readable_at, readable_at);
    }
    assert_eq!(events_of(&subject), expected);
    let Some(subject) = subject.reopen() else { return };
    for request in requests {
        let again = append(subject.log(), request.clone()).expect("it was appended before");
        assert_eq!((again.appended, again.duplicates), (0, request.len() as u64));
    }
    assert_eq!(events_of(&subject), expected);
}

fn events_of<S: Subject>(subject: &S) -> Vec<Event> {
    let chunks = all_chunks(subject.log());
    chunks.iter().flat_map(|chunk| &chunk.events).map(|event| event.decode().expect("it was encoded")).collect()
}
