//! The stats endpoint's checks: the key, the workspace, the bounds of an id.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::events::{at, created, succeeded, with};
use crate::support::{Answer, Ledger, serve_workspace};

const PATH: &str = "/api/v1/workspace/webhooks/whsub_1/stats";

/// The one fault of a 422 in the contract's form: where, and its type.
#[track_caller]
fn fault(answer: &Answer) -> (Value, String) {
    assert_eq!(answer.status, 422, "{}", answer.text);
    let body = answer.json();
    let faults = body["detail"].as_array().expect("it is a list");
    assert_eq!(faults.len(), 1, "{body}");
    let fault = faults[0].as_object().expect("it is an object");
    assert_eq!(fault.len(), 3, "{body}");
    assert!(!fault["msg"].as_str().expect("it is text").is_empty(), "{body}");
    (fault["loc"].clone(), fault["type"].as_str().expect("it is text").to_owned())
}

#[tokio::test]
async fn the_key_comes_as_a_bearer_or_as_an_api_key() {
    let ledger = Ledger::new();
    let (token, other) = (ledger.token("--workspace ws_1 --scope read"), ledger.token("--workspace ws_2 --scope read"));
    let server = ledger.serve().await;
    let get = || server.open_client().request(Method::GET, PATH);
    let accepted = [
        get().header("Authorization", format!("Bearer {}", token.secret)),
        get().header("authorization", format!("bearer {}", token.secret)),
        get().header("X-API-Key", &token.secret),
        get().bearer_auth(&token.secret).header("X-API-Key", &token.secret),
        get().header("Authorization", "Basic YTpi").header("X-API-Key", &token.secret),
    ];
    for request in accepted {
        Answer::to(request).await.expect_status(200);
    }
    let contradiction = get().bearer_auth(&token.secret).header("X-API-Key", &other.secret);
    Answer::to(contradiction).await.expect_status(401);
}

#[tokio::test]
async fn no_token_is_a_401_in_the_words_of_the_contract() {
    let ledger = Ledger::new();
    let revoked = ledger.token("--workspace ws_1 --scope read");
    ledger.revoke(&revoked);
    let server = ledger.serve().await;
    let answer = server.open_client().get(PATH).await.expect_status(401);
    assert_eq!(answer.text, r#"{"detail":"Not authenticated"}"#);
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
    let too_long = server.open_client().stats(&"x".repeat(256)).await;
    assert_eq!(too_long.status, 401, "the token is asked for first");

    let unknown = format!("hl_{}", "a".repeat(43));
    for token in [revoked.secret.as_str(), &unknown, "nonsense"] {
        let request = server.open_client().request(Method::GET, PATH).bearer_auth(token);
        let answer = Answer::to(request).await.expect_status(401);
        assert!(answer.json()["detail"].is_string(), "{}", answer.text);
        assert!(answer.header("WWW-Authenticate").unwrap_or_default().starts_with("Bearer"));
    }
}

#[tokio::test]
async fn who_may_not_read_it_gets_a_403() {
    let ledger = Ledger::new();
    let blind = ledger.token("--workspace ws_1 --scope append --scope admin");
    let own = ledger.token("--workspace ws_1 --scope read");
    let server = ledger.serve().await;
    let answers =
        [server.client(&blind).get(PATH).await, server.client(&own).get(&format!("{PATH}?workspace_id=ws_2")).await];
    for answer in answers {
        assert!(answer.expect_status(403).json()["detail"].is_string());
    }
    server.client(&own).get(&format!("{PATH}?workspace_id=ws_1")).await.expect_status(200);
}

#[tokio::test]
async fn a_token_for_all_workspaces_names_one() {
    let ledger = Ledger::new();
    let all = ledger.token("--scope append --scope read");
    let server = ledger.serve().await;
    let client = server.client(&all);
    let delivery = ("whsub_1", "whdel_1");
    for event in [created(delivery, &at(0)), succeeded(delivery, 1, &at(1), 5)] {
        client.must_append(&with(event, "workspace_id", "ws_1")).await;
    }
    for query in ["", "?workspace_id=", "?other=ws_1"] {
        let answer = client.get(&format!("{PATH}{query}")).await;
        assert_eq!(fault(&answer), (json!(["query", "workspace_id"]), "missing".to_owned()), "{query}");
    }
    assert_eq!(client.get(&format!("{PATH}?workspace_id=ws_1")).await.expect_status(200).json()["total"], 1);
    assert_eq!(client.get(&format!("{PATH}?workspace_id=ws_2")).await.expect_status(200).json()["total"], 0);
}

#[tokio::test]
async fn an_id_out_of_bounds_is_a_422_in_the_form_of_the_contract() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let refusals = [
        ("x".repeat(256), "string_too_long"),
        ("%C3%BC".repeat(128), "string_too_long"),
        ("%41".repeat(256), "string_too_long"),
        (String::new(), "string_too_short"),
        ("%00".to_owned(), "string_pattern_mismatch"),
        ("a%0Ab".to_owned(), "string_pattern_mismatch"),
        ("%1f".to_owned(), "string_pattern_mismatch"),
        ("%7F".to_owned(), "string_pattern_mismatch"),
        ("%C2%85".to_owned(), "string_pattern_mismatch"),
        ("%ff".to_owned(), "string_unicode"),
        ("ok%C3%28".to_owned(), "string_unicode"),
    ];
    for (webhook_id, kind) in refusals {
        let answer = client.stats(&webhook_id).await;
        assert_eq!(fault(&answer), (json!(["path", "webhook_id"]), kind.to_owned()), "{webhook_id}");
    }
}

#[tokio::test]
async fn an_id_at_its_bounds_is_a_webhook_like_any_other() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let longest = "ü".repeat(127) + "x";
    client.must_append(&with(created((&longest, "d"), &at(0)), "id", "e1")).await;
    client.must_append(&with(succeeded((&longest, "d"), 1, &at(1), 5), "id", "e2")).await;
    let encoded = "%C3%BC".repeat(127) + "x";
    assert_eq!(client.stats(&encoded).await.expect_status(200).json()["total"], 1);
    for odd in ["x", "%20", "a%2Fb", "%25", "a+b", "%F0%9F%98%80"] {
        assert_eq!(client.stats(odd).await.expect_status(200).json()["total"], 0, "{odd}");
    }
}

#[tokio::test]
async fn a_workspace_out_of_bounds_is_a_422_too() {
    let ledger = Ledger::new();
    let all = ledger.token("--scope read");
    let server = ledger.serve().await;
    let client = server.client(&all);
    let answer = client.get(&format!("{PATH}?workspace_id={}", "x".repeat(256))).await;
    assert_eq!(fault(&answer), (json!(["query", "workspace_id"]), "string_too_long".to_owned()));
    let answer = client.get(&format!("{PATH}?workspace_id=%07")).await;
    assert_eq!(fault(&answer), (json!(["query", "workspace_id"]), "string_pattern_mismatch".to_owned()));
}

#[tokio::test]
async fn another_method_is_a_405_that_names_the_right_one() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for path in [PATH, "/api/v1/workspace/webhooks//stats"] {
        let answer = Answer::to(client.request(Method::POST, path)).await.expect_status(405);
        assert!(answer.json()["detail"].is_string(), "{}", answer.text);
        assert!(answer.header("Allow").unwrap_or_default().contains("GET"), "{:?}", answer.header("Allow"));
    }
}
