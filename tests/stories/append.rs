//! A sender appends: one event, an array, lines; what it leaves out, what it repeats.

use serde_json::{Value, json};

use crate::support::events::{at, created, event, failed, started, succeeded, with, without};
use crate::support::{Client, serve_workspace};

const DELIVERY: (&str, &str) = ("whsub_1", "whdel_1");

async fn total(client: &Client) -> Value {
    client.history("workspace_id=ws_1").await.expect_status(200).json()["total"].clone()
}

#[tokio::test]
async fn one_object_an_array_and_lines_are_appended_and_answered_with_their_positions() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let one = client.must_append(&created(DELIVERY, &at(0))).await;
    assert_eq!(one.json(), json!({"appended": 1, "duplicates": 0, "first_position": 1, "last_position": 1}));
    assert_eq!(one.position(), 1);

    let array = json!([started(DELIVERY, 1, &at(1)), failed(DELIVERY, 1, &at(2), 5)]);
    let array = client.must_append(&array).await;
    assert_eq!(array.json(), json!({"appended": 2, "duplicates": 0, "first_position": 2, "last_position": 3}));
    assert_eq!(array.position(), 3);

    let (fourth, fifth) = (started(DELIVERY, 2, &at(3)), succeeded(DELIVERY, 2, &at(4), 5));
    let lines = client.append_text("application/x-ndjson", format!("{fourth}\n\n{fifth}\r\n")).await;
    let answer = lines.expect_status(200).json();
    assert_eq!(answer, json!({"appended": 2, "duplicates": 0, "first_position": 4, "last_position": 5}));

    let row = &client.history("workspace_id=ws_1").await.json()["deliveries"][0];
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(2)));
}

#[tokio::test]
async fn a_media_type_is_read_with_parameters_and_in_any_case() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for media_type in ["application/json; charset=utf-8", "Application/JSON", "application/x-ndjson;charset=UTF-8"] {
        client.append_text(media_type, created(DELIVERY, &at(0)).to_string()).await.expect_status(200);
    }
}

#[tokio::test]
async fn ten_thousand_events_are_one_request_with_dense_positions() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let events: Vec<_> = (0..10_000).map(|n| created(("whsub_1", &format!("whdel_{n}")), &at(n))).collect();
    let answer = client.must_append(&events.into()).await.json();
    assert_eq!(answer, json!({"appended": 10_000, "duplicates": 0, "first_position": 1, "last_position": 10_000}));
    assert_eq!(total(&client).await, 10_000);
}

#[tokio::test]
async fn a_request_of_sixteen_mebibytes_is_taken() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let mut body = created(DELIVERY, &at(0)).to_string().into_bytes();
    body.resize(16 * 1024 * 1024, b' ');
    client.append_text("application/json", body).await.expect_status(200);
}

#[tokio::test]
async fn what_was_stored_before_is_a_duplicate_whose_positions_are_null() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let events = json!([created(DELIVERY, &at(0)), started(DELIVERY, 1, &at(1))]);
    client.must_append(&events).await;
    let again = client.must_append(&events).await;
    assert_eq!(again.json(), json!({"appended": 0, "duplicates": 2, "first_position": null, "last_position": null}));
    assert_eq!(again.position(), 2, "a reader who waits for it finds the originals");

    let some = client.must_append(&json!([started(DELIVERY, 1, &at(1)), started(DELIVERY, 2, &at(2))])).await;
    assert_eq!(some.json(), json!({"appended": 1, "duplicates": 1, "first_position": 3, "last_position": 3}));
}

#[tokio::test]
async fn a_repetition_within_a_request_is_a_duplicate() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = created(DELIVERY, &at(0));
    let answer = client.must_append(&json!([event, started(DELIVERY, 1, &at(1)), event])).await.json();
    assert_eq!(answer, json!({"appended": 2, "duplicates": 1, "first_position": 1, "last_position": 2}));
    assert_eq!(total(&client).await, 1);
}

