//! What completing an event fills in, cuts and refuses.

use super::*;

const NOW: &str = "2026-01-15T10:30:00Z";

fn complete(json: &str) -> Result<Event, FieldError> {
    let completion =
        Completion { workspace_id: None, received_at: Timestamp::parse(NOW).expect("it is a time"), text_cut_bytes: 8 };
    let draft: EventDraft = serde_json::from_str(json).expect("it is within its bounds");
    draft.complete(&completion, || EventId::parse("new").expect("it is an id")).map(|completed| completed.event)
}

fn event(kind: &str, data: &str) -> String {
    format!(
        r#"{{"data":{data},"kind":"{kind}","workspace_id":"ws","subscription_id":"sub","delivery_id":"del","position":7,"recorded_at":null}}"#
    )
}

#[test]
fn what_a_sender_leaves_out_is_filled_in() {
    let event = complete(&event("delivery.created", r#"{"event_type":"a.b","payload":{}}"#)).expect("it is complete");
    assert_eq!(event.id.as_str(), "new");
    assert_eq!(event.occurred_at.to_string(), NOW);
    let EventData::DeliveryCreated(description) = event.data else { panic!("it is of the kind that was sent") };
    assert_eq!(description.max_attempts.get(), 10);
}

#[test]
fn a_missing_field_is_named() {
    let refusals = [
        ("delivery.created", r#"{"event_type":"a"}"#, "data.payload"),
        ("delivery.created", r#"{"payload":{}}"#, "data.event_type"),
        ("attempt.started", "{}", "data.attempt"),
        ("attempt.succeeded", r#"{"attempt":1,"response_status":200}"#, "data.duration_ms"),
        ("attempt.succeeded", r#"{"attempt":1,"duration_ms":1}"#, "data.response_status"),
        ("attempt.failed", r#"{"attempt":1}"#, "data.error"),
        ("delivery.retry_scheduled", "{}", "data.next_attempt_at"),
        ("delivery.cancelled", "{}", "data.reason"),
        (
            "attempt.started",
            r#"{"attempt":1,"delivery":{"created_at":"2026-01-01T00:00:00Z","event_type":"a"}}"#,
            "data.delivery.payload",
        ),
    ];
    for (kind, data, field) in refusals {
        let error = complete(&event(kind, data)).expect_err("a field is missing");
        assert_eq!(error.field, field, "{kind} {data}");
    }
}

#[test]
fn a_field_of_another_kind_is_refused_by_name() {
    let error = complete(&event("attempt.started", r#"{"attempt":1,"error":"x"}"#)).expect_err("it has no error");
    assert_eq!((error.field.as_ref(), error.problem.as_str()), ("data.error", "is not a field of attempt.started"));
}

#[test]
fn a_clock_more_than_a_day_ahead_is_refused() {
    let at = |time: &str| {
        event("delivery.cancelled", r#"{"reason":"r"}"#).replacen('{', &format!(r#"{{"occurred_at":"{time}","#), 1)
    };
    assert!(complete(&at("2026-01-16T10:30:00Z")).is_ok());
    assert_eq!(complete(&at("2026-01-16T10:30:00.000001Z")).expect_err("it is too far ahead").field, "occurred_at");
    let embedded = r#"{"attempt":1,"delivery":{"created_at":"2027-01-01T00:00:00Z","event_type":"a","payload":{}}}"#;
    let error = complete(&event("attempt.started", embedded)).expect_err("it is too far ahead");
    assert_eq!(error.field, "data.delivery.created_at");
}

#[test]
fn long_texts_are_cut_and_payloads_are_not() {
    let data = r#"{"attempt":1,"error":"0123456789","response_body":"žžžžž"}"#;
    let EventData::AttemptFailed(failed) = complete(&event("attempt.failed", data)).expect("it is complete").data
    else {
        panic!("it is of the kind that was sent")
    };
    assert_eq!(failed.error.as_deref(), Some("01234567"));
    assert_eq!(failed.response_body.as_deref(), Some("žžžž"));
}
