//! Each format: what is read, and how a refusal is told.

use serde_json::{Value, json};

use super::*;

const EVENT: &str = r#"{"kind":"attempt.started","subscription_id":"s","delivery_id":"d","data":{"attempt":1}}"#;

const CLOUD_EVENT: &str = r#"{"specversion":"1.0","id":"e","type":"attempt.started","subject":"d",
    "source":"/workspaces/w/subscriptions/s","data":{"attempt":1}}"#;

fn refusal(format: RequestFormat, body: impl AsRef<[u8]>) -> String {
    parse_request(format, body.as_ref()).expect_err("it is refused").to_string()
}

fn count(format: RequestFormat, body: impl AsRef<[u8]>) -> Result<usize, RequestError> {
    parse_request(format, body.as_ref()).map(|drafts| drafts.len())
}

/// MessagePack of what is written in JSON.
fn packed(json: &str) -> Vec<u8> {
    let value: Value = serde_json::from_str(json).expect("it is JSON");
    rmp_serde::to_vec(&value).expect("it is MessagePack")
}

#[test]
fn one_object_an_array_and_lines_are_read() {
    assert_eq!(count(RequestFormat::Json, EVENT), Ok(1));
    assert_eq!(count(RequestFormat::Json, format!(" [{EVENT},\n{EVENT}]")), Ok(2));
    assert_eq!(count(RequestFormat::Json, "[]"), Ok(0));
    assert_eq!(count(RequestFormat::NdJson, format!("\n{EVENT}\r\n\n  {EVENT}")), Ok(2));
    assert_eq!(count(RequestFormat::NdJson, ""), Ok(0));
}

#[test]
fn one_map_and_an_array_of_messagepack_are_read() {
    assert_eq!(count(RequestFormat::MsgPack, packed(EVENT)), Ok(1));
    assert_eq!(count(RequestFormat::MsgPack, packed(&format!("[{EVENT},{EVENT}]"))), Ok(2));
    assert_eq!(count(RequestFormat::MsgPack, packed("[]")), Ok(0));
    let one = packed(EVENT);
    for header in [vec![0xdc, 0, 2], vec![0xdd, 0, 0, 0, 2]] {
        assert_eq!(count(RequestFormat::MsgPack, [header, one.clone(), one.clone()].concat()), Ok(2));
    }
}

#[test]
fn one_cloud_event_and_a_batch_are_read() {
    assert_eq!(count(RequestFormat::CloudEvent, CLOUD_EVENT), Ok(1));
    assert_eq!(count(RequestFormat::CloudEvents, format!("[{CLOUD_EVENT},{CLOUD_EVENT}]")), Ok(2));
    let one = refusal(RequestFormat::CloudEvents, CLOUD_EVENT);
    assert_eq!(one, "the body must be an array of events");
    let array = refusal(RequestFormat::CloudEvent, "[]");
    assert_eq!(array, "event 0: must be an object that is a CloudEvent, not sequence");
}

#[test]
fn a_refusal_names_the_event_and_the_field() {
    let bad = |event: &str| event.replace("\"attempt\":1", "\"attempt\":0");
    let both = |event: &str| format!("[{event},{}]", bad(event));
    for (format, body) in [
        (RequestFormat::Json, both(EVENT).into_bytes()),
        (RequestFormat::MsgPack, packed(&both(EVENT))),
        (RequestFormat::CloudEvents, both(CLOUD_EVENT).into_bytes()),
    ] {
        let array = refusal(format, body);
        assert_eq!(array, "event 1: data.attempt must be an integer from 1 to 1000, not integer `0`", "{format:?}");
    }
    let one = refusal(RequestFormat::Json, bad(EVENT));
    assert!(one.starts_with("event 0: data.attempt must"), "{one}");
    let lines = parse_request(RequestFormat::NdJson, format!("{EVENT}\n\n{}", bad(EVENT)).as_bytes());
    assert!(matches!(lines, Err(RequestError::Event { index: 1, line: Some(3), .. })), "{lines:?}");
}

