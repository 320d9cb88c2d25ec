//! The JSON Schemas tell the truth: what the parser takes is valid, and what they can say, both refuse.

use jsonschema::Validator;
use ledger_event::testing::{assert_committed, event};
use ledger_event::{
    CloudEvent, Completion, EventDraft, EventId, FieldError, Kind, ParseError, Position, RecordedEvent, Timestamp,
    parse_json, schema,
};
use proptest::prelude::*;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};

const NOW: &str = "2026-06-01T00:00:00Z";

fn validator(schema: Schema) -> Validator {
    let schema = schema.to_value();
    jsonschema::meta::validate(&schema).expect("it is a schema");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("it is a schema")
}

fn of_cloud_events() -> Validator {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_deserialize();
    validator(SchemaGenerator::new(settings).into_root_schema_for::<CloudEvent>())
}

fn golden(kind: Kind) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas/golden");
    let json = std::fs::read(folder.join(format!("{}.json", kind.as_str()))).expect("every kind has its file");
    serde_json::from_slice(&json).expect("it is JSON")
}

/// The event as a CloudEvent.
fn as_cloud_event(event: &Value) -> Value {
    let id = |name: &str| event[name].as_str().expect("it is text").to_owned();
    json!({
        "specversion": "1.0", "id": event["id"], "type": event["kind"], "subject": event["delivery_id"],
        "source": format!("//sender.example/workspaces/{}/subscriptions/{}", id("workspace_id"), id("subscription_id")),
        "time": event["occurred_at"], "datacontenttype": "application/json", "traceparent": "00-0af7",
        "data": event["data"],
    })
}

fn recorded(event: &ledger_event::Event) -> Value {
    let recorded_at = Timestamp::parse(NOW).expect("it is a time");
    serde_json::to_value(RecordedEvent { position: Position::new(7), recorded_at, event }).expect("it is JSON")
}

fn parse(event: &Value) -> Result<ledger_event::Event, FieldError> {
    complete(parse_json::<EventDraft>(event.to_string().as_bytes()))
}

fn parse_cloud_event(event: &Value) -> Result<ledger_event::Event, FieldError> {
    complete(parse_json::<CloudEvent>(event.to_string().as_bytes()).map(EventDraft::from))
}

fn complete(draft: Result<EventDraft, ParseError>) -> Result<ledger_event::Event, FieldError> {
    let draft = draft.map_err(|error| match error {
        ParseError::Field(error) => error,
        ParseError::Syntax { .. } => panic!("{error}"),
    })?;
    let received_at = Timestamp::parse(NOW).expect("it is a time");
    let completion =
        Completion { workspace_id: Some("ws".parse().expect("it is an id")), received_at, text_cut_bytes: 1024 };
    draft.complete(&completion, || EventId::parse("none").expect("it is an id")).map(|completed| completed.event)
}

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    for (name, schema) in [("event", schema::sent_event()), ("recorded_event", schema::recorded_event())] {
        let text = serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n";
        assert_committed(&format!("events/{name}.schema.json"), &text);
    }
}

#[test]
fn the_golden_event_of_every_kind_is_valid_in_each_form() {
    let (sent, shown, cloud) =
        (validator(schema::sent_event()), validator(schema::recorded_event()), of_cloud_events());
    for kind in Kind::ALL {
        let event = golden(kind);
        sent.validate(&event).unwrap_or_else(|error| panic!("{}: {error}", kind.as_str()));
        let recorded = recorded(&parse(&event).expect("it is an event"));
        shown.validate(&recorded).unwrap_or_else(|error| panic!("{}: {error}", kind.as_str()));
        sent.validate(&recorded).unwrap_or_else(|error| panic!("{}: {error}", kind.as_str()));
        let packed = as_cloud_event(&event);
        assert!(parse_cloud_event(&packed).is_ok(), "{packed}");
        cloud.validate(&packed).unwrap_or_else(|error| panic!("{}: {error}", kind.as_str()));
    }
}

