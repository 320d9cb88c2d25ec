//! The history endpoint's checks: every row of its table, in the order of the table.

use reqwest::Method;
use serde_json::json;

use crate::support::events::{at, created};
use crate::support::{Answer, Ledger, eventually, serve_workspace};

const PATH: &str = "/api/webhookSubscriptions.deliveries";

#[tokio::test]
async fn the_checks_come_in_the_order_of_the_contract() {
    let ledger = Ledger::new();
    let writer = ledger.token("--workspace ws_1 --scope append");
    let reader = ledger.token("--workspace ws_1 --scope read");
    let server = ledger.serve().await;
    let (nobody, writer, reader) = (server.open_client(), server.client(&writer), server.client(&reader));

    // Each request has one fault less than the one before.
    nobody.history("limit=0&offset=-1").await.error(401);
    assert_eq!(writer.history("limit=0&offset=-1").await.error(400), "workspace_id is required");
    writer.history("workspace_id=ws_1&limit=0&offset=-1").await.error(403);
    reader.history("workspace_id=ws_2&limit=0&offset=-1").await.error(403);
    let limit = reader.history("workspace_id=ws_1&limit=0&offset=-1").await.error(400);
    assert!(limit.starts_with("limit "), "{limit}");
    let offset = reader.history("workspace_id=ws_1&limit=1&offset=-1").await.error(400);
    assert!(offset.starts_with("offset "), "{offset}");
    let page = reader.history("workspace_id=ws_1&limit=1&offset=0").await.expect_status(200).json();
    assert_eq!(page, json!({"deliveries": [], "total": 0, "limit": 1, "offset": 0}));
}

#[tokio::test]
async fn no_token_and_an_unknown_expired_or_revoked_one_are_a_401() {
    let ledger = Ledger::new();
    let expiring = ledger.token("--workspace ws_1 --scope read --expires 1s");
    let revoked = ledger.token("--workspace ws_1 --scope read");
    ledger.revoke(&revoked);
    let server = ledger.serve().await;
    let query = "workspace_id=ws_1";

    let answer = server.open_client().history(query).await;
    answer.error(401);
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
    let unknown = format!("hl_{}", "a".repeat(43));
    for token in [revoked.secret.as_str(), &unknown, "", "nonsense", "hl_"] {
        let request = server.open_client().request(Method::GET, &format!("{PATH}?{query}"));
        let answer = Answer::to(request.bearer_auth(token)).await;
        answer.error(401);
        assert!(answer.header("WWW-Authenticate").unwrap_or_default().starts_with("Bearer"), "{token}");
    }
    let client = server.client(&expiring);
    eventually("the token has expired", async || client.history(query).await.status == 401).await;
    client.history(query).await.error(401);
}

#[tokio::test]
async fn a_missing_or_empty_workspace_is_a_400_in_the_words_of_the_contract() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for query in ["", "workspace_id=", "workspace_id", "limit=5", "Workspace_id=ws_1"] {
        let answer = client.history(query).await.expect_status(400);
        assert_eq!(answer.text, r#"{"error":"workspace_id is required"}"#, "{query}");
    }
}

#[tokio::test]
async fn another_workspace_or_a_token_that_may_not_read_is_a_403() {
    let ledger = Ledger::new();
    let own = ledger.token("--workspace ws_1 --scope read");
    let blind = ledger.token("--workspace ws_1 --scope append --scope admin");
    let server = ledger.serve().await;
    server.client(&own).history("workspace_id=ws_2").await.error(403);
    server.client(&blind).history("workspace_id=ws_1").await.error(403);
}

#[tokio::test]
async fn a_limit_or_an_offset_out_of_bounds_is_a_400_that_names_it_and_them() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for value in ["0", "101", "-1", "1.5", "ten", "", "1e1", "%201", "99999999999999999999999"] {
        let error = client.history(&format!("workspace_id=ws_1&limit={value}")).await.error(400);
        assert!(error.contains("limit") && error.contains('1') && error.contains("100"), "{value}: {error}");
    }
    for value in ["-1", "1.5", "ten", "", "0x1"] {
        let error = client.history(&format!("workspace_id=ws_1&offset={value}")).await.error(400);
        assert!(error.contains("offset") && error.contains('0'), "{value}: {error}");
    }
}

