//! Deliveries that no event described: kept, neither listed nor counted, and shown by a list of their own.

use serde_json::{Value, json};

use crate::support::events::{at, created, failed, started};
use crate::support::{Ledger, serve_workspace};

#[tokio::test]
async fn what_waits_is_listed_oldest_first_until_it_is_described() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&started(("whsub_1", "b"), 1, &at(1))).await;
    client.must_append(&failed(("whsub_2", "a"), 1, &at(2), 5)).await;
    let page = client.get("/v1/waiting").await.json();
    let expected = json!({
        "waiting": [
            {"subscription_id": "whsub_1", "delivery_id": "b", "first_position": 1, "attempts": 1, "last_attempt_at": null},
            {"subscription_id": "whsub_2", "delivery_id": "a", "first_position": 2, "attempts": 1, "last_attempt_at": at(2)},
        ],
        "total": 2, "limit": 20, "offset": 0,
    });
    assert_eq!(page, expected);
    let second = client.get("/v1/waiting?limit=1&offset=1").await.json();
    assert_eq!(second["waiting"], json!([expected["waiting"][1]]));
    assert_eq!(second["total"], 2);

    client.must_append(&created(("whsub_1", "b"), &at(0))).await;
    let page = client.get("/v1/waiting").await.json();
    assert_eq!((&page["total"], &page["waiting"][0]["delivery_id"]), (&json!(1), &json!("a")));
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 1);
}

#[tokio::test]
async fn who_may_not_see_a_whole_workspace_does_not_see_what_waits_in_it() {
    let ledger = Ledger::new();
    let all = ledger.token("--scope read");
    let one = ledger.token("--workspace ws_1 --subscription whsub_1 --scope read");
    let append = ledger.token("--workspace ws_1 --scope append");
    let server = ledger.serve().await;
    server.open_client().get("/v1/waiting").await.problem(401);
    server.client(&append).get("/v1/waiting").await.problem(403);
    server.client(&one).get("/v1/waiting").await.problem(403);
    let client = server.client(&all);
    assert_eq!(client.get("/v1/waiting").await.problem(422)["field"], "workspace_id");
    assert_eq!(client.get("/v1/waiting?workspace_id=ws_9").await.json()["waiting"], Value::Array(Vec::new()));
    for (query, field) in
        [("limit=0", "limit"), ("limit=101", "limit"), ("offset=-1", "offset"), ("limit=1&limit=2", "limit")]
    {
        let problem = client.get(&format!("/v1/waiting?workspace_id=ws_9&{query}")).await.problem(422);
        assert_eq!(problem["field"], field, "{query}");
    }
}