#[test]
fn what_a_sender_may_leave_out_or_leave_empty_is_valid() {
    let sent = validator(schema::sent_event());
    for kind in Kind::ALL {
        for is_null in [false, true] {
            let mut event = golden(kind);
            let mut optional = vec!["/id".to_owned(), "/workspace_id".to_owned(), "/occurred_at".to_owned()];
            let fields = event["data"].as_object().expect("it is an object").keys();
            optional.extend(fields.map(|field| format!("/data/{field}")));
            for path in optional {
                let whole = event.clone();
                take_away(&mut event, &path, is_null);
                if parse(&event).is_err() {
                    assert!(!sent.is_valid(&event), "the schema takes what the parser does not: {event}");
                    event = whole;
                } else {
                    sent.validate(&event).unwrap_or_else(|error| panic!("{error}: {event}"));
                }
            }
        }
    }
}

fn take_away(event: &mut Value, path: &str, is_null: bool) {
    let (parent, name) = path.rsplit_once('/').expect("it is a path");
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("it is an object");
    parent.remove(name);
    if is_null {
        parent.insert(name.to_owned(), Value::Null);
    }
}

/// The golden event of that kind with another value at that path.
fn changed(kind: Kind, path: &str, value: Value) -> Value {
    let mut event = golden(kind);
    let (parent, name) = path.rsplit_once('/').expect("it is a path");
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("it is an object");
    parent.insert(name.to_owned(), value);
    event
}

#[test]
fn what_the_schema_can_say_both_refuse() {
    let long = |length: usize| json!("x".repeat(length));
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("h{n}"), json!("v"))).collect();
    let refusals = [
        (Kind::DeliveryCreated, "/id", json!("")),
        (Kind::DeliveryCreated, "/id", long(256)),
        (Kind::DeliveryCreated, "/id", json!(1)),
        (Kind::DeliveryCreated, "/workspace_id", json!("a\u{85}b")),
        (Kind::DeliveryCreated, "/subscription_id", json!("a\nb")),
        (Kind::DeliveryCreated, "/subscription_id", Value::Null),
        (Kind::DeliveryCreated, "/delivery_id", long(256)),
        (Kind::DeliveryCreated, "/kind", json!("delivery.made")),
        (Kind::DeliveryCreated, "/kind", json!("delivery.cancelled")),
        (Kind::DeliveryCreated, "/occurred_at", json!("yesterday")),
        (Kind::DeliveryCreated, "/occurred_at", json!(1_768_471_200)),
        (Kind::DeliveryCreated, "/colour", json!("red")),
        (Kind::DeliveryCreated, "/data", Value::Null),
        (Kind::DeliveryCreated, "/data", json!([])),
        (Kind::DeliveryCreated, "/data/colour", json!("red")),
        (Kind::DeliveryCreated, "/data/attempt", json!(1)),
        (Kind::DeliveryCreated, "/data/event_type", long(256)),
        (Kind::DeliveryCreated, "/data/payload", Value::Null),
        (Kind::DeliveryCreated, "/data/payload", json!("{}")),
        (Kind::DeliveryCreated, "/data/payload", json!([])),
        (Kind::DeliveryCreated, "/data/max_attempts", json!(0)),
        (Kind::DeliveryCreated, "/data/max_attempts", json!(1001)),
        (Kind::DeliveryCreated, "/data/url", json!("")),
        (Kind::DeliveryCreated, "/data/url", long(2049)),
        (Kind::DeliveryCreated, "/data/source_event_id", json!("")),
        (Kind::DeliveryCreated, "/data/next_attempt_at", json!("2026-01-15")),
        (Kind::AttemptStarted, "/data/attempt", json!(0)),
        (Kind::AttemptStarted, "/data/attempt", json!(1001)),
        (Kind::AttemptStarted, "/data/attempt", json!(1.5)),
        (Kind::AttemptStarted, "/data/attempt", json!("1")),
        (Kind::AttemptStarted, "/data/attempt", Value::Null),
        (Kind::AttemptStarted, "/data/request_headers", json!({"a": 1})),
        (Kind::AttemptStarted, "/data/request_headers", many.into()),
        (Kind::AttemptStarted, "/data/error", json!("x")),
        (Kind::AttemptStarted, "/data/delivery", json!([])),
        (Kind::AttemptStarted, "/data/delivery/colour", json!("red")),
        (Kind::AttemptStarted, "/data/delivery/created_at", Value::Null),
        (Kind::AttemptStarted, "/data/delivery/payload", Value::Null),
        (Kind::AttemptSucceeded, "/data/duration_ms", json!(86_400_001)),
        (Kind::AttemptSucceeded, "/data/duration_ms", Value::Null),
        (Kind::AttemptSucceeded, "/data/response_status", json!(99)),
        (Kind::AttemptSucceeded, "/data/response_status", json!(1000)),
        (Kind::AttemptSucceeded, "/data/response_body", json!({})),
        (Kind::AttemptFailed, "/data/error", Value::Null),
        (Kind::AttemptFailed, "/data/duration_ms", json!(-1)),
        (Kind::DeliveryRetryScheduled, "/data/next_attempt_at", Value::Null),
        (Kind::DeliveryCancelled, "/data/reason", Value::Null),
    ];
    let sent = validator(schema::sent_event());
    for (kind, path, value) in refusals {
        let event = changed(kind, path, value);
        assert!(parse(&event).is_err(), "the parser takes it: {path} {event}");
        assert!(!sent.is_valid(&event), "the schema takes it: {path} {event}");
    }
}

