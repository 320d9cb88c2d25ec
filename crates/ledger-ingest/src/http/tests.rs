//! What cannot be brought about from outside: a log that stopped, and more requests than are held.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{Request, StatusCode};
use ledger_auth::{Grant, Reach, Scopes, TokenRecord, TokenSet};
use ledger_log::{EventLog, MemoryLog};
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::IngestOptions;

const EVENT: &str =
    r#"{"kind":"attempt.started","workspace_id":"w","subscription_id":"s","delivery_id":"d","data":{"attempt":1}}"#;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-15T10:30:00Z").expect("it is a time")
}

/// The write side onto a log, and a token that may append.
fn write_side(log: Arc<MemoryLog>) -> (IngestHttp, String) {
    held_write_side(log, watch::channel(false).1, Duration::from_secs(30))
}

fn held_write_side(
    log: Arc<MemoryLog>,
    is_held: watch::Receiver<bool>,
    request_timeout: Duration,
) -> (IngestHttp, String) {
    let scopes = Scopes::new([Scope::Append]).expect("it has one");
    let grant = Grant { reach: Reach::All, scopes, expires_at: None };
    let (secret, record) = TokenRecord::issue(grant, now()).expect("there is randomness");
    let tokens = Tokens::new(TokenSet::new(vec![record]).expect("one token is a set"));
    let ingest = Ingest::new(log, IngestOptions { text_cut_bytes: 1024, now });
    let options = IngestHttpOptions { now, bodies_max_bytes: 0, request_timeout };
    (IngestHttp::new(ingest, tokens, options, is_held), format!("Bearer {}", secret.expose()))
}

async fn send(side: &IngestHttp, token: &str, body: Body) -> (Response, Value) {
    let request = Request::post("/v1/events").header(AUTHORIZATION, token).header(CONTENT_TYPE, "application/json");
    let request = request.body(body).expect("it is a request");
    let response = side.clone().router().oneshot(request).await.expect("a router does not fail");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("it has a body");
    let json = serde_json::from_slice(&bytes).expect("it is JSON");
    (Response::from_parts(parts, Body::empty()), json)
}

#[tokio::test]
async fn a_log_that_stopped_takes_nothing_and_says_so() {
    let log = Arc::new(MemoryLog::new());
    let (side, token) = write_side(log.clone());
    log.stop("the disk is full");
    let (response, problem) = send(&side, &token, Body::from(EVENT)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("cannot write its log")));
    assert_eq!(side.ingest.counters().snapshot().refused_requests, 1);
}

#[tokio::test]
async fn requests_beyond_the_bound_are_told_to_come_back_and_leave_room_when_done() {
    let (side, token) = write_side(Arc::new(MemoryLog::new()));
    let free = side.room.free_units();
    let mut others = side.room.take();
    others.grow_to(REQUEST_MAX_BYTES).expect("nothing else is in flight");
    let (response, _) = send(&side, &token, Body::from(EVENT)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(RETRY_AFTER));
    drop(others);
    let (response, answer) = send(&side, &token, Body::from(EVENT)).await;
    assert_eq!((response.status(), &answer["appended"]), (StatusCode::OK, &Value::from(1)));
    assert_eq!(side.room.free_units(), free);
}

#[tokio::test]
async fn a_request_that_is_held_too_long_is_told_to_come_back() {
    let (_hold, is_held) = watch::channel(true);
    let (side, token) = held_write_side(Arc::new(MemoryLog::new()), is_held, Duration::ZERO);
    let (response, problem) = send(&side, &token, Body::from(EVENT)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("too far behind")));
}

#[tokio::test]
async fn a_request_that_is_held_goes_on_when_it_is_let_go() {
    let (hold, is_held) = watch::channel(true);
    let log = Arc::new(MemoryLog::new());
    let (side, token) = held_write_side(log.clone(), is_held, Duration::from_secs(30));
    let let_go = async {
        tokio::task::yield_now().await;
        assert_eq!(log.head().position, Position::START, "it waits");
        hold.send_replace(false);
    };
    let ((response, answer), ()) = tokio::join!(send(&side, &token, Body::from(EVENT)), let_go);
    assert_eq!((response.status(), &answer["appended"]), (StatusCode::OK, &Value::from(1)));

    hold.send_replace(true);
    drop(hold);
    let (response, _) = send(&side, &token, Body::from(EVENT)).await;
    assert_eq!(response.status(), StatusCode::OK, "nobody would let it go");
}

#[tokio::test]
async fn a_body_takes_room_as_it_arrives_and_not_what_it_might_become() {
    let (side, _) = write_side(Arc::new(MemoryLog::new()));
    let free = side.room.free_units();
    let mut taken = side.room.take();
    taken.grow_to(10).expect("there is room");
    assert_eq!(side.room.free_units(), free - 1);
    taken.grow_to(1024).expect("it is there already");
    assert_eq!(side.room.free_units(), free - 1);
    taken.grow_to(1025).expect("there is room");
    assert_eq!(side.room.free_units(), free - 2);
    drop(taken);
    assert_eq!(side.room.free_units(), free);
}

#[tokio::test]
async fn a_body_that_does_not_say_its_length_is_bounded_while_it_is_read() {
    let (side, token) = write_side(Arc::new(MemoryLog::new()));
    let (response, problem) = send(&side, &token, Body::from(vec![b' '; REQUEST_MAX_BYTES + 1])).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(problem["bound"], "at most 16777216 bytes");
}
