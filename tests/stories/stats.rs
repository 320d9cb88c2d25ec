//! What the stats say.

use serde_json::json;

use crate::support::events::{at, created, event, failed, started, succeeded, with};
use crate::support::serve_workspace;

#[tokio::test]
async fn a_webhook_never_seen_has_zeros_and_no_last_delivery() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let answer = client.stats("whsub_never").await.expect_status(200);
    let zeros = json!({
        "total": 0, "success_count": 0, "failed_count": 0, "success_rate": 0.0, "avg_duration_ms": 0,
        "max_duration_ms": 0, "last_delivery_at": null,
    });
    assert_eq!(answer.json(), zeros);
    assert_eq!(answer.position(), 0);
}

#[tokio::test]
async fn the_figures_are_those_of_the_finished_attempts() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let (first, second, other) = (("whsub_1", "a"), ("whsub_1", "b"), ("whsub_2", "c"));
    let without_duration = event("attempt.failed", second, &at(9), json!({"attempt": 1, "error": "no route"}));
    let events = json!([
        created(first, &at(0)),
        started(first, 1, &at(1)),
        failed(first, 1, &at(2), 400),
        started(first, 2, &at(30)),
        succeeded(first, 2, &at(31), 101),
        created(second, &at(3)),
        without_duration,
        started(second, 2, &at(60)),
        created(other, &at(0)),
        succeeded(other, 1, &at(99), 7),
    ]);
    client.must_append(&events).await;
    let expected = json!({
        "total": 3, "success_count": 1, "failed_count": 2, "success_rate": 1.0 / 3.0, "avg_duration_ms": 251,
        "max_duration_ms": 400, "last_delivery_at": at(31),
    });
    assert_eq!(client.stats("whsub_1").await.expect_status(200).json(), expected);
    let expected = json!({
        "total": 1, "success_count": 1, "failed_count": 0, "success_rate": 1.0, "avg_duration_ms": 7,
        "max_duration_ms": 7, "last_delivery_at": at(99),
    });
    assert_eq!(client.stats("whsub_2").await.json(), expected);
}

#[tokio::test]
async fn the_answer_has_the_fields_of_the_contract_with_its_types() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "a"), &at(0)), succeeded(("whsub_1", "a"), 1, &at(1), 5)])).await;
    let stats = client.stats("whsub_1").await.json();
    let fields = stats.as_object().expect("it is an object");
    for integer in ["total", "success_count", "failed_count", "avg_duration_ms", "max_duration_ms"] {
        assert!(fields[integer].is_u64(), "{integer}: {stats}");
    }
    assert!(fields["success_rate"].is_number() && fields["last_delivery_at"].is_string(), "{stats}");
    assert_eq!(fields.len(), 7);
}

#[tokio::test]
async fn a_report_that_another_replaces_leaves_counts_and_sums_but_not_maxima() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let delivery = ("whsub_1", "a");
    client.must_append(&json!([created(delivery, &at(0)), failed(delivery, 1, &at(9), 900)])).await;
    assert_eq!(client.stats("whsub_1").await.json()["failed_count"], 1);
    let earlier = with(succeeded(delivery, 1, &at(5), 100), "id", "the true one");
    client.must_append(&earlier).await;
    let expected = json!({
        "total": 1, "success_count": 1, "failed_count": 0, "success_rate": 1.0, "avg_duration_ms": 100,
        "max_duration_ms": 900, "last_delivery_at": at(9),
    });
    assert_eq!(client.stats("whsub_1").await.json(), expected);
}

#[tokio::test]
async fn the_same_webhook_id_in_two_workspaces_is_two_webhooks() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "a"), &at(0)), succeeded(("whsub_1", "a"), 1, &at(1), 5)])).await;
    server.terminate().await;
    let other = ledger.workspace_token("ws_2");
    let server = ledger.serve().await;
    assert_eq!(server.client(&other).stats("whsub_1").await.json()["total"], 0);
}