#[tokio::test]
async fn the_same_content_in_other_words_is_a_duplicate() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let words = |occurred_at: &str, payload: &str, max_attempts: &str| {
        format!(
            r#"{{"occurred_at":"{occurred_at}","id":"e","kind":"delivery.created","subscription_id":"s",
                "delivery_id":"d","data":{{"payload":{payload},{max_attempts}"event_type":"a"}}}}"#
        )
    };
    client.append_text("application/json", words("2024-01-15T10:00:00Z", "{\"a\": 1}", "")).await.expect_status(200);
    let others = words("2024-01-15T12:00:00.000+02:00", "{ \"a\" :1 }", "\"max_attempts\": 10,");
    let again = client.append_text("application/json", others).await.expect_status(200).json();
    assert_eq!((&again["appended"], &again["duplicates"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn an_event_without_id_and_time_gets_both() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let bare = without(without(created(DELIVERY, &at(0)), "id"), "occurred_at");
    client.must_append(&bare).await;
    let again = client.must_append(&bare).await.json();
    assert_eq!(again["appended"], 1, "without an id nothing tells it from another: {again}");

    let row = client.history("workspace_id=ws_1").await.json()["deliveries"][0].clone();
    let created_at = row["created_at"].as_str().expect("it is a time");
    assert!(created_at.ends_with('Z') && created_at > at(0).as_str(), "it is the time of receipt: {created_at}");
}

#[tokio::test]
async fn a_retry_without_a_time_is_a_duplicate_although_the_clock_has_moved() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = without(created(DELIVERY, &at(0)), "occurred_at");
    client.must_append(&event).await;
    let first = client.history("workspace_id=ws_1").await.json();
    let again = client.must_append(&event).await.json();
    assert_eq!((&again["appended"], &again["duplicates"]), (&json!(0), &json!(1)));
    assert_eq!(client.history("workspace_id=ws_1").await.json(), first);
}

#[tokio::test]
async fn a_workspace_left_out_is_the_tokens() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(DELIVERY, &at(0))).await;
    client.must_append(&with(created(("whsub_1", "whdel_2"), &at(1)), "workspace_id", "ws_1")).await;
    assert_eq!(total(&client).await, 2);
    server.terminate().await;

    let all = ledger.token("--scope append --scope read");
    let server = ledger.serve().await;
    let client = server.client(&all);
    let refused = client.append(&created(DELIVERY, &at(0))).await.problem(422);
    assert_eq!((&refused["index"], &refused["field"]), (&json!(0), &json!("workspace_id")));
    client.must_append(&with(created(DELIVERY, &at(0)), "workspace_id", "ws_9")).await;
    assert_eq!(client.history("workspace_id=ws_9").await.json()["total"], 1);
}

#[tokio::test]
async fn position_and_recorded_at_are_ours_to_give_and_ignored() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let exported = with(with(created(DELIVERY, &at(0)), "position", 77), "recorded_at", "2020-01-01T00:00:00Z");
    assert_eq!(client.must_append(&exported).await.json()["first_position"], 1);
    let again = client.must_append(&created(DELIVERY, &at(0))).await.json();
    assert_eq!(again["duplicates"], 1, "they are no part of the content");
}

#[tokio::test]
async fn one_call_per_attempt_is_enough_when_it_carries_the_delivery() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let delivery = json!({"created_at": at(0), "event_type": "order.paid", "payload": {"total": 5}, "max_attempts": 3});
    let data = json!({
        "attempt": 1, "error": "HTTP 503", "duration_ms": 7, "next_attempt_at": at(60), "delivery": delivery,
    });
    client.must_append(&event("attempt.failed", DELIVERY, &at(1), data)).await;
    let data = json!({"attempt": 2, "duration_ms": 9, "response_status": 204, "delivery": delivery});
    client.must_append(&event("attempt.succeeded", DELIVERY, &at(61), data)).await;

    let page = client.history("workspace_id=ws_1").await.json();
    assert_eq!(page["total"], 1);
    let row = &page["deliveries"][0];
    assert_eq!((&row["event_type"], &row["payload"]), (&json!("order.paid"), &json!({"total": 5})));
    assert_eq!((&row["max_attempts"], &row["attempts"]), (&json!(3), &json!(2)));
    assert_eq!((&row["created_at"], &row["status"]), (&json!(at(0)), &json!("delivered")));
    assert_eq!(client.stats("whsub_1").await.json()["total"], 2);
}

#[tokio::test]
async fn an_attempt_of_an_undescribed_delivery_is_kept_until_the_description_comes() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&succeeded(DELIVERY, 1, &at(5), 20)).await;
    assert_eq!(total(&client).await, 0);
    assert_eq!(client.stats("whsub_1").await.json()["total"], 0);
    let waiting = "hookledger_deliveries_waiting 1";
    assert!(server.open_client().get("/metrics").await.text.contains(waiting), "{waiting}");

    client.must_append(&created(DELIVERY, &at(0))).await;
    let row = &client.history("workspace_id=ws_1").await.json()["deliveries"][0];
    assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(1)));
    assert_eq!(client.stats("whsub_1").await.json()["success_count"], 1);
}