#[tokio::test]
async fn a_parameter_that_stands_twice_is_a_400_that_names_it() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let twice = ["workspace_id=ws_1&workspace_id=ws_2", "workspace_id=ws_1&limit=1&limit=2"];
    for (query, name) in twice.into_iter().zip(["workspace_id", "limit"]) {
        let error = client.history(query).await.error(400);
        assert!(error.contains(name), "{query}: {error}");
    }
}

#[tokio::test]
async fn limit_and_offset_have_the_defaults_of_the_contract_and_come_back() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let events: Vec<_> = (0..30).map(|n| created(("whsub_1", &format!("whdel_{n:02}")), &at(n))).collect();
    client.must_append(&events.into()).await;
    let page = client.history("workspace_id=ws_1").await.json();
    assert_eq!((&page["limit"], &page["offset"], &page["total"]), (&json!(20), &json!(0), &json!(30)));
    assert_eq!(page["deliveries"].as_array().map(Vec::len), Some(20));
    for (query, limit, offset, rows) in [("limit=100", 100, 0, 30), ("limit=1&offset=29", 1, 29, 1)] {
        let page = client.history(&format!("workspace_id=ws_1&{query}")).await.json();
        assert_eq!((&page["limit"], &page["offset"], &page["total"]), (&json!(limit), &json!(offset), &json!(30)));
        assert_eq!(page["deliveries"].as_array().map(Vec::len), Some(rows));
    }
}

#[tokio::test]
async fn an_unknown_subscription_has_an_empty_list() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(("whsub_1", "whdel_1"), &at(0))).await;
    let answer = client.history("workspace_id=ws_1&subscription_id=whsub_never").await.expect_status(200);
    assert_eq!(answer.text, r#"{"deliveries":[],"total":0,"limit":20,"offset":0}"#);
}

#[tokio::test]
async fn an_absent_or_empty_subscription_means_the_whole_workspace() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "a"), &at(0)), created(("whsub_2", "b"), &at(1))])).await;
    let totals = [("", 2), ("&subscription_id=", 2), ("&subscription_id=whsub_1", 1), ("&subscription_id=whsub_2", 1)];
    for (query, total) in totals {
        let page = client.history(&format!("workspace_id=ws_1{query}")).await.expect_status(200).json();
        assert_eq!(page["total"], total, "{query}");
        assert_eq!(page["deliveries"].as_array().map(Vec::len), Some(total), "{query}");
    }
}

#[tokio::test]
async fn past_the_end_the_list_is_empty_and_the_total_true() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "a"), &at(0)), created(("whsub_1", "b"), &at(1))])).await;
    for subscription in ["", "&subscription_id=whsub_1"] {
        for offset in ["2", "1000000000000", "9223372036854775807"] {
            let query = format!("workspace_id=ws_1{subscription}&offset={offset}");
            let answer = client.history(&query).await.expect_status(200);
            assert_eq!(answer.text, format!(r#"{{"deliveries":[],"total":2,"limit":20,"offset":{offset}}}"#));
        }
    }
}

#[tokio::test]
async fn another_method_is_a_405_that_names_the_right_one() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    for caller in [client, server.open_client()] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = Answer::to(caller.request(method, &format!("{PATH}?workspace_id=ws_1"))).await;
            answer.error(405);
            assert!(answer.header("Allow").unwrap_or_default().contains("GET"), "{:?}", answer.header("Allow"));
        }
    }
}

#[tokio::test]
async fn ids_may_be_anything_that_can_be_encoded() {
    let ledger = Ledger::new();
    let all = ledger.token("--scope append --scope read");
    let server = ledger.serve().await;
    let client = server.client(&all);
    let mut event = created(("sub/ü & co?", "del=😀 #1"), &at(0));
    event["workspace_id"] = json!("ws + 1%");
    client.must_append(&event).await;
    let query = "workspace_id=ws%20%2B%201%25&subscription_id=sub%2F%C3%BC+%26%20co%3F";
    let row = client.history(query).await.expect_status(200).json()["deliveries"][0].clone();
    assert_eq!((&row["subscription_id"], &row["id"]), (&json!("sub/ü & co?"), &json!("del=😀 #1")));
    let stats = client.stats("sub%2F%C3%BC%20%26%20co%3F").await;
    assert_eq!(stats.status, 422, "a token for all workspaces names one");
    let path = "/api/v1/workspace/webhooks/sub%2F%C3%BC%20%26%20co%3F/stats?workspace_id=ws%20%2B%201%25";
    client.get(path).await.expect_status(200);
}
