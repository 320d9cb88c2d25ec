//! Events as a sender makes them.
//!
//! The id of each follows from what it says, so that the same event made again is a repetition.

use serde_json::{Value, json};

/// A moment on the morning of the stories, so many seconds after ten.
pub(crate) fn at(seconds: u32) -> String {
    format!("2024-01-15T{:02}:{:02}:{:02}Z", 10 + seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An event of any kind.
pub(crate) fn event(kind: &str, (subscription, delivery): (&str, &str), occurred_at: &str, data: Value) -> Value {
    let attempt = data["attempt"].as_u64().unwrap_or(0);
    json!({
        "id": format!("{subscription}/{delivery}/{kind}/{attempt}"),
        "kind": kind,
        "subscription_id": subscription,
        "delivery_id": delivery,
        "occurred_at": occurred_at,
        "data": data,
    })
}

/// A delivery was made.
pub(crate) fn created(delivery: (&str, &str), occurred_at: &str) -> Value {
    event("delivery.created", delivery, occurred_at, json!({"event_type": "contact.created", "payload": {"n": 1}}))
}

/// An attempt was begun.
pub(crate) fn started(delivery: (&str, &str), attempt: u32, occurred_at: &str) -> Value {
    event("attempt.started", delivery, occurred_at, json!({"attempt": attempt}))
}

/// An attempt was accepted.
pub(crate) fn succeeded(delivery: (&str, &str), attempt: u32, occurred_at: &str, duration_ms: u32) -> Value {
    let data = json!({
        "attempt": attempt, "duration_ms": duration_ms, "response_status": 200, "response_body": "{\"received\": true}",
    });
    event("attempt.succeeded", delivery, occurred_at, data)
}

/// An attempt was refused, and there will be none after it.
pub(crate) fn failed(delivery: (&str, &str), attempt: u32, occurred_at: &str, duration_ms: u32) -> Value {
    let data = json!({
        "attempt": attempt, "error": "HTTP 503", "duration_ms": duration_ms, "response_status": 503,
        "response_body": "busy",
    });
    event("attempt.failed", delivery, occurred_at, data)
}

/// The event with a field set to another value, its id too when it is that field.
pub(crate) fn with(mut event: Value, field: &str, value: impl Into<Value>) -> Value {
    event[field] = value.into();
    event
}

/// The event without a field.
pub(crate) fn without(mut event: Value, field: &str) -> Value {
    event.as_object_mut().expect("an event is an object").remove(field);
    event
}