#[test]
fn what_the_schema_can_say_of_a_cloud_event_both_refuse() {
    let cloud = of_cloud_events();
    let event = as_cloud_event(&golden(Kind::AttemptStarted));
    for (name, value) in [
        ("specversion", json!("0.3")),
        ("type", json!("com.example.other")),
        ("source", json!("/workspaces/w/hooks/s")),
        ("source", json!("/workspaces/w/subscriptions/s?x")),
        ("subject", json!("")),
        ("time", json!("now")),
        ("data_base64", json!("e30=")),
        ("Subject", json!("d")),
        ("data", json!({"attempt": 0})),
    ] {
        let mut event = event.clone();
        event[name] = value;
        assert!(parse_cloud_event(&event).is_err(), "the parser takes it: {event}");
        assert!(!cloud.is_valid(&event), "the schema takes it: {event}");
    }
}

/// What only the parser refuses: the words of the fields say it.
#[test]
fn what_no_schema_can_say_is_refused_by_the_parser_alone() {
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let refusals = [
        // Bytes, where JSON Schema counts characters.
        (Kind::DeliveryCreated, "/id", json!("ž".repeat(128))),
        (Kind::DeliveryCreated, "/data/url", json!("ž".repeat(1025))),
        // A number with a fraction of zero, which is an integer to JSON Schema.
        (Kind::AttemptStarted, "/data/attempt", json!(1.0)),
        (Kind::AttemptStarted, "/data/request_headers", json!({"a": "x".repeat(8192)})),
        (Kind::DeliveryCreated, "/data/payload", json!({"a": "x".repeat(256 * 1024)})),
        (Kind::DeliveryCreated, "/data/payload", deep),
        (Kind::DeliveryCreated, "/occurred_at", json!("2026-06-02T00:00:00.000001Z")),
        (Kind::DeliveryCreated, "/occurred_at", json!("0000-01-01T00:00:00Z")),
    ];
    let sent = validator(schema::sent_event());
    for (kind, path, value) in refusals {
        let event = changed(kind, path, value);
        assert!(parse(&event).is_err(), "the parser takes it: {path}");
        assert!(sent.is_valid(&event), "the schema can say it: add it to the table above: {path}");
    }
}

proptest! {
    #[test]
    fn every_event_is_valid_as_it_is_written(event in event()) {
        let (sent, shown) = (validator(schema::sent_event()), validator(schema::recorded_event()));
        let recorded = recorded(&event);
        prop_assert!(shown.is_valid(&recorded), "{recorded}");
        prop_assert!(sent.is_valid(&recorded), "{recorded}");
    }
}
