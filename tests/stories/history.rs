//! What the history says: all fields through a delivery's life, and the order.

use serde_json::{Value, json};

use crate::support::events::{at, created, event, failed, started, succeeded};
use crate::support::{Client, serve_workspace};

const DELIVERY: (&str, &str) = ("whsub_1", "whdel_1");

/// The fields of `WebhookDelivery`, in the order of the contract.
const FIELDS: [&str; 14] = [
    "id",
    "subscription_id",
    "event_type",
    "payload",
    "status",
    "attempts",
    "max_attempts",
    "next_attempt_at",
    "last_attempt_at",
    "delivered_at",
    "last_response_status",
    "last_response_body",
    "last_error",
    "created_at",
];

/// The one row of the subscription.
async fn row(client: &Client) -> Value {
    let page = client.history("workspace_id=ws_1&subscription_id=whsub_1").await.expect_status(200).json();
    assert_eq!(page["total"], 1);
    let row = page["deliveries"][0].clone();
    let fields = row.as_object().expect("a row is an object");
    assert!(FIELDS.iter().all(|field| fields.contains_key(*field)) && fields.len() == FIELDS.len(), "{row}");
    row
}

/// The row of the delivery as it was made, with some fields changed.
fn expected(changes: Value) -> Value {
    let mut row = json!({
        "id": "whdel_1", "subscription_id": "whsub_1", "event_type": "contact.created", "payload": {"n": 1},
        "status": "pending", "attempts": 0, "max_attempts": 10, "next_attempt_at": null, "last_attempt_at": null,
        "delivered_at": null, "last_response_status": null, "last_response_body": null, "last_error": null,
        "created_at": at(0),
    });
    let Value::Object(changes) = changes else { panic!("changes are fields") };
    row.as_object_mut().expect("it is one").extend(changes);
    row
}

#[tokio::test]
async fn all_fields_tell_a_delivery_from_its_making_to_its_acceptance() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let data = json!({"event_type": "contact.created", "payload": {"n": 1}, "next_attempt_at": at(5)});
    client.must_append(&event("delivery.created", DELIVERY, &at(0), data)).await;
    assert_eq!(row(&client).await, expected(json!({"next_attempt_at": at(5)})));

    client.must_append(&started(DELIVERY, 1, &at(5))).await;
    assert_eq!(row(&client).await, expected(json!({"status": "delivering", "attempts": 1})));

    let data = json!({
        "attempt": 1, "error": "HTTP 503", "duration_ms": 900, "response_status": 503, "response_body": "busy",
        "response_headers": {"retry-after": "60"}, "next_attempt_at": at(66),
    });
    client.must_append(&event("attempt.failed", DELIVERY, &at(6), data)).await;
    let after_failure = json!({
        "status": "failed", "attempts": 1, "next_attempt_at": at(66), "last_attempt_at": at(6),
        "last_response_status": 503, "last_response_body": "busy", "last_error": "HTTP 503",
    });
    assert_eq!(row(&client).await, expected(after_failure));

    client.must_append(&started(DELIVERY, 2, &at(66))).await;
    let under_way = json!({
        "status": "delivering", "attempts": 2, "last_attempt_at": at(6), "last_response_status": 503,
        "last_response_body": "busy", "last_error": "HTTP 503",
    });
    assert_eq!(row(&client).await, expected(under_way));

    client.must_append(&succeeded(DELIVERY, 2, &at(67), 300)).await;
    let delivered = json!({
        "status": "delivered", "attempts": 2, "last_attempt_at": at(67), "delivered_at": at(67),
        "last_response_status": 200, "last_response_body": "{\"received\": true}",
    });
    assert_eq!(row(&client).await, expected(delivered));
}

#[tokio::test]
async fn an_exhausted_delivery_has_no_next_attempt_until_a_redelivery_is_asked_for() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let refused = json!({"attempt": 1, "error": "connection refused"});
    let refused = event("attempt.failed", DELIVERY, &at(1), refused);
    client.must_append(&json!([created(DELIVERY, &at(0)), refused])).await;
    let failed = json!({
        "status": "failed", "attempts": 1, "last_attempt_at": at(1), "last_error": "connection refused",
    });
    assert_eq!(row(&client).await, expected(failed.clone()));

    let again = json!({"next_attempt_at": at(100), "reason": "asked for by Ada"});
    client.must_append(&event("delivery.retry_scheduled", DELIVERY, &at(50), again)).await;
    let mut rescheduled = expected(failed);
    rescheduled["next_attempt_at"] = json!(at(100));
    assert_eq!(row(&client).await, rescheduled);
}

#[tokio::test]
async fn a_cancelled_delivery_has_failed_for_the_reason_given() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let cancelled = event("delivery.cancelled", DELIVERY, &at(9), json!({"reason": "the subscription was paused"}));
    client.must_append(&json!([created(DELIVERY, &at(0)), failed(DELIVERY, 1, &at(1), 20), cancelled])).await;
    let told = json!({
        "status": "failed", "attempts": 1, "last_attempt_at": at(1), "last_response_status": 503,
        "last_response_body": "busy", "last_error": "the subscription was paused",
    });
    assert_eq!(row(&client).await, expected(told));

    client.must_append(&started(DELIVERY, 2, &at(20))).await;
    assert_eq!(row(&client).await["status"], "delivering", "an attempt begun after it takes it back");
}

