//! Generated events and histories, for property tests; and what is committed of what the code makes.
//!
//! Few ids, few moments and few attempt numbers, so that events meet: ties of time, doubled finishes,
//! gaps, late descriptions and cancellations are common, not rare.

mod committed;

use proptest::collection::{SizeRange, btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::{
    AttemptFailed, AttemptNumber, AttemptStarted, AttemptSucceeded, DeliveryCancelled, DeliveryDescription, DeliveryId,
    DeliveryRetryScheduled, DurationMs, EmbeddedDelivery, Event, EventData, EventId, EventType, Headers, JsonText,
    MaxAttempts, ResponseStatus, SourceEventId, SubscriptionId, Timestamp, Url, WorkspaceId,
};

pub use self::committed::assert_committed;

/// The moment from which the generated ones are counted: 2026-01-15T10:00:00Z.
const BASE_US: i64 = 1_768_471_200_000_000;

/// Any event, with ids from a small set.
pub fn event() -> impl Strategy<Value = Event> {
    event_of(6)
}

/// Any event of one of so many deliveries of each subscription.
fn event_of(deliveries: u16) -> impl Strategy<Value = Event> {
    (any::<u64>(), 0..2_u8, 0..3_u8, 0..deliveries, moment(), data()).prop_map(
        |(id, workspace, subscription, delivery, occurred_at, data)| Event {
            id: EventId::parse(&format!("evt_{id:016x}")).expect("it is an id"),
            workspace_id: WorkspaceId::parse(&format!("ws_{workspace}")).expect("it is an id"),
            subscription_id: SubscriptionId::parse(&format!("sub_{subscription}")).expect("it is an id"),
            delivery_id: DeliveryId::parse(&format!("del_{delivery}")).expect("it is an id"),
            occurred_at,
            data,
        },
    )
}

/// Up to so many events over a few deliveries, with distinct ids, in any order of time.
pub fn history(max_events: usize) -> impl Strategy<Value = Vec<Event>> {
    history_of(6, 1..=max_events)
}

/// So many events over so many deliveries of each subscription, with distinct ids, in any order of time.
pub fn history_of(deliveries: u16, events: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Event>> {
    vec(event_of(deliveries), events).prop_map(|mut events| {
        for (number, event) in events.iter_mut().enumerate() {
            // The old id goes before: ties of time are decided by text that is not in order of arrival.
            let id = format!("{}_{number}", &event.id.as_str()[4..8]);
            event.id = EventId::parse(&id).expect("it is an id");
        }
        events
    })
}

/// A moment out of a few hours, often one of a few.
fn moment() -> impl Strategy<Value = Timestamp> {
    let offset_us = prop_oneof![(0..8_i64).prop_map(|n| n * 600_000_000), 0..20_000_000_000_i64];
    offset_us.prop_map(|offset| Timestamp::from_micros(BASE_US + offset).expect("it is this century"))
}

fn data() -> impl Strategy<Value = EventData> {
    prop_oneof![
        3 => description().prop_map(EventData::DeliveryCreated),
        3 => (attempt(), option::of(url()), option::of(headers()), embedded()).prop_map(
            |(attempt, url, request_headers, delivery)| {
                EventData::AttemptStarted(AttemptStarted { attempt, url, request_headers, delivery })
            }
        ),
        4 => (attempt(), duration(), status(), option::of(headers()), option::of(".{0,20}"), embedded()).prop_map(
            |(attempt, duration_ms, response_status, response_headers, response_body, delivery)| {
                EventData::AttemptSucceeded(AttemptSucceeded {
                    attempt, duration_ms, response_status, response_headers, response_body, delivery,
                })
            }
        ),
        5 => (
            (attempt(), ".{1,20}", option::of(duration()), option::of(status())),
            (option::of(headers()), option::of(".{0,20}"), option::of(moment()), embedded()),
        ).prop_map(
            |((attempt, error, duration_ms, response_status), (response_headers, response_body, next_attempt_at, delivery))| {
                EventData::AttemptFailed(AttemptFailed {
                    attempt, error: Some(error), duration_ms, response_status, response_headers, response_body,
                    next_attempt_at, delivery,
                })
            }
        ),
        1 => (moment(), option::of(".{0,20}")).prop_map(|(next_attempt_at, reason)| {
            EventData::DeliveryRetryScheduled(DeliveryRetryScheduled { next_attempt_at, reason })
        }),
        1 => ".{0,20}".prop_map(|reason| EventData::DeliveryCancelled(DeliveryCancelled { reason: Some(reason) })),
    ]
}

fn attempt() -> impl Strategy<Value = AttemptNumber> {
    (1..6_u32).prop_map(|number| AttemptNumber::new(number).expect("it is within bounds"))
}

fn duration() -> impl Strategy<Value = DurationMs> {
    prop_oneof![0..300_u32, DurationMs::MIN..=DurationMs::MAX]
        .prop_map(|ms| DurationMs::new(ms).expect("it is within bounds"))
}

fn status() -> impl Strategy<Value = ResponseStatus> {
    (ResponseStatus::MIN..=ResponseStatus::MAX).prop_map(|code| ResponseStatus::new(code).expect("it is within bounds"))
}

fn url() -> impl Strategy<Value = Url> {
    "https://[a-z]{1,9}\\.example/[a-z]{0,9}".prop_map(|url| Url::parse(&url).expect("it is a URL"))
}

fn headers() -> impl Strategy<Value = Headers> {
    btree_map("x-[a-z]{1,6}", "[ -~]{0,9}", 0..3).prop_map(|headers| {
        let json = serde_json::to_string(&headers).expect("it is JSON");
        serde_json::from_str(&json).expect("it is a header map")
    })
}

fn payload() -> impl Strategy<Value = JsonText> {
    btree_map(".{0,6}", any::<i64>(), 0..3).prop_map(|object| {
        let json = serde_json::to_string(&object).expect("it is JSON");
        JsonText::parse(&json).expect("it is an object")
    })
}

fn description() -> impl Strategy<Value = DeliveryDescription> {
    (0..3_u8, payload(), 1..20_u32, option::of(moment()), option::of(url()), option::of("src_[a-z]{1,4}")).prop_map(
        |(event_type, payload, max_attempts, next_attempt_at, url, source)| DeliveryDescription {
            event_type: EventType::parse(&format!("contact.kind_{event_type}")).expect("it is bounded"),
            payload: Some(payload),
            max_attempts: MaxAttempts::new(max_attempts).expect("it is within bounds"),
            next_attempt_at,
            url,
            source_event_id: source.map(|id| SourceEventId::parse(&id).expect("it is an id")),
        },
    )
}

fn embedded() -> impl Strategy<Value = Option<EmbeddedDelivery>> {
    let embedded =
        (moment(), description()).prop_map(|(created_at, description)| EmbeddedDelivery { created_at, description });
    option::weighted(0.2, embedded)
}
