//! What an append is refused for, how that is told, and that nothing of a refused request is stored.

use serde_json::{Value, json};

use crate::support::events::{at, created, event, started, succeeded, with, without};
use crate::support::{Answer, Ledger, RawConnection, Server, Token, eventually, poll, serve_workspace};

const DELIVERY: (&str, &str) = ("whsub_1", "whdel_1");
const JSON: &str = "application/json";

/// `attempt.started` of the first delivery, with that data.
fn started_with(data: Value) -> Value {
    event("attempt.started", DELIVERY, &at(1), data)
}

/// `delivery.created` with that payload.
fn created_with(payload: &Value) -> Value {
    event("delivery.created", DELIVERY, &at(0), json!({"event_type": "a", "payload": payload}))
}

#[tokio::test]
async fn one_bad_event_refuses_the_request_and_nothing_of_it_is_stored() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let bad = with(started(DELIVERY, 1, &at(1)), "data", json!({"attempt": 0}));
    let events = json!([created(DELIVERY, &at(0)), bad, started(DELIVERY, 2, &at(2))]);
    let problem = client.append(&events).await.problem(422);
    assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!("data.attempt")));
    assert_eq!(problem["bound"], "an integer from 1 to 1000");

    let answer = client.must_append(&created(DELIVERY, &at(0))).await.json();
    assert_eq!(answer["first_position"], 1, "no position was given away: {answer}");
}

#[tokio::test]
async fn what_is_not_json_is_a_400_that_names_the_event_of_a_line() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for body in ["", "{", "[", "[{},", "nonsense", "{\"id\":\"\u{1}\"}"] {
        client.append_text(JSON, body).await.problem(400);
    }
    client.append_text(JSON, vec![b'{', b'"', 0xff, b'"']).await.problem(400);
    let lines = format!("{}\n\n{{\"id\"\n", created(DELIVERY, &at(0)));
    let problem = client.append_text("application/x-ndjson", lines).await.problem(400);
    assert_eq!((&problem["index"], &problem["line"]), (&json!(1), &json!(3)));
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
}

#[tokio::test]
async fn without_a_valid_token_it_is_a_401_with_a_challenge() {
    let (_ledger, server, _client) = serve_workspace("ws_1").await;
    let unknown = format!("hl_{}", "a".repeat(43));
    let callers = [None, Some(""), Some("nonsense"), Some(unknown.as_str())];
    for token in callers {
        let request = server.open_client().request(reqwest::Method::POST, "/v1/events").body("{}");
        let request = match token {
            Some(token) => request.header("X-API-Key", token),
            None => request,
        };
        let answer = Answer::to(request).await;
        answer.problem(401);
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "{token:?}: {challenge}");
    }
}

#[tokio::test]
async fn without_the_scope_or_for_another_workspace_it_is_a_403() {
    let ledger = Ledger::new();
    let reader = ledger.token("--workspace ws_1 --scope read --scope admin");
    let writer = ledger.token("--workspace ws_1 --scope append");
    let server = ledger.serve().await;
    server.client(&reader).append(&created(DELIVERY, &at(0))).await.problem(403);

    let foreign = with(created(DELIVERY, &at(0)), "workspace_id", "ws_2");
    let client = server.client(&writer);
    let problem = client.append(&json!([created(DELIVERY, &at(0)), foreign])).await.problem(403);
    assert_eq!(problem["index"], 1);
    assert_eq!(client.must_append(&created(DELIVERY, &at(0))).await.json()["first_position"], 1);
}

#[tokio::test]
async fn an_id_used_again_for_other_content_is_a_409_and_refuses_the_request() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(DELIVERY, &at(0))).await;
    let fresh = created(("whsub_1", "whdel_2"), &at(1));
    let reused = with(started(DELIVERY, 1, &at(1)), "id", "whsub_1/whdel_1/delivery.created/0");
    let problem = client.append(&json!([fresh, reused])).await.problem(409);
    assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!("id")));
    let other_time = created(DELIVERY, &at(1));
    client.append(&other_time).await.problem(409);

    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 1);
    let answer = client.must_append(&fresh).await.json();
    assert_eq!((&answer["appended"], &answer["first_position"]), (&json!(1), &json!(2)));

    let twice = json!([started(DELIVERY, 7, &at(1)), with(started(DELIVERY, 7, &at(1)), "occurred_at", at(2))]);
    assert_eq!(client.append(&twice).await.problem(409)["index"], 1, "within one request too");
}

