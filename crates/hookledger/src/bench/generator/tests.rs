use std::collections::{BTreeMap, HashSet};

use ledger_event::{Completion, EventDraft, EventId, Timestamp, parse_json};
use serde_json::Value;

use super::*;

fn lines(mut generator: Generator, count: usize) -> Vec<String> {
    (0..count).map(|_| serde_json::to_string(&generator.next_event()).expect("it is JSON")).collect()
}

fn values(count: usize) -> Vec<Value> {
    lines(Generator::new(1, 0), count).iter().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

#[test]
fn a_seed_gives_the_same_events_and_another_run_only_other_ids() {
    let of = |seed, run| lines(Generator::new(seed, run), 5_000);
    assert_eq!(of(1, 0), of(1, 0));
    assert_ne!(of(1, 0), of(2, 0));
    let without_ids = |run| {
        let events = of(1, run).into_iter().map(|line| {
            let mut event: Value = serde_json::from_str(&line).expect("it is JSON");
            event["id"].take();
            event["delivery_id"].take();
            event
        });
        events.collect::<Vec<_>>()
    };
    assert_eq!(without_ids(0), without_ids(7));
    let ids = |run| values_of(&of(1, run), "id");
    assert!(ids(0).is_disjoint(&ids(7)));
}

fn values_of(lines: &[String], field: &str) -> HashSet<String> {
    let value = |line: &String| {
        let event: Value = serde_json::from_str(line).expect("it is JSON");
        event[field].as_str().expect("it is text").to_owned()
    };
    lines.iter().map(value).collect()
}

#[test]
fn every_event_is_one_that_the_ledger_takes() {
    let received_at = Timestamp::parse("2027-01-01T00:00:00Z").expect("it is a time");
    let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 1024 };
    let mut generator = Generator::new(1, 0);
    for _ in 0..2_000 {
        let event = generator.next_event();
        let json = serde_json::to_vec(&event).expect("it is JSON");
        let draft: EventDraft = parse_json(&json).expect("it is an event");
        let none_is_made = || EventId::parse("none").expect("it is an id");
        let completed = draft.complete(&completion, none_is_made).expect("it is complete").event;
        assert_eq!(completed.id.as_str(), event.id.text());
        let packed = rmp_serde::to_vec_named(&event).expect("it is MessagePack");
        let draft: EventDraft = rmp_serde::from_slice(&packed).expect("it is an event");
        assert_eq!(draft.complete(&completion, none_is_made).expect("it is complete").event, completed);
    }
}

#[test]
fn the_load_is_shaped_as_it_says() {
    let events = values(50_000);
    let created: Vec<&Value> = events.iter().filter(|event| event["kind"] == "delivery.created").collect();
    let share = |of: &[&Value], field: &str, value: &str| {
        of.iter().filter(|event| event[field] == value).count() as f64 / of.len() as f64
    };
    let small = share(&created, "workspace_id", "ws_small");
    assert!((0.09..0.11).contains(&small), "{small}");
    // The sum of 1/1 to 1/450 is 6.7.
    let busiest = share(&created, "subscription_id", "whsub_000");
    assert!((0.12..0.15).contains(&busiest), "{busiest}");
    let text = |event: &Value, field: &str| event[field].as_str().expect("it is text").to_owned();
    let subscriptions: HashSet<_> = created.iter().map(|event| text(event, "subscription_id")).collect();
    assert!(subscriptions.len() > 480, "{}", subscriptions.len());
    let types: HashSet<_> = created.iter().map(|event| text(&event["data"], "event_type")).collect();
    assert_eq!(types.len(), 3);

    let bytes: usize = created.iter().map(|event| event["data"]["payload"].to_string().len()).sum();
    assert!((470..530).contains(&(bytes / created.len())), "{}", bytes / created.len());

    let mut attempts: BTreeMap<String, u64> = BTreeMap::new();
    for event in &events {
        let attempt = event["data"]["attempt"].as_u64().unwrap_or(0);
        let most = attempts.entry(text(event, "delivery_id")).or_default();
        // In their order, and none is missing.
        assert!(attempt == 0 || attempt == *most + 1, "{event}");
        *most = attempt;
    }
    let most = |number| attempts.values().filter(|most| **most == number).count() as f64 / attempts.len() as f64;
    for number in 1..=4 {
        assert!((0.2..0.3).contains(&most(number)), "{number}: {}", most(number));
    }
}

#[test]
fn events_come_in_the_order_of_their_time() {
    let times: Vec<String> =
        values(5_000).iter().map(|event| event["occurred_at"].as_str().expect("it is text").to_owned()).collect();
    assert!(times.is_sorted());
    assert!(times.iter().all(|time| time.len() == crate::bench::moment::TEXT_BYTES));
}

#[test]
fn all_events_are_of_one_workspace_where_one_is_named() {
    let generator = Generator::new(1, 0).in_workspace(Some("ws_1".to_owned()));
    assert_eq!(values_of(&lines(generator, 500), "workspace_id"), HashSet::from(["ws_1".to_owned()]));
}
