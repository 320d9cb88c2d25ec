//! The log is read over HTTP in pages, and followed while it grows.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::events::{at, created, failed, started, succeeded, with};
use crate::support::{Answer, Client, Ledger, RawConnection, Server, check_documented, eventually, serve_workspace};

/// A bound on a stream that says nothing, longer than a few of its heartbeats.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A live tail, as a browser reads it.
struct Tail {
    response: Response,
    text: String,
    blocks: VecDeque<String>,
}

impl Tail {
    /// Follows, from after the event of that id if there is one, and reads the block that begins the stream.
    async fn open(client: &Client, query: &str, last_event_id: Option<&str>) -> Self {
        let request = client.request(Method::GET, &format!("/v1/events{query}")).header("Accept", "text/event-stream");
        let request = match last_event_id {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        };
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), 200);
        let mut tail = Self { response, text: String::new(), blocks: VecDeque::new() };
        let begin = tail.block().await.expect("the stream begins");
        assert!(begin.starts_with("retry: "), "{begin}");
        tail
    }

    /// The next block; `None` once the server has ended the stream in good order.
    async fn block(&mut self) -> Option<String> {
        while self.blocks.is_empty() {
            let chunk = tokio::time::timeout(SILENCE_MAX, self.response.chunk()).await.expect("there are heartbeats");
            let chunk = chunk.expect("the stream is not broken")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("events are cut between characters"));
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                self.blocks.push_back(block.to_owned());
                self.text = rest.to_owned();
            }
        }
        self.blocks.pop_front()
    }

    /// The next event, heartbeats passed over: its id, and its data.
    async fn event(&mut self) -> (String, Value) {
        loop {
            let block = self.block().await.expect("the stream goes on");
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let value = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                value.unwrap_or_else(|| panic!("{block} has no {name}"))
            };
            check_documented(&Method::GET, "/v1/events", 200, self.response.headers(), &block);
            let data: Value = serde_json::from_str(field("data")).expect("data is JSON");
            assert_eq!((field("event"), field("id")), (text(&data["kind"]), data["position"].to_string().as_str()));
            return (field("id").to_owned(), data);
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is text")
}

async fn page(client: &Client, query: &str) -> Answer {
    client.get(&format!("/v1/events{query}")).await.expect_status(200)
}

/// The whole log that the client sees, in pages of that size.
async fn lines(client: &Client, limit: usize) -> Vec<String> {
    let (mut lines, mut from) = (Vec::new(), 1);
    loop {
        let page = page(client, &format!("?from={from}&limit={limit}")).await;
        assert_eq!(page.header("Content-Type"), Some("application/x-ndjson"));
        lines.extend(page.text.lines().map(str::to_owned));
        from = page.header("Ledger-Next-Position").and_then(|next| next.parse().ok()).expect("it tells where to go on");
        if from > page.position() {
            return lines;
        }
    }
}