#[tokio::test]
async fn the_order_in_which_events_arrive_does_not_matter() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let steps = |delivery: (&str, &str)| {
        [
            created(delivery, &at(0)),
            started(delivery, 1, &at(1)),
            failed(delivery, 1, &at(2), 11),
            started(delivery, 2, &at(3)),
            succeeded(delivery, 2, &at(4), 12),
        ]
    };
    for event in steps(("whsub_1", "whdel_1")) {
        client.must_append(&event).await;
    }
    for event in steps(("whsub_2", "whdel_1")).iter().rev() {
        client.must_append(event).await;
    }
    let forwards = row(&client).await;
    let mut backwards =
        client.history("workspace_id=ws_1&subscription_id=whsub_2").await.json()["deliveries"][0].clone();
    backwards["subscription_id"] = json!("whsub_1");
    assert_eq!(forwards, backwards);
    assert_eq!(client.stats("whsub_1").await.text, client.stats("whsub_2").await.text);
}

#[tokio::test]
async fn long_texts_are_cut_on_a_character_boundary() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let long = format!("x{}", "ž".repeat(600));
    let data = json!({"attempt": 1, "error": long, "response_body": long, "response_status": 500});
    client.must_append(&json!([created(DELIVERY, &at(0)), event("attempt.failed", DELIVERY, &at(1), data)])).await;
    let row = row(&client).await;
    let cut = format!("x{}", "ž".repeat(511));
    assert_eq!((&row["last_response_body"], &row["last_error"]), (&json!(cut), &json!(cut)));
}

#[tokio::test]
async fn times_keep_microseconds_and_are_written_in_utc() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(DELIVERY, "2024-01-15T12:00:00.1234567+02:00")).await;
    assert_eq!(row(&client).await["created_at"], "2024-01-15T10:00:00.123456Z");
}

/// The delivery ids of a page.
async fn ids(client: &Client, query: &str) -> Vec<String> {
    let page = client.history(&format!("workspace_id=ws_1&{query}")).await.expect_status(200).json();
    let rows = page["deliveries"].as_array().expect("it is a list").clone();
    rows.iter().map(|row| row["id"].as_str().expect("it is text").to_owned()).collect()
}

#[tokio::test]
async fn the_newest_come_first_and_of_one_moment_the_greatest_id() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for (subscription, delivery, second) in
        [("whsub_1", "b", 5), ("whsub_2", "B", 5), ("whsub_1", "c", 9), ("whsub_1", "é", 5), ("whsub_2", "a10", 5)]
    {
        client.must_append(&created((subscription, delivery), &at(second))).await;
    }
    assert_eq!(ids(&client, "").await, ["c", "é", "b", "a10", "B"]);
    assert_eq!(ids(&client, "subscription_id=whsub_1").await, ["c", "é", "b"]);
    assert_eq!(ids(&client, "subscription_id=whsub_2").await, ["a10", "B"]);
}

#[tokio::test]
async fn what_arrives_late_appears_where_it_belongs() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for (delivery, second) in [("d50", 50), ("d10", 10), ("d90", 90), ("d30", 30), ("d70", 70)] {
        client.must_append(&created(("whsub_1", delivery), &at(second))).await;
    }
    assert_eq!(ids(&client, "").await, ["d90", "d70", "d50", "d30", "d10"]);
    client.must_append(&succeeded(("whsub_1", "d10"), 1, &at(200), 5)).await;
    assert_eq!(ids(&client, "").await, ["d90", "d70", "d50", "d30", "d10"], "a new attempt does not move it");
}

#[tokio::test]
async fn a_description_of_an_earlier_time_moves_the_delivery_and_counts_it_once() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "x"), &at(50)), created(("whsub_1", "y"), &at(40))])).await;
    assert_eq!(ids(&client, "").await, ["x", "y"]);
    let mut earlier = created(("whsub_1", "x"), &at(30));
    earlier["id"] = json!("another report of it");
    client.must_append(&earlier).await;
    assert_eq!(ids(&client, "").await, ["y", "x"]);
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 2);
}

#[tokio::test]
async fn the_same_delivery_id_under_two_subscriptions_is_two_deliveries() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "x"), &at(0)), created(("whsub_2", "x"), &at(0))])).await;
    assert_eq!(ids(&client, "").await, ["x", "x"]);
    let page = client.history("workspace_id=ws_1").await.json();
    let first = &page["deliveries"][0]["subscription_id"];
    assert_ne!(first, &page["deliveries"][1]["subscription_id"]);
}

#[tokio::test]
async fn any_offset_is_honoured_with_an_exact_total() {
    const COUNT: usize = 5_000;
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    // Two of each moment, arriving in an order that is neither of the list's.
    let order: Vec<_> = (0..COUNT).map(|n| n * 1_237 % COUNT).collect();
    let delivery = |n: usize| format!("whdel_{n:05}");
    for part in order.chunks(COUNT / 4) {
        let events: Vec<_> = part
            .iter()
            .map(|&n| created(("whsub_1", &delivery(n)), &at(u32::try_from(n / 2).expect("it is small"))))
            .collect();
        client.must_append(&events.into()).await;
    }
    let expected: Vec<_> = (0..COUNT).rev().map(delivery).collect();
    for (offset, limit) in [(0, 100), (1, 1), (2_499, 3), (3_137, 100), (4_899, 100), (4_950, 100), (4_999, 20)] {
        let end = COUNT.min(offset + limit);
        let query = format!("workspace_id=ws_1&limit={limit}&offset={offset}");
        assert_eq!(client.history(&query).await.json()["total"], COUNT);
        assert_eq!(ids(&client, &format!("limit={limit}&offset={offset}")).await, expected[offset..end], "{query}");
    }
    let mut walked = Vec::new();
    for offset in (0..COUNT).step_by(100) {
        walked.extend(ids(&client, &format!("subscription_id=whsub_1&limit=100&offset={offset}")).await);
    }
    assert_eq!(walked, expected);
}
