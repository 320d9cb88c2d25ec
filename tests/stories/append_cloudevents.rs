//! A sender appends CloudEvents.

use serde_json::{Value, json};

use crate::support::events::{at, created, failed, succeeded, with, without};
use crate::support::{Client, serve_workspace};

const DELIVERY: (&str, &str) = ("whsub_1", "whdel_1");
const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// The CloudEvent that says what an event says.
fn cloud_event(event: &Value) -> Value {
    let subscription = event["subscription_id"].as_str().expect("it has one");
    json!({
        "specversion": "1.0",
        "id": event["id"],
        "type": event["kind"],
        "source": format!("https://sender.example/workspaces/ws_1/subscriptions/{subscription}"),
        "subject": event["delivery_id"],
        "time": event["occurred_at"],
        "datacontenttype": "application/json",
        "data": event["data"],
    })
}

async fn total(client: &Client) -> Value {
    client.history("workspace_id=ws_1").await.json()["total"].clone()
}

#[tokio::test]
async fn a_cloud_event_and_a_batch_become_the_events_that_they_describe() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let events = [created(DELIVERY, &at(0)), failed(DELIVERY, 1, &at(1), 5), succeeded(DELIVERY, 2, &at(2), 7)];
    let one = client.append_text(ONE, cloud_event(&events[0]).to_string()).await.expect_status(200);
    assert_eq!(one.json(), json!({"appended": 1, "duplicates": 0, "first_position": 1, "last_position": 1}));
    let batch = json!([cloud_event(&events[1]), cloud_event(&events[2])]);
    let batch = client.append_text("Application/CloudEvents-Batch+JSON; charset=UTF-8", batch.to_string()).await;
    assert_eq!(batch.expect_status(200).json()["last_position"], 3);

    let again = client.must_append(&json!(events)).await.json();
    assert_eq!((&again["appended"], &again["duplicates"]), (&json!(0), &json!(3)), "they are the same events");
    let row = &client.history("workspace_id=ws_1").await.json()["deliveries"][0];
    assert_eq!((&row["id"], &row["subscription_id"]), (&json!("whdel_1"), &json!("whsub_1")));
    assert_eq!((&row["status"], &row["created_at"]), (&json!("delivered"), &json!(at(0))));
    assert_eq!(row["payload"], json!({"n": 1}));
    assert_eq!(client.stats("whsub_1").await.json()["total"], 2);
}

#[tokio::test]
async fn a_source_is_percent_decoded_and_read_by_its_end() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let delivery = ("a/b ž", "whdel_1");
    let encoded = "/workspaces/other/workspaces/ws%5F1/subscriptions/a%2Fb%20%C5%BE";
    let event = with(cloud_event(&created(delivery, &at(0))), "source", encoded);
    client.append_text(ONE, event.to_string()).await.expect_status(200);
    assert_eq!(client.must_append(&created(delivery, &at(0))).await.json()["duplicates"], 1);
}

#[tokio::test]
async fn extension_attributes_are_allowed_and_a_time_may_be_absent() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = without(without(cloud_event(&created(DELIVERY, &at(0))), "time"), "datacontenttype");
    let event = with(with(event, "traceparent", "00-0af7651916cd43dd8448eb211c80319c"), "sampledrate", 3);
    client.append_text(ONE, event.to_string()).await.expect_status(200);
    assert_eq!(total(&client).await, 1);
}

#[tokio::test]
async fn one_bad_event_refuses_the_batch_by_index_and_attribute() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let sound = || cloud_event(&created(DELIVERY, &at(0)));
    let refusals = [
        (with(sound(), "specversion", "0.3"), "specversion"),
        (without(sound(), "specversion"), "specversion"),
        (without(sound(), "id"), "id"),
        (with(sound(), "type", "com.example.something"), "type"),
        (without(sound(), "subject"), "subject"),
        (with(sound(), "subject", ""), "subject"),
        (with(sound(), "source", "/workspaces/ws_1/hooks/whsub_1"), "source"),
        (with(sound(), "source", "/workspaces/ws_1/subscriptions/%zz"), "source"),
        (with(sound(), "time", "yesterday"), "time"),
        (with(sound(), "time", "9999-01-01T00:00:00Z"), "time"),
        (with(sound(), "datacontenttype", "text/xml"), "datacontenttype"),
        (with(sound(), "data_base64", "e30="), "data_base64"),
        (with(sound(), "data", json!({"event_type": "a"})), "data.payload"),
        (with(sound(), "data", "{}"), "data"),
        (with(sound(), "delivery_id", "whdel_1"), "delivery_id"),
    ];
    for (bad, field) in refusals {
        let problem = client.append_text(BATCH, json!([sound(), bad]).to_string()).await.problem(422);
        assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!(field)), "{problem}");
        let detail = problem["detail"].as_str().expect("it is text");
        assert!(detail.starts_with(field), "{detail}");
    }
    assert_eq!(total(&client).await, 0);
}

#[tokio::test]
async fn another_workspace_than_the_tokens_is_a_403_and_an_id_used_again_a_409() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let sound = cloud_event(&created(DELIVERY, &at(0)));
    let foreign = with(sound.clone(), "source", "/workspaces/ws_2/subscriptions/whsub_1");
    let problem = client.append_text(BATCH, json!([sound, foreign]).to_string()).await.problem(403);
    assert_eq!(problem["index"], 1);
    client.append_text(ONE, sound.to_string()).await.expect_status(200);
    let reused = with(sound, "subject", "whdel_2");
    assert_eq!(client.append_text(ONE, reused.to_string()).await.problem(409)["field"], "id");
}

#[tokio::test]
async fn one_where_a_batch_is_said_and_a_batch_where_one_is_said_are_refused() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = cloud_event(&created(DELIVERY, &at(0)));
    let problem = client.append_text(BATCH, event.to_string()).await.problem(422);
    assert_eq!(problem["detail"], "the body must be an array of events");
    client.append_text(ONE, json!([event]).to_string()).await.problem(422);
    client.append_text(BATCH, "[]").await.problem(422);
    for body in ["", "{", "nonsense"] {
        client.append_text(BATCH, body).await.problem(400);
        client.append_text(ONE, body).await.problem(400);
    }
}