#[tokio::test]
async fn the_same_id_in_another_workspace_is_another_event() {
    let ledger = Ledger::new();
    let all = ledger.token("--scope append --scope read");
    let server = ledger.serve().await;
    let client = server.client(&all);
    client.must_append(&with(created(DELIVERY, &at(0)), "workspace_id", "ws_1")).await;
    let answer = client.must_append(&with(created(DELIVERY, &at(9)), "workspace_id", "ws_2")).await.json();
    assert_eq!(answer["appended"], 1);
}

#[tokio::test]
async fn too_many_bytes_are_a_413_before_they_are_sent() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let mut connection = RawConnection::open(server.address());
    connection.send_append_head(&token.secret, &[("content-length", "16777217")]);
    let head = connection.read_head();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    let problem: Value = serde_json::from_str(&connection.read_rest()).expect("it is a problem document");
    assert_eq!(problem["bound"], "at most 16777216 bytes");
}

#[tokio::test]
async fn too_many_bytes_are_a_413_also_when_their_number_is_not_told() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let mut connection = RawConnection::open(server.address());
    connection.send_append_head(&token.secret, &[("transfer-encoding", "chunked")]);
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1024 * 1024));
    for _ in 0..16 {
        connection.send(&chunk);
    }
    connection.send("1\r\n \r\n");
    let head = connection.read_head();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

/// Sends a request of maximal size but for its last byte.
fn send_all_but_the_end(server: &Server, token: &Token) -> RawConnection {
    let mut slow = RawConnection::open(server.address());
    slow.send_append_head(&token.secret, &[("content-length", "16777216"), ("expect", "100-continue")]);
    let admitted = slow.read_head();
    assert!(admitted.starts_with("HTTP/1.1 100 "), "{admitted}");
    slow.send(&" ".repeat(16_777_215));
    slow
}

#[tokio::test]
async fn who_comes_when_the_ledger_has_all_it_holds_in_hand_is_told_to_come_back() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve_with(|serve| serve.arg("--append-queue-bytes=16777216")).await;
    let client = server.client(&token);
    let event = created(DELIVERY, &at(0));
    // An append that is under way while the slow body takes its last room makes that body the one without: then again.
    let (slow, answer) = poll("what was sent takes all the room", async || {
        let slow = send_all_but_the_end(&server, &token);
        for _ in 0..20 {
            let answer = client.append(&event).await;
            if answer.status != 200 {
                return Some((slow, answer));
            }
        }
        None
    })
    .await;
    answer.problem(503);
    assert!(answer.header("Retry-After").is_some(), "{}", answer.text);
    client.history("workspace_id=ws_1").await.expect_status(200);
    drop(slow);
    eventually("there is room again", async || client.append(&event).await.status == 200).await;
}

#[tokio::test]
async fn too_many_events_are_a_413_in_both_forms() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let events: Vec<_> = (0..10_001).map(|n| created(("whsub_1", &format!("whdel_{n}")), &at(0))).collect();
    let lines: Vec<_> = events.iter().map(Value::to_string).collect();
    let answers =
        [client.append(&events.into()).await, client.append_text("application/x-ndjson", lines.join("\n")).await];
    for answer in answers {
        assert_eq!(answer.problem(413)["bound"], "at most 10000 events");
    }
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
}

#[tokio::test]
async fn another_media_type_is_a_415_that_names_those_that_are_read() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let body = created(DELIVERY, &at(0)).to_string();
    for media_type in ["text/plain", "application/xml", "application/jsonl", "application/x-www-form-urlencoded"] {
        let problem = client.append_text(media_type, body.clone()).await.problem(415);
        let detail = problem["detail"].as_str().expect("it is text");
        assert!(detail.contains("application/json") && detail.contains("application/x-ndjson"), "{detail}");
    }
    let post = || client.request(reqwest::Method::POST, "/v1/events").body(body.clone());
    Answer::to(post()).await.problem(415);
    let packed = post().header("Content-Type", JSON).header("Content-Encoding", "br");
    Answer::to(packed).await.problem(415);
}

#[tokio::test]
async fn another_method_is_a_405_that_names_the_right_one() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let answer = Answer::to(client.request(reqwest::Method::DELETE, "/v1/events")).await;
    answer.problem(405);
    assert!(answer.header("Allow").unwrap_or_default().contains("POST"), "{:?}", answer.header("Allow"));
}

