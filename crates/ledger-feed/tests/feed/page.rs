//! Pages: what they hold, who sees what, where they end.

use http::header::{ACCEPT, AUTHORIZATION};
use ledger_auth::{Reach, Scope};
use ledger_event::limits::PAYLOAD_MAX_BYTES;
use serde_json::{Value, json};

use crate::support::{Fixture, created, started, subscription, workspace};

const S: (&str, &str) = ("ws_1", "sub_1");

#[tokio::test]
async fn an_event_is_a_line_as_ingest_takes_it_with_its_place_in_the_log() {
    let fixture = Fixture::new();
    let payload = r#"{"b":1.00,"a":"\u00e9 \"\n","n":12345678901234567890123}"#;
    fixture.append([created(S, 1, payload)]).await;
    let page = fixture.page("").await;
    assert_eq!((page.head, page.next, page.content_type.as_str()), (Some(1), Some(2), "application/x-ndjson"));
    let line = page.text.strip_suffix('\n').expect("a line ends");
    let (before, event) = line.split_once(r#","id":"#).expect("the event's own fields come last");
    assert!(before.starts_with(r#"{"position":1,"recorded_at":""#), "{before}");
    let rest = format!(
        r#""evt_1","kind":"delivery.created","workspace_id":"ws_1","subscription_id":"sub_1","delivery_id":"del_1","occurred_at":"2026-01-15T10:30:00Z","data":{{"event_type":"contact.created","payload":{payload},"max_attempts":10}}}}"#
    );
    assert_eq!(event, rest);
}

#[tokio::test]
async fn a_json_page_holds_the_same_events() {
    let fixture = Fixture::new();
    let json = [(ACCEPT, "application/json")];
    let empty: Value = serde_json::from_str(&fixture.page_with("", &json).await.text).expect("it is JSON");
    assert_eq!(empty, json!({"events": [], "next_position": 1, "head": 0}));

    fixture.append([created(S, 1, "{}"), started(S, 2), started(S, 3)]).await;
    let lines = fixture.page("?limit=2").await.text;
    let page = fixture.page_with("?limit=2", &json).await;
    assert_eq!((page.head, page.next, page.content_type.as_str()), (Some(3), Some(3), "application/json"));
    let events: Vec<&str> = lines.lines().collect();
    assert_eq!(page.text, format!("{{\"events\":[{}],\"next_position\":3,\"head\":3}}\n", events.join(",")));
}

#[tokio::test]
async fn pages_of_any_size_join_to_the_whole_log() {
    let fixture = Fixture::new();
    for chunk in 0..7 {
        fixture.append((0..=chunk).map(|n| started(S, 10 * chunk + n))).await;
    }
    let whole = fixture.page("").await;
    assert_eq!(whole.positions(), (1..=28).collect::<Vec<_>>());
    for limit in [1, 2, 3, 7, 27, 28, 10_000] {
        let (mut joined, mut from) = (String::new(), 1);
        while from <= 28 {
            let page = fixture.page(&format!("?limit={limit}&from={from}")).await;
            joined.push_str(&page.text);
            from = page.next.expect("a page tells where to go on");
        }
        assert_eq!((joined, from), (whole.text.clone(), 29), "{limit}");
    }
    let beyond = fixture.page("?from=100").await;
    assert_eq!((beyond.positions(), beyond.head, beyond.next), (vec![], Some(28), Some(100)));
}

#[tokio::test]
async fn filters_pass_over_what_is_not_asked_for() {
    let fixture = Fixture::new();
    for (number, workspace) in (0..).zip(["ws_1", "ws_2"]) {
        for (step, subscription) in (0..).zip(["sub_1", "sub_2"]) {
            let n = 10 * number + 2 * step;
            let scope = (workspace, subscription);
            fixture.append([created(scope, n, "{}"), started(scope, n + 1)]).await;
        }
    }
    for (query, positions) in [
        ("?workspace_id=ws_2", vec![5, 6, 7, 8]),
        ("?subscription_id=sub_1", vec![1, 2, 5, 6]),
        ("?kind=attempt.started", vec![2, 4, 6, 8]),
        ("?workspace_id=ws_1&subscription_id=sub_2&kind=delivery.created", vec![3]),
        ("?workspace_id=ws_3", vec![]),
        ("?workspace_id=ws_2&from=6", vec![6, 7, 8]),
        ("?unknown=1&kind=attempt.started&from=8", vec![8]),
    ] {
        let page = fixture.page(query).await;
        assert_eq!((page.positions(), page.next), (positions, Some(9)), "{query}");
    }
    assert_eq!(fixture.page("?workspace_id=ws_2&limit=1").await.next, Some(6));
}

#[tokio::test]
async fn a_token_sees_what_it_reaches_and_names_nothing_else() {
    let fixture = Fixture::new();
    fixture.append([started(S, 1), started(("ws_1", "sub_2"), 2), started(("ws_2", "sub_1"), 3)]).await;
    let cases = [
        (Reach::All, "", Some(vec![1, 2, 3])),
        (workspace("ws_1"), "", Some(vec![1, 2])),
        (workspace("ws_1"), "?workspace_id=ws_1&subscription_id=sub_2", Some(vec![2])),
        (workspace("ws_1"), "?workspace_id=ws_2", None),
        (subscription("ws_1", "sub_1"), "", Some(vec![1])),
        (subscription("ws_1", "sub_1"), "?subscription_id=sub_1", Some(vec![1])),
        (subscription("ws_1", "sub_1"), "?subscription_id=sub_2", None),
        (subscription("ws_1", "sub_1"), "?workspace_id=ws_2", None),
        (workspace("ws_3"), "", Some(vec![])),
    ];
    for (reach, query, positions) in cases {
        let token = fixture.token(reach.clone(), Scope::Read);
        let page = fixture.page_with(query, &[(AUTHORIZATION, &token)]).await;
        match positions {
            Some(positions) => assert_eq!((page.positions(), page.next), (positions, Some(4)), "{reach:?} {query}"),
            None => drop(page.problem(403)),
        }
    }
}

#[tokio::test]
async fn a_reader_needs_a_token_and_its_scope() {
    let fixture = Fixture::new();
    fixture.page_with("", &[(AUTHORIZATION, "Bearer nonsense")]).await.problem(401);
    for scope in [Scope::Append, Scope::Admin] {
        let token = fixture.token(Reach::All, scope);
        fixture.page_with("", &[(AUTHORIZATION, &token)]).await.problem(403);
        // Before its parameters are looked at.
        fixture.page_with("?from=x", &[(AUTHORIZATION, &token)]).await.problem(403);
    }
}

#[tokio::test]
async fn a_bad_parameter_is_named_with_its_bound() {
    let fixture = Fixture::new();
    let position = "an integer from 1 to 9223372036854775807";
    let limit = "an integer from 1 to 10000";
    let id = "1 to 255 bytes without control characters";
    let long = format!("?workspace_id={}", "x".repeat(256));
    let cases = [
        ("?from=0", "from", position),
        ("?from=", "from", position),
        ("?from=-1", "from", position),
        ("?from=9223372036854775808", "from", position),
        ("?limit=0", "limit", limit),
        ("?limit=10001", "limit", limit),
        ("?limit=ten", "limit", limit),
        ("?limit=1&limit=1", "limit", "at most once"),
        ("?subscription_id=%00", "subscription_id", id),
        (&long, "workspace_id", id),
    ];
    for (query, field, bound) in cases {
        let problem = fixture.page(query).await.problem(422);
        assert_eq!((&problem["field"], &problem["bound"]), (&json!(field), &json!(bound)), "{query}");
    }
    let problem = fixture.page("?kind=delivery.made").await.problem(422);
    assert_eq!(problem["field"], "kind");
    let choices = problem["bound"].as_str().expect("it is text");
    assert!(choices.starts_with("one of delivery.created, ") && choices.ends_with(", delivery.cancelled"), "{choices}");
    fixture.page("?workspace_id=%ff").await.problem(422);
    fixture.page_with("", &[(ACCEPT, "text/html")]).await.problem(406);
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_tells_where_to_go_on() {
    let fixture = Fixture::new();
    let payload = format!(r#"{{"s":"{}"}}"#, "x".repeat(PAYLOAD_MAX_BYTES - r#"{"s":""}"#.len()));
    for number in 0..40 {
        fixture.append([created(S, number, &payload)]).await;
    }
    let (mut positions, mut from) = (Vec::new(), 1);
    while from <= 40 {
        let page = fixture.page(&format!("?from={from}")).await;
        assert!(page.text.len() < 5 << 20, "{} bytes", page.text.len());
        positions.extend(page.positions());
        from = page.next.expect("a page tells where to go on");
    }
    assert_eq!(positions, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_filter_that_finds_nothing_stops_looking_and_tells_where_to_go_on() {
    let fixture = Fixture::new();
    for chunk in 0..6 {
        fixture.append((0..10_000).map(|n| started(S, 10_000 * chunk + n))).await;
    }
    fixture.append([started(("ws_2", "sub_1"), 1)]).await;
    let page = fixture.page("?workspace_id=ws_2").await;
    assert_eq!((page.positions(), page.next, page.head), (vec![], Some(50_001), Some(60_001)));
    let page = fixture.page("?workspace_id=ws_2&from=50001").await;
    assert_eq!((page.positions(), page.next), (vec![60_001], Some(60_002)));
}
