use std::collections::{BTreeMap, HashSet};

use ledger_event::{Completion, EventDraft, testing};
use ledger_event::{DeliveryId, Event, EventId, Kind, Position, SubscriptionId, Timestamp, WorkspaceId, parse_json};
use ledger_views::{DeliveryRow, Figures, Outcome, Stats, Status};
use proptest::prelude::*;

use super::*;

/// An event of one delivery, at so many seconds past 10:00, from the JSON of its data.
fn event(id: &str, second: u32, kind: &str, data: &str) -> Event {
    let json = format!(
        r#"{{"id":"{id}","kind":"{kind}","workspace_id":"w","subscription_id":"s","delivery_id":"d","occurred_at":"2026-01-15T10:00:{second:02}Z","data":{data}}}"#
    );
    let draft: EventDraft = parse_json(json.as_bytes()).expect("it is an event");
    let received_at = Timestamp::parse("2026-02-01T00:00:00Z").expect("it is a time");
    let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 1024 };
    draft.complete(&completion, || EventId::parse("x").expect("it is an id")).expect("it is complete").event
}

fn created(second: u32) -> Event {
    event("c", second, "delivery.created", r#"{"event_type":"t","payload":{"n":1}}"#)
}

fn at(second: u32) -> Option<Timestamp> {
    Some(Timestamp::parse(&format!("2026-01-15T10:00:{second:02}Z")).expect("it is a time"))
}

fn folded(events: impl IntoIterator<Item = Event>) -> (DeliveryState, Option<JsonText>) {
    let mut state = DeliveryState::new(Position::new(1));
    let mut payload = None;
    for event in events {
        if let Some(taken) = fold(&mut state, event).payload {
            payload = taken;
        }
    }
    (state, payload)
}

/// What a delivery adds to figures.
fn figures(state: &DeliveryState) -> Figures {
    let mut figures = Figures::default();
    state.shares().for_each(|share| figures.put_in(share));
    figures
}

fn row(events: impl IntoIterator<Item = Event>) -> DeliveryRow {
    let (state, payload) = folded(events);
    let delivery = DeliveryId::parse("d").expect("it is an id");
    let subscription = SubscriptionId::parse("s").expect("it is an id");
    DeliveryRow::of(delivery, subscription, state, payload).expect("it is described")
}

#[test]
fn a_created_delivery_is_pending_and_due_when_its_description_says() {
    let data = r#"{"event_type":"t","payload":{},"next_attempt_at":"2026-01-15T10:00:09Z","max_attempts":3}"#;
    let row = row([event("c", 1, "delivery.created", data)]);
    assert_eq!(
        (row.outcome, row.attempts, row.next_attempt_at, row.created_at),
        (Outcome::Pending, 0, at(9), at(1).expect("some"))
    );
    assert_eq!(row.max_attempts.get(), 3);
}

#[test]
fn a_started_attempt_is_delivering_and_counts() {
    let row = row([created(1), event("a", 2, "attempt.started", r#"{"attempt":1}"#)]);
    assert_eq!((row.outcome, row.attempts, row.last_attempt_at), (Outcome::Delivering, 1, None));
}

#[test]
fn a_failed_attempt_is_retrying_with_a_next_one_and_exhausted_without() {
    let retrying = r#"{"attempt":1,"error":"HTTP 503","response_status":503,"response_body":"busy","next_attempt_at":"2026-01-15T10:00:30Z"}"#;
    let row_of = |events: Vec<Event>| row([vec![created(1)], events].concat());
    let row = row_of(vec![event("f", 3, "attempt.failed", retrying)]);
    assert_eq!((row.outcome, row.next_attempt_at, row.last_attempt_at), (Outcome::Retrying, at(30), at(3)));
    assert_eq!((row.last_error.as_deref(), row.last_response_body.as_deref()), (Some("HTTP 503"), Some("busy")));
    assert_eq!(row.last_response_status.map(ledger_event::ResponseStatus::get), Some(503));

    let last = event("g", 5, "attempt.failed", r#"{"attempt":2,"error":"refused"}"#);
    let row = row_of(vec![event("f", 3, "attempt.failed", retrying), last]);
    assert_eq!((row.outcome, row.next_attempt_at, row.attempts), (Outcome::Exhausted, None, 2));
    assert_eq!((row.last_error.as_deref(), row.last_response_body), (Some("refused"), None));
}

#[test]
fn a_success_is_final_whatever_comes_after() {
    let succeeded = event("s", 4, "attempt.succeeded", r#"{"attempt":1,"duration_ms":7,"response_status":200}"#);
    let later =
        event("f", 9, "attempt.failed", r#"{"attempt":2,"error":"late","next_attempt_at":"2026-01-15T10:00:50Z"}"#);
    let cancelled = event("x", 10, "delivery.cancelled", r#"{"reason":"no"}"#);
    let row = row([created(1), succeeded, later, cancelled]);
    assert_eq!((row.outcome, row.delivered_at, row.next_attempt_at), (Outcome::Delivered, at(4), None));
    assert_eq!((row.last_error.as_deref(), row.last_attempt_at), (Some("late"), at(9)));
}

#[test]
fn a_cancellation_stands_until_something_later_is_begun_or_asked_for() {
    let failed =
        event("f", 3, "attempt.failed", r#"{"attempt":1,"error":"e","next_attempt_at":"2026-01-15T10:00:30Z"}"#);
    let cancelled = event("x", 5, "delivery.cancelled", r#"{"reason":"gone"}"#);
    let gone = row([created(1), failed.clone(), cancelled.clone()]);
    assert_eq!((gone.outcome, gone.outcome.status(), gone.next_attempt_at), (Outcome::Cancelled, Status::Failed, None));
    assert_eq!(gone.last_error.as_deref(), Some("gone"));

    let asked = event("r", 6, "delivery.retry_scheduled", r#"{"next_attempt_at":"2026-01-15T10:00:40Z"}"#);
    let row_asked = row([created(1), failed.clone(), cancelled.clone(), asked]);
    assert_eq!((row_asked.outcome, row_asked.next_attempt_at), (Outcome::Retrying, at(40)));

    let begun = event("b", 6, "attempt.started", r#"{"attempt":2}"#);
    assert_eq!(row([created(1), failed, cancelled, begun]).outcome, Outcome::Delivering);
}

#[test]
fn a_retry_asked_for_before_the_last_finish_is_answered_by_it() {
    let asked = event("r", 2, "delivery.retry_scheduled", r#"{"next_attempt_at":"2026-01-15T10:00:40Z"}"#);
    let failed = event("f", 3, "attempt.failed", r#"{"attempt":1,"error":"e"}"#);
    assert_eq!(row([created(1), asked.clone()]).next_attempt_at, at(40));
    assert_eq!(row([created(1), asked, failed]).outcome, Outcome::Exhausted);
}

#[test]
fn an_event_of_its_own_describes_before_an_attempt_does_and_the_earlier_before_the_later() {
    let embedded = |id: &str, second: u32, kind: &str| {
        let data = format!(
            r#"{{"attempt":1,"delivery":{{"created_at":"2026-01-15T09:00:00Z","event_type":"{kind}","payload":{{}}}}}}"#
        );
        event(id, second, "attempt.started", &data)
    };
    let row_of = |events: Vec<Event>| row(events).event_type.as_str().to_owned();
    assert_eq!(row_of(vec![embedded("b", 2, "late"), embedded("a", 2, "early")]), "early");
    assert_eq!(row_of(vec![embedded("a", 1, "embedded"), created(9)]), "t");
    assert_eq!(row_of(vec![created(9), embedded("a", 1, "embedded")]), "t");
}

#[test]
fn of_two_reports_of_one_finish_the_earlier_stands_but_maxima_keep_both() {
    let early = event("e", 3, "attempt.failed", r#"{"attempt":1,"error":"early","duration_ms":5}"#);
    let late = event("l", 8, "attempt.succeeded", r#"{"attempt":1,"duration_ms":900,"response_status":200}"#);
    let (state, _) = folded([created(1), late, early]);
    let share = figures(&state);
    assert_eq!((share.success_count, share.failed_count, share.duration_sum_ms), (0, 1, 5));
    assert_eq!(state.last_finish_texts.error.as_deref(), Some("early"));
    assert_eq!((state.max_duration_ms.map(ledger_event::DurationMs::get), state.latest_finish_at), (Some(900), at(8)));
}

#[test]
fn a_delivery_without_description_is_counted_only_once_it_has_one() {
    let finished = event("f", 3, "attempt.failed", r#"{"attempt":2,"error":"e"}"#);
    let (waiting, _) = folded([finished.clone()]);
    assert_eq!(figures(&waiting), Figures::default());
    let (described, _) = folded([finished, created(9)]);
    assert_eq!(figures(&described).failed_count, 1);
}

/// The rows and stats of all deliveries of a history.
type Folds = (
    BTreeMap<(WorkspaceId, SubscriptionId, DeliveryId), (Option<DeliveryRow>, Option<Timestamp>)>,
    BTreeMap<(WorkspaceId, SubscriptionId), Stats>,
);

fn folds(events: &[Event]) -> Folds {
    let mut deliveries = BTreeMap::<_, Vec<Event>>::new();
    for event in events {
        let key = (event.workspace_id.clone(), event.subscription_id.clone(), event.delivery_id.clone());
        deliveries.entry(key).or_default().push(event.clone());
    }
    let mut rows = BTreeMap::new();
    let mut stats = BTreeMap::<_, Stats>::new();
    for ((workspace, subscription, delivery), events) in deliveries {
        let (state, payload) = folded(events);
        if state.description.is_some() {
            let stats = stats.entry((workspace.clone(), subscription.clone())).or_default();
            state.shares().for_each(|share| stats.attempts.put_in(share));
            stats.raise_maxima(state.max_duration_ms, state.latest_finish_at);
        }
        let latest = state.latest_finish_at;
        let row = DeliveryRow::of(delivery.clone(), subscription.clone(), state, payload);
        rows.insert((workspace, subscription, delivery), (row, latest));
    }
    (rows, stats)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_order_and_any_repetition_of_events_folds_to_the_same_rows_and_stats(
        (history, shuffled) in testing::history(60).prop_flat_map(|history| {
            let repeated = prop::sample::subsequence(history.clone(), 0..=history.len());
            let shuffled = repeated.prop_map({
                let history = history.clone();
                move |repeated| [history.clone(), repeated].concat()
            }).prop_shuffle();
            (Just(history), shuffled)
        })
    ) {
        prop_assert_eq!(folds(&history), folds(&shuffled));
    }
}

#[test]
fn generated_histories_reach_every_kind_and_every_outcome() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut kinds, mut outcomes) = (HashSet::<Kind>::new(), Vec::new());
    for _ in 0..200 {
        let history = testing::history(60).new_tree(&mut runner).expect("it generates").current();
        kinds.extend(history.iter().map(|event| event.data.kind()));
        for (row, _) in folds(&history).0.into_values() {
            let outcome = row.map(|row| row.outcome);
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
    }
    assert_eq!((kinds.len(), outcomes.len()), (6, 7), "six kinds; six outcomes and waiting");
}