/// The line without what the ledger has put before the event.
fn sent(line: &str) -> String {
    let (_, event) = line.split_once(r#"Z","id":"#).expect("the event's own fields begin with its id");
    format!(r#"{{"id":{event}"#)
}

#[tokio::test]
async fn what_was_appended_is_read_back_byte_for_byte_and_can_be_appended_again() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let payload = r#"{"z":1.00,"a":[1e3,-0.0,123456789012345678901234567890],"s":"\u0041\/ ž 😀 \u2028"}"#;
    let around = r#""workspace_id":"ws_1","subscription_id":"whsub_1","delivery_id":"whdel_1""#;
    let when = r#""occurred_at":"2024-01-15T10:00:00.000001Z""#;
    let description = format!(r#""event_type":"contact.created","payload":{payload},"max_attempts":3"#);
    let headers = r#"{"retry-after":"60","x":"\""}"#;
    let events = [
        format!(r#"{{"id":"1","kind":"delivery.created",{around},{when},"data":{{{description}}}}}"#),
        format!(
            r#"{{"id":"2","kind":"attempt.started",{around},{when},"data":{{"attempt":1,"delivery":{{"created_at":"2024-01-15T10:00:00Z",{description}}}}}}}"#
        ),
        format!(
            r#"{{"id":"3","kind":"attempt.failed",{around},{when},"data":{{"attempt":1,"error":"HTTP 503","response_headers":{headers},"response_body":"bu\nsy","next_attempt_at":"2024-01-15T10:31:00Z"}}}}"#
        ),
        format!(
            r#"{{"id":"4","kind":"attempt.succeeded",{around},{when},"data":{{"attempt":2,"duration_ms":5,"response_status":200}}}}"#
        ),
        format!(
            r#"{{"id":"5","kind":"delivery.retry_scheduled",{around},{when},"data":{{"next_attempt_at":"2024-01-15T11:00:00Z"}}}}"#
        ),
        format!(r#"{{"id":"6","kind":"delivery.cancelled",{around},{when},"data":{{"reason":"gone"}}}}"#),
    ];
    for pair in events.chunks(2) {
        client.append_text("application/x-ndjson", pair.join("\n")).await.expect_status(200);
    }
    let log = lines(&client, 10_000).await;
    for limit in 1..=7 {
        assert_eq!(lines(&client, limit).await, log, "{limit}");
    }
    assert_eq!(log.iter().map(|line| sent(line)).collect::<Vec<_>>(), events);
    for (line, position) in log.iter().zip(1..) {
        assert!(line.starts_with(&format!(r#"{{"position":{position},"recorded_at":"20"#)), "{line}");
    }

    let again = client.append_text("application/x-ndjson", log.join("\n")).await.expect_status(200).json();
    assert_eq!((&again["appended"], &again["duplicates"]), (&json!(0), &json!(6)));
    let (_ledger, _server, other) = serve_workspace("ws_1").await;
    other.append_text("application/x-ndjson", log.join("\n")).await.expect_status(200);
    let copy = lines(&other, 4).await;
    assert_eq!(copy.iter().map(|line| sent(line)).collect::<Vec<_>>(), events);
}

#[tokio::test]
async fn filters_and_forms_are_the_readers_choice() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    for (second, subscription) in (0..).zip(["whsub_1", "whsub_2", "whsub_1"]) {
        let delivery = (subscription, if second == 2 { "b" } else { "a" });
        client.must_append(&json!([created(delivery, &at(second)), started(delivery, 1, &at(second))])).await;
    }
    let positions = async |query: &str| {
        let page = page(&client, query).await;
        let line = |line: &str| serde_json::from_str::<Value>(line).expect("a line is JSON");
        page.text.lines().map(|text| line(text)["position"].as_u64().expect("it has one")).collect::<Vec<_>>()
    };
    assert_eq!(positions("").await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(positions("?kind=attempt.started").await, [2, 4, 6]);
    assert_eq!(positions("?subscription_id=whsub_1&from=2").await, [2, 5, 6]);
    assert_eq!(positions("?workspace_id=ws_1&subscription_id=whsub_2&kind=delivery.created").await, [3]);

    let request = client.request(Method::GET, "/v1/events?from=6").header("Accept", "application/json");
    let answer = Answer::to(request).await.expect_status(200).json();
    assert_eq!((&answer["next_position"], &answer["head"]), (&json!(7), &json!(6)));
    assert_eq!((&answer["events"][0]["position"], &answer["events"][1]), (&json!(6), &Value::Null));

    let problem = client.get("/v1/events?kind=delivery.made").await.problem(422);
    assert_eq!(problem["field"], "kind");
    server.open_client().get("/v1/events").await.problem(401);
    Answer::to(client.request(Method::PUT, "/v1/events")).await.problem(405);
}

#[tokio::test]
async fn two_workspaces_see_nothing_of_each_other_in_pages_and_in_the_tail() {
    let ledger = Ledger::new();
    let tokens = ["ws_1", "ws_2"].map(|workspace| ledger.workspace_token(workspace));
    let (all, portal) = (ledger.token("--scope read"), ledger.token("--workspace ws_2 --subscription b --scope read"));
    let server = ledger.serve().await;
    let [first, second] = tokens.map(|token| server.client(&token));
    let (all, portal) = (server.client(&all), server.client(&portal));
    let mut tails = Vec::new();
    for client in [&first, &second, &portal] {
        tails.push(Tail::open(client, "", None).await);
    }
    for (n, client) in [&first, &second, &first, &second].into_iter().enumerate() {
        let subscription = if n < 2 { "a" } else { "b" };
        client.must_append(&created((subscription, &format!("whdel_{n}")), &at(0))).await;
    }
    let expected = [("ws_1", vec!["1", "3"]), ("ws_2", vec!["2", "4"]), ("ws_2", vec!["4"])];
    for (tail, (workspace, ids)) in tails.iter_mut().zip(expected) {
        for id in ids {
            let (found, event) = tail.event().await;
            assert_eq!((found.as_str(), text(&event["workspace_id"])), (id, workspace));
        }
    }
    assert_eq!([lines(&first, 1).await.len(), lines(&second, 1).await.len(), lines(&portal, 1).await.len()], [2, 2, 1]);
    assert_eq!((lines(&all, 3).await.len(), page(&all, "?workspace_id=ws_2").await.text.lines().count()), (4, 2));
    first.get("/v1/events?workspace_id=ws_2").await.problem(403);
    portal.get("/v1/events?subscription_id=a").await.problem(403);
}

#[tokio::test]
async fn a_follower_resumes_where_it_was_also_after_a_crash() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    let mut tail = Tail::open(&client, "", None).await;
    let attempts = |from: u32| (from..from + 5).map(|n| failed(("whsub_1", "a"), n, &at(n), n)).collect::<Vec<_>>();
    client.must_append(&json!(attempts(1))).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(tail.event().await);
    }
    server.kill9();

    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&json!(attempts(6))).await;
    let last = seen.last().expect("it has seen some").0.clone();
    let mut tail = Tail::open(&client, "?from=1", Some(&last)).await;
    client.must_append(&json!(attempts(11))).await;
    while seen.len() < 15 {
        seen.push(tail.event().await);
    }
    let attempts = seen.iter().map(|(_, event)| event["data"]["attempt"].as_u64().expect("it is a number"));
    assert!(attempts.eq(1..=15), "{seen:?}");
    assert!(seen.iter().map(|(id, _)| id.parse::<u64>().expect("it is a position")).eq(1..=15), "{seen:?}");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_and_holds_up_nobody() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    // Half of the connections may follow: the slow one, and the quick one.
    let serve = ledger.serve_with(|serve| serve.arg("--max-connections=5").arg("--request-timeout-seconds=1"));
    let server = serve.await;
    let client = server.client(&token);
    // More than all buffers on the way.
    let payload = json!({"s": "x".repeat(250 * 1024)});
    for n in 0..96 {
        let event = created(("whsub_1", &format!("whdel_{n}")), &at(n));
        let data = json!({"event_type": "contact.created", "payload": payload});
        client.must_append(&with(event, "data", data)).await;
    }
    let slow = stall(&server, &token.secret);
    let mut quick = Tail::open(&client, "?from=1", None).await;
    for position in 1..=96 {
        assert_eq!(quick.event().await.0, position.to_string());
    }
    eventually("the slow one makes room", async || {
        let request = client.request(Method::GET, "/v1/events").header("Accept", "text/event-stream");
        request.send().await.expect("the server answers").status() == 200
    })
    .await;
    client.must_append(&succeeded(("whsub_1", "whdel_0"), 1, &at(9), 5)).await;
    assert_eq!(quick.event().await.0, "97");
    drop(slow);
}

/// Follows from the beginning and reads nothing but the head.
fn stall(server: &Server, token: &str) -> RawConnection {
    let mut connection = RawConnection::open(server.address());
    connection.send(&format!(
        "GET /v1/events?from=1 HTTP/1.1\r\nhost: ledger\r\nauthorization: Bearer {token}\r\naccept: text/event-stream\r\n\r\n"
    ));
    let head = connection.read_head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    connection
}

#[tokio::test]
async fn a_follower_does_not_hold_up_the_end_of_the_server() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    // The grace is longer than a story waits.
    let server = ledger.serve_with(|serve| serve.arg("--shutdown-grace-seconds=600")).await;
    let client = server.client(&token);
    let mut tail = Tail::open(&client, "", None).await;
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    assert_eq!(tail.event().await.0, "1");
    server.terminate().await;
    assert_eq!(tail.block().await, None, "the stream ends in good order");
}

#[tokio::test]
async fn a_revoked_token_follows_no_more() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let mut tail = Tail::open(&server.client(&token), "", None).await;
    ledger.revoke(&token);
    while let Some(block) = tail.block().await {
        assert!(block.starts_with(':'), "{block}");
    }
}
