//! Events to append.

use ledger_event::{
    AttemptFailed, AttemptNumber, CompletedEvent, DeliveryDescription, DeliveryId, Event, EventData, EventId,
    EventType, JsonText, MaxAttempts, SubscriptionId, Timestamp, Url, WorkspaceId,
};

/// 2026-01-15T10:00:00Z.
const BASE_US: i64 = 1_768_471_200_000_000;

/// A failed attempt with the id `evt_{number}`, told apart from others by more than its id; the sender
/// said when it happened.
#[must_use]
pub fn numbered(number: u64) -> CompletedEvent {
    let data = EventData::AttemptFailed(AttemptFailed {
        attempt: AttemptNumber::new(1).expect("it is within bounds"),
        error: Some(format!("error {number}")),
        duration_ms: None,
        response_status: None,
        response_headers: None,
        response_body: Some("busy".to_owned()),
        next_attempt_at: None,
        delivery: None,
    });
    event(number, data)
}

/// A created delivery with the id `evt_{number}` and that payload, which is a JSON object.
#[must_use]
pub fn with_payload(number: u64, payload: &str) -> CompletedEvent {
    let data = EventData::DeliveryCreated(DeliveryDescription {
        event_type: EventType::parse("contact.created").expect("it is bounded"),
        payload: Some(JsonText::parse(payload).expect("it is a JSON object")),
        max_attempts: MaxAttempts::default(),
        next_attempt_at: None,
        url: Some(Url::parse("https://receiver.example/hook").expect("it is a URL")),
        source_event_id: None,
    });
    event(number, data)
}

fn event(number: u64, data: EventData) -> CompletedEvent {
    let offset_us = i64::try_from(number).expect("tests number from 0");
    let event = Event {
        id: EventId::parse(&format!("evt_{number}")).expect("it is an id"),
        workspace_id: WorkspaceId::parse("ws_1").expect("it is an id"),
        subscription_id: SubscriptionId::parse("sub_1").expect("it is an id"),
        delivery_id: DeliveryId::parse(&format!("del_{}", number % 7)).expect("it is an id"),
        occurred_at: Timestamp::from_micros(BASE_US + offset_us).expect("it is this century"),
        data,
    };
    CompletedEvent { event, occurred_at_given: true }
}
