//! A sender appends in MessagePack.

use serde_json::{Value, json};

use crate::support::events::{at, created, event, failed, started, succeeded, with, without};
use crate::support::{Answer, Client, serve_workspace};

const DELIVERY: (&str, &str) = ("whsub_1", "whdel_1");
const MSGPACK: &str = "application/msgpack";

/// The map or array that stands in JSON, in MessagePack.
fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("JSON can be written as MessagePack")
}

async fn append(client: &Client, events: &Value) -> Answer {
    client.append_text(MSGPACK, packed(events)).await
}

#[tokio::test]
async fn one_map_and_an_array_are_appended_under_every_name_of_the_media_type() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let one = append(&client, &created(DELIVERY, &at(0))).await.expect_status(200);
    assert_eq!(one.json(), json!({"appended": 1, "duplicates": 0, "first_position": 1, "last_position": 1}));

    let array = packed(&json!([failed(DELIVERY, 1, &at(1), 5), succeeded(DELIVERY, 2, &at(2), 7)]));
    let answer = client.append_text("application/vnd.msgpack", array.clone()).await.expect_status(200);
    assert_eq!(answer.json()["last_position"], 3);
    let again = client.append_text("application/x-msgpack", array).await.expect_status(200);
    assert_eq!(again.json()["duplicates"], 2);

    let row = &client.history("workspace_id=ws_1").await.json()["deliveries"][0];
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(2)));
    assert_eq!(row["payload"], json!({"n": 1}));
}

#[tokio::test]
async fn an_event_is_the_same_in_messagepack_and_in_json() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let payload = json!({"text": "Žofie \" \\ \n\u{1}", "list": [1, -2, 2.5, true, null, {}], "big": u64::MAX});
    let data = json!({"event_type": "contact.created", "payload": payload, "url": "https://r.example/"});
    let sent = event("delivery.created", DELIVERY, &at(0), data);
    append(&client, &sent).await.expect_status(200);
    let again = client.must_append(&sent).await.json();
    assert_eq!((&again["appended"], &again["duplicates"]), (&json!(0), &json!(1)));
    assert_eq!(client.history("workspace_id=ws_1").await.json()["deliveries"][0]["payload"], payload);
}

#[tokio::test]
async fn times_are_text_or_microseconds() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    append(&client, &with(created(DELIVERY, &at(0)), "occurred_at", 1_705_312_800_000_000_u64))
        .await
        .expect_status(200);
    let row = &client.history("workspace_id=ws_1").await.json()["deliveries"][0];
    assert_eq!(row["created_at"], at(0));
    assert_eq!(client.must_append(&created(DELIVERY, &at(0))).await.json()["duplicates"], 1);
}

#[tokio::test]
async fn one_bad_event_refuses_the_request_and_nothing_of_it_is_stored() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let sound = || created(DELIVERY, &at(0));
    let payload =
        |payload: Value| event("delivery.created", DELIVERY, &at(0), json!({"event_type": "a", "payload": payload}));
    let refusals = [
        (
            with(started(DELIVERY, 1, &at(1)), "data", json!({"attempt": 0})),
            "data.attempt",
            "an integer from 1 to 1000",
        ),
        (
            with(started(DELIVERY, 1, &at(1)), "data", json!({"attempt": "1"})),
            "data.attempt",
            "an integer from 1 to 1000",
        ),
        (with(sound(), "id", 7), "id", "a string of 1 to 255 bytes without control characters"),
        (with(sound(), "occurred_at", "now"), "occurred_at", ""),
        (with(sound(), "colour", "red"), "colour", ""),
        (without(sound(), "subscription_id"), "subscription_id", ""),
        (payload(json!("{\"a\":1}")), "data.payload", "a map"),
        (payload(json!([1])), "data.payload", "a map"),
        (payload(json!({"p": "x".repeat(256 * 1024)})), "data.payload", "a payload is at most 262144 bytes"),
        (payload(Value::Null), "data.payload", ""),
    ];
    for (bad, field, bound) in refusals {
        let problem = append(&client, &json!([sound(), bad])).await.problem(422);
        assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!(field)), "{problem}");
        assert!(bound.is_empty() || problem["bound"] == bound, "{problem}");
    }
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
    assert_eq!(append(&client, &sound()).await.expect_status(200).json()["first_position"], 1);
}

#[tokio::test]
async fn what_json_cannot_hold_is_refused_by_its_field_and_place() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let body =
        packed(&event("delivery.created", DELIVERY, &at(0), json!({"event_type": "a", "payload": {"n": "here"}})));
    let place = body.windows(5).position(|bytes| bytes == b"\xa4here").expect("it was just written");
    let with_value = |value: &[u8]| [&body[..place], value, &body[place + 5..]].concat();
    client.append_text(MSGPACK, with_value(&[0xcb, 0x40, 0x04, 0, 0, 0, 0, 0, 0])).await.expect_status(200);
    let values: [(&[u8], &str); 6] = [
        (&[0xc4, 1, 0], "binary"),
        (&[0xd6, 0xff, 0, 0, 0, 0], "an extension type"),
        (&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], "not finite"),
        (&[0xca, 0x7f, 0x80, 0, 0], "not finite"),
        (&[0x81, 1, 1], "a map whose keys are strings"),
        (&[0xa1, 0xff], "UTF-8"),
    ];
    for (value, told) in values {
        let problem = client.append_text(MSGPACK, with_value(value)).await.problem(422);
        assert_eq!((&problem["index"], &problem["field"]), (&json!(0), &json!("data.payload")), "{problem}");
        let detail = problem["detail"].as_str().expect("it is text");
        assert!(detail.contains(told) && detail.contains(" at n"), "{detail}");
    }
    let deep = client.append_text(MSGPACK, with_value(&[0x91; 5000])).await.problem(422);
    assert!(deep["detail"].as_str().is_some_and(|detail| detail.contains("at most 100 deep")), "{deep}");
}

#[tokio::test]
async fn what_is_not_messagepack_is_a_400() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let body = packed(&json!([created(DELIVERY, &at(0)), created(("whsub_1", "whdel_2"), &at(0))]));
    let bodies = [
        Vec::new(),
        body[..body.len() - 1].to_vec(),
        [body.clone(), vec![0xc0]].concat(),
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xc1],
    ];
    for body in bodies {
        client.append_text(MSGPACK, body).await.problem(400);
    }
    client.append_text(MSGPACK, created(DELIVERY, &at(0)).to_string()).await.problem(422);
    append(&client, &json!([])).await.problem(422);
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
}

#[tokio::test]
async fn too_many_events_or_too_much_json_are_a_413() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let events: Vec<_> = (0..10_001).map(|n| started(("whsub_1", &format!("whdel_{n}")), 1, &at(0))).collect();
    assert_eq!(append(&client, &events.into()).await.problem(413)["bound"], "at most 10000 events");

    let data = json!({"event_type": "a", "payload": {"p": "\u{1}".repeat(40 * 1024)}});
    let events = vec![event("delivery.created", DELIVERY, &at(0), data); 69];
    assert_eq!(append(&client, &events.into()).await.problem(413)["bound"], "at most 16777216 bytes");
}