#[test]
fn what_is_not_json_is_the_bodys_fault_or_the_lines() {
    assert!(refusal(RequestFormat::Json, "{").starts_with("the body is not JSON: EOF"));
    assert!(refusal(RequestFormat::Json, format!("[{EVENT}")).starts_with("the body is not JSON: EOF"));
    assert!(refusal(RequestFormat::Json, format!("{EVENT}{EVENT}")).contains("trailing characters"));
    assert!(refusal(RequestFormat::Json, format!("[{EVENT}]{EVENT}")).contains("trailing characters"));
    assert!(refusal(RequestFormat::CloudEvents, "").starts_with("the body is not JSON: EOF"));
    assert!(refusal(RequestFormat::NdJson, format!("{EVENT}\nnot")).starts_with("event 1: not JSON"));
}

#[test]
fn what_is_not_messagepack_is_the_bodys_fault() {
    let one = packed(EVENT);
    let early = "the body is not MessagePack: it ends early";
    for end in 0..one.len() {
        assert_eq!(refusal(RequestFormat::MsgPack, &one[..end]), early);
    }
    assert_eq!(refusal(RequestFormat::MsgPack, [0xdd, 0xff, 0xff, 0xff, 0xff]), early);
    assert_eq!(refusal(RequestFormat::MsgPack, [0xdc, 0xff]), early);
    let twice = [one.clone(), one.clone()].concat();
    let expected = format!("the body is not MessagePack: it goes on for {} bytes after its end", one.len());
    assert_eq!(refusal(RequestFormat::MsgPack, twice), expected);
    let json = refusal(RequestFormat::MsgPack, EVENT);
    assert_eq!(json, "event 0: must be an object that is an event, not integer `123`");
}

#[test]
fn more_events_than_the_bound_are_refused_in_every_format() {
    let many = vec![EVENT; REQUEST_MAX_EVENTS + 1];
    let array = format!("[{}]", many.join(","));
    let batch = format!("[{}]", vec![CLOUD_EVENT; REQUEST_MAX_EVENTS + 1].join(","));
    let too_many = Err(RequestError::TooManyEvents);
    assert_eq!(count(RequestFormat::MsgPack, packed(&array)), too_many);
    assert_eq!(count(RequestFormat::Json, array), too_many);
    assert_eq!(count(RequestFormat::CloudEvents, batch), too_many);
    assert_eq!(count(RequestFormat::NdJson, many.join("\n")), too_many);
    assert_eq!(count(RequestFormat::NdJson, many[1..].join("\n")), Ok(REQUEST_MAX_EVENTS));
}

#[test]
fn payloads_that_grow_when_they_become_json_are_bounded_together() {
    let filler = "\u{1}".repeat(40 * 1024);
    let event = json!({"kind": "delivery.created", "subscription_id": "s", "delivery_id": "d",
        "data": {"event_type": "a", "payload": {"f": filler}}});
    let of = |events: usize| rmp_serde::to_vec(&vec![&event; events]).expect("it is MessagePack");
    assert_eq!(count(RequestFormat::MsgPack, of(68)), Ok(68));
    assert_eq!(count(RequestFormat::MsgPack, of(69)), Err(RequestError::PayloadsTooLarge));
}

#[test]
fn a_media_type_is_read_with_parameters_and_in_any_case() {
    let of = RequestFormat::of_media_type;
    assert_eq!(of("Application/JSON; charset=utf-8"), Some(RequestFormat::Json));
    for name in ["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"] {
        assert_eq!(of(name), Some(RequestFormat::MsgPack), "{name}");
    }
    assert_eq!(of("application/cloudevents+json; charset=UTF-8"), Some(RequestFormat::CloudEvent));
    assert_eq!(of("application/cloudevents-batch+json"), Some(RequestFormat::CloudEvents));
    assert_eq!(of("application/cloudevents"), None);
    assert_eq!(of(""), None);
}