#[tokio::test]
async fn a_field_out_of_its_bounds_is_a_422_that_names_it_and_the_bound() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let sound = || created(DELIVERY, &at(0));
    let finished = |field: &str, value: Value| {
        let mut event = succeeded(DELIVERY, 1, &at(1), 5);
        event["data"][field] = value;
        event
    };
    let refusals = [
        (with(sound(), "id", ""), "id", "255"),
        (with(sound(), "id", "x".repeat(256)), "id", "255"),
        (with(sound(), "subscription_id", "a\u{7}b"), "subscription_id", "none"),
        (with(sound(), "delivery_id", "x".repeat(256)), "delivery_id", "255"),
        (with(sound(), "workspace_id", ""), "workspace_id", "255"),
        (with(sound(), "occurred_at", "9999-01-01T00:00:00Z"), "occurred_at", "24 h"),
        (created_with(&json!({"p": "x".repeat(256 * 1024)})), "data.payload", "262144"),
        (started_with(json!({"attempt": 1001})), "data.attempt", "1 to 1000"),
        (started_with(json!({"attempt": -1})), "data.attempt", "1 to 1000"),
        (started_with(json!({"attempt": 1.5})), "data.attempt", "1 to 1000"),
        (started_with(json!({"attempt": "1"})), "data.attempt", "1 to 1000"),
        (started_with(json!({"attempt": 1, "url": "x".repeat(2049)})), "data.url", "2048"),
        (finished("duration_ms", json!(86_400_001)), "data.duration_ms", "86400000"),
        (finished("duration_ms", json!(-1)), "data.duration_ms", "86400000"),
        (finished("response_status", json!(99)), "data.response_status", "100 to 999"),
        (finished("response_status", json!(1000)), "data.response_status", "100 to 999"),
    ];
    for (event, field, bound) in refusals {
        let problem = client.append(&json!([sound(), event])).await.problem(422);
        assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!(field)), "{problem}");
        let told = problem["bound"].as_str().unwrap_or_default();
        assert!(told.contains(bound), "the bound of {field} is not told: {problem}");
    }
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_a_422_that_names_the_bound() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("h{n}"), json!("v"))).collect();
    for (headers, bound) in [(many.into(), "64"), (json!({"h": "x".repeat(8 * 1024)}), "8192")] {
        let event = started_with(json!({"attempt": 1, "request_headers": headers}));
        let problem = client.append(&event).await.problem(422);
        assert_eq!((&problem["index"], &problem["field"]), (&json!(0), &json!("data.request_headers")), "{problem}");
        assert!(problem["bound"].as_str().unwrap_or_default().contains(bound), "{problem}");
    }
}

#[tokio::test]
async fn a_field_that_is_missing_unknown_or_of_another_form_is_a_422_that_names_it() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let sound = || created(DELIVERY, &at(0));
    let described = json!({"created_at": at(0), "event_type": "a", "payload": {}, "colour": 1});
    let refusals = [
        (without(sound(), "kind"), "kind"),
        (without(sound(), "subscription_id"), "subscription_id"),
        (without(sound(), "delivery_id"), "delivery_id"),
        (without(sound(), "data"), "data.event_type"),
        (with(sound(), "occurred_at", "yesterday"), "occurred_at"),
        (created_with(&json!([1])), "data.payload"),
        (created_with(&json!("{}")), "data.payload"),
        (with(sound(), "kind", "delivery.vanished"), "kind"),
        (with(sound(), "colour", "red"), "colour"),
        (with(sound(), "data", json!({"event_type": "a", "payload": {}, "colour": 1})), "data.colour"),
        (with(sound(), "data", json!({"event_type": "a"})), "data.payload"),
        (with(sound(), "data", json!({"event_type": "a", "payload": {}, "attempt": 1})), "data.attempt"),
        (started_with(json!({"attempt": 1, "delivery": described})), "data.delivery.colour"),
        (started_with(json!({"attempt": 1, "delivery": {"event_type": "a"}})), "data.delivery.created_at"),
        (event("attempt.failed", DELIVERY, &at(1), json!({"attempt": 1})), "data.error"),
        (event("delivery.cancelled", DELIVERY, &at(1), json!({})), "data.reason"),
        (event("delivery.retry_scheduled", DELIVERY, &at(1), json!({})), "data.next_attempt_at"),
    ];
    for (event, field) in refusals {
        let problem = client.append(&event).await.problem(422);
        assert_eq!((&problem["index"], &problem["field"]), (&json!(0), &json!(field)), "{problem}");
        let detail = problem["detail"].as_str().expect("it is text");
        assert!(detail.contains(field), "{detail}");
    }
}

#[tokio::test]
async fn a_request_without_events_is_a_422() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    client.append(&json!([])).await.problem(422);
    client.append_text("application/x-ndjson", "\n\n").await.problem(422);
    for body in ["7", "null", "\"text\"", "[7]", "[[]]"] {
        client.append_text(JSON, body).await.problem(422);
    }
}
