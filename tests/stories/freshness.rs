//! Reading one's own writes: `Ledger-Position` and `Ledger-Min-Position`.

use reqwest::Method;
use serde_json::json;

use crate::support::events::{at, created, succeeded};
use crate::support::{Answer, serve_workspace};

const HISTORY: &str = "/api/webhookSubscriptions.deliveries?workspace_id=ws_1";
const STATS: &str = "/api/v1/workspace/webhooks/whsub_1/stats";

#[tokio::test]
async fn every_data_answer_tells_its_position() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    assert_eq!(client.get(HISTORY).await.position(), 0);
    let events = json!([created(("whsub_1", "a"), &at(0)), succeeded(("whsub_1", "a"), 1, &at(1), 5)]);
    assert_eq!(client.must_append(&events).await.position(), 2);
    assert_eq!(client.get(HISTORY).await.position(), 2);
    assert_eq!(client.get(STATS).await.position(), 2);
}

#[tokio::test]
async fn who_has_just_appended_reads_it_at_once() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for n in 1..=50 {
        let delivery = format!("whdel_{n}");
        let events = json!([created(("whsub_1", &delivery), &at(n)), succeeded(("whsub_1", &delivery), 1, &at(n), 5)]);
        let position = client.must_append(&events).await.position();
        let request = || client.request(Method::GET, STATS).header("Ledger-Min-Position", position);
        let stats = Answer::to(request()).await.expect_status(200);
        assert_eq!((stats.json()["total"].clone(), stats.position()), (json!(n), position));
        let request = client.request(Method::GET, HISTORY).header("Ledger-Min-Position", position);
        assert_eq!(Answer::to(request).await.expect_status(200).json()["total"], n);
    }
}

#[tokio::test]
async fn a_read_waits_for_a_position_that_is_still_to_come() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let read = client.request(Method::GET, HISTORY).header("Ledger-Min-Position", 2);
    let write = async {
        client.must_append(&created(("whsub_1", "a"), &at(0))).await;
        client.must_append(&created(("whsub_1", "b"), &at(1))).await;
    };
    let (answer, ()) = tokio::join!(Answer::to(read), write);
    assert_eq!(answer.expect_status(200).json()["total"], 2);
}

#[tokio::test]
async fn a_position_that_does_not_come_is_a_503_in_each_contracts_form() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let read = |path| Answer::to(client.request(Method::GET, path).header("Ledger-Min-Position", 1));
    let (history, stats) = tokio::join!(read(HISTORY), read(STATS));
    history.error(503);
    assert!(stats.clone().expect_status(503).json()["detail"].is_string(), "{}", stats.text);
    for answer in [history, stats] {
        assert!(answer.header("Retry-After").is_some(), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_is_no_position_is_refused_in_each_contracts_form() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for value in ["", "-1", "1.5", "latest", "0x1", "99999999999999999999"] {
        let read = |path| Answer::to(client.request(Method::GET, path).header("Ledger-Min-Position", value));
        let error = read(HISTORY).await.error(400);
        assert!(error.contains("Ledger-Min-Position"), "{value}: {error}");
        let body = read(STATS).await.expect_status(422).json();
        assert_eq!(body["detail"][0]["loc"], json!(["header", "Ledger-Min-Position"]), "{value}");
        assert_eq!(body["detail"][0]["type"], "int_parsing", "{value}");
    }
}
