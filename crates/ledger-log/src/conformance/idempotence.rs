//! What is recognized when it is sent again.

use ledger_event::{CompletedEvent, Position, Timestamp, WorkspaceId};

use super::{Setup, Subject, append, numbered};
use crate::event_log::{AppendError, Appended, EventLog};

/// The same event, at another time by the sender's clock.
fn at_another_time(mut completed: CompletedEvent) -> CompletedEvent {
    let micros = completed.event.occurred_at.as_micros() + 1;
    completed.event.occurred_at = Timestamp::from_micros(micros).expect("it is this century");
    completed
}

/// The same event, its time filled in by the ledger.
fn without_time(completed: CompletedEvent) -> CompletedEvent {
    CompletedEvent { occurred_at_given: false, ..at_another_time(completed) }
}

/// The id of one event with the content of another.
fn reused(id: u64, content: u64) -> CompletedEvent {
    let mut completed = numbered(content);
    completed.event.id = numbered(id).event.id;
    completed
}

fn answer(appended: u64, duplicates: u64, positions: Option<(u64, u64)>, readable_at: u64) -> Appended {
    let positions = positions.map(|(first, last)| (Position::new(first), Position::new(last)));
    Appended { appended, duplicates, positions, readable_at: Position::new(readable_at) }
}

/// An event that stands in a request twice is stored once.
pub fn repeats_within_a_request_are_duplicates<S: Subject>() {
    let subject = S::open(Setup::default());
    let events = [1, 2, 1, 3, 3].map(numbered).to_vec();
    assert_eq!(append(subject.log(), events).expect("it is appended"), answer(3, 2, Some((1, 3)), 3));
}

/// An event that was stored before is not stored again, and its reader is sent to its original.
pub fn repeats_of_an_earlier_request_are_duplicates<S: Subject>() {
    let subject = S::open(Setup::default());
    append(subject.log(), [1, 2, 3, 4].map(numbered).to_vec()).expect("it is appended");
    let head = subject.log().head();
    let again = append(subject.log(), [3, 2].map(numbered).to_vec()).expect("they are duplicates");
    assert_eq!(again, answer(0, 2, None, 3));
    assert_eq!(subject.log().head(), head, "nothing was stored");
    let mixed = append(subject.log(), [1, 9, 4].map(numbered).to_vec()).expect("it is appended");
    assert_eq!(mixed, answer(1, 2, Some((5, 5)), 5));
}

/// A time that the ledger filled in differs on each try, and each try is a duplicate all the same.
pub fn a_time_that_was_filled_in_does_not_tell_contents_apart<S: Subject>() {
    let subject = S::open(Setup::default());
    append(subject.log(), vec![without_time(numbered(1))]).expect("it is appended");
    let again = append(subject.log(), vec![without_time(at_another_time(numbered(1)))]).expect("it is a duplicate");
    assert_eq!(again, answer(0, 1, None, 1));
    let other_content = CompletedEvent { occurred_at_given: false, ..reused(1, 2) };
    assert!(matches!(append(subject.log(), vec![other_content]), Err(AppendError::IdReused { index: 0, .. })));
}

/// A time that the sender gave is content.
pub fn a_time_that_was_sent_tells_contents_apart<S: Subject>() {
    let subject = S::open(Setup::default());
    append(subject.log(), vec![numbered(1)]).expect("it is appended");
    assert_eq!(append(subject.log(), vec![numbered(1)]).expect("it is a duplicate"), answer(0, 1, None, 1));
    let other_time = append(subject.log(), vec![at_another_time(numbered(1))]);
    assert!(matches!(other_time, Err(AppendError::IdReused { index: 0, .. })));
}

/// Two workspaces may use one id.
pub fn an_id_is_scoped_to_its_workspace<S: Subject>() {
    let subject = S::open(Setup::default());
    let mut elsewhere = numbered(1);
    elsewhere.event.workspace_id = WorkspaceId::parse("ws_2").expect("it is an id");
    let appended = append(subject.log(), vec![numbered(1), elsewhere.clone()]).expect("they are two events");
    assert_eq!(appended, answer(2, 0, Some((1, 2)), 2));
    assert_eq!(append(subject.log(), vec![elsewhere]).expect("it is a duplicate"), answer(0, 1, None, 2));
}

/// All of a request with a reused id is refused, wherever the id was used; its other ids stay free.
pub fn a_reused_id_refuses_its_whole_request_and_no_other<S: Subject>() {
    let subject = S::open(Setup::default());
    append(subject.log(), vec![numbered(1)]).expect("it is appended");
    let head = subject.log().head();

    let refused = append(subject.log(), vec![numbered(2), numbered(3), reused(1, 7), numbered(4)]);
    let Err(AppendError::IdReused { index, id }) = refused else { panic!("it is refused: {refused:?}") };
    assert_eq!((index, id.as_str()), (2, "evt_1"));
    let within = append(subject.log(), vec![numbered(2), reused(2, 7)]);
    assert!(matches!(within, Err(AppendError::IdReused { index: 1, .. })), "{within:?}");
    assert_eq!(subject.log().head(), head, "nothing was stored");

    let other_content = append(subject.log(), vec![reused(2, 8), numbered(3)]).expect("the ids were never used");
    assert_eq!(other_content, answer(2, 0, Some((2, 3)), 3));
}

/// The window holds the newest events; an older one is stored again.
pub fn beyond_the_window_an_id_is_new_again<S: Subject>() {
    let subject = S::open(Setup { idempotence_window_events: 3, ..Setup::default() });
    for number in 1..=4 {
        append(subject.log(), vec![numbered(number)]).expect("it is appended");
    }
    let kept = append(subject.log(), [2, 3, 4].map(numbered).to_vec()).expect("they are in the window");
    assert_eq!(kept, answer(0, 3, None, 4));
    let evicted = append(subject.log(), vec![reused(1, 9)]).expect("its id is out of the window");
    assert_eq!(evicted, answer(1, 0, Some((5, 5)), 5));
    let twice = append(subject.log(), [20, 21, 22, 23, 20].map(numbered).to_vec()).expect("it is appended");
    assert_eq!(twice, answer(4, 1, Some((6, 9)), 9), "a request longer than the window is seen whole");
}

/// An event leaves the window by its place in the log, however often it was repeated.
pub fn duplicates_do_not_lengthen_the_stay_in_the_window<S: Subject>() {
    let subject = S::open(Setup { idempotence_window_events: 2, ..Setup::default() });
    append(subject.log(), vec![numbered(1)]).expect("it is appended");
    append(subject.log(), vec![numbered(2), numbered(1)]).expect("it is appended");
    append(subject.log(), vec![numbered(3), numbered(1)]).expect("it is appended");
    let again = append(subject.log(), vec![numbered(1)]).expect("it is out of the window");
    assert_eq!(again, answer(1, 0, Some((4, 4)), 4));
}
