//! The live tail: what it begins with, what it shows, how it ends.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::HeaderName;
use http::header::{ACCEPT, AUTHORIZATION, RETRY_AFTER};
use ledger_auth::{Scope, TokenSet};
use ledger_event::Timestamp;
use tokio::time::{Instant, sleep};

use crate::support::{FOLLOWERS_MAX, Fixture, Page, STALL_TIMEOUT, created, now, started, subscription, workspace};

const S: (&str, &str) = ("ws_1", "sub_1");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const HEARTBEAT: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_follower_sees_what_is_appended_after_it_came() {
    let fixture = Fixture::new();
    fixture.append([started(S, 1)]).await;
    let mut tail = fixture.tail("", &[]).await;
    assert_eq!(tail.block().await.as_deref(), Some("retry: 1000\nid: 1"));
    for number in 2..5 {
        fixture.append([created(S, number, r#"{"n":1.0}"#)]).await;
        let line = fixture.page(&format!("?from={number}")).await.text;
        let block = format!("id: {number}\nevent: delivery.created\ndata: {}", line.trim_end());
        assert_eq!(tail.block().await, Some(block));
    }
}

#[tokio::test]
async fn it_starts_where_it_is_asked_to_and_the_last_event_id_wins() {
    let fixture = Fixture::new();
    fixture.append((0..5).map(|number| started(S, number))).await;
    for (query, last_event_id, first) in [("?from=1", "", 1), ("?from=4", "", 4), ("?from=1", "2", 3), ("", "0", 1)] {
        // An empty id is none.
        let headers = &[(LAST_EVENT_ID, last_event_id)];
        let mut tail = fixture.tail(query, headers).await;
        assert_eq!(tail.block().await, Some(format!("retry: 1000\nid: {}", first - 1)));
        for position in first..=5 {
            assert_eq!(tail.position().await, Some(position));
        }
    }
    for id in ["6", "x", "-1"] {
        let headers = [(ACCEPT, "text/event-stream"), (LAST_EVENT_ID, id)];
        assert_eq!(fixture.page_with("", &headers).await.problem(422)["field"], "Last-Event-ID");
    }
}

#[tokio::test]
async fn a_follower_that_is_cut_off_anywhere_resumes_without_gap_or_repetition() {
    let fixture = Fixture::new();
    for chunk in 0..10 {
        fixture.append((0..10).map(|n| started(S, 10 * chunk + n))).await;
    }
    let (mut seen, mut last) = (Vec::new(), "0".to_owned());
    for taken in [1, 9, 10, 25, 55] {
        let mut tail = fixture.tail("", &[(LAST_EVENT_ID, &last)]).await;
        tail.block().await.expect("it begins");
        for _ in 0..taken {
            seen.push(tail.position().await.expect("it goes on"));
        }
        last = seen.last().expect("there is one").to_string();
    }
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_follower_sees_what_its_token_reaches() {
    let fixture = Fixture::new();
    let cases = [(workspace("ws_2"), "", [2, 3]), (subscription("ws_2", "sub_2"), "", [3, 4])];
    fixture.append([started(S, 1), started(("ws_2", "sub_1"), 2), started(("ws_2", "sub_2"), 3)]).await;
    fixture.append([started(("ws_2", "sub_2"), 4), started(S, 5)]).await;
    for (reach, query, positions) in cases {
        let token = fixture.token(reach, Scope::Read);
        let mut tail = fixture.tail(query, &[(AUTHORIZATION, &token), (LAST_EVENT_ID, "0")]).await;
        tail.block().await.expect("it begins");
        for position in positions {
            assert_eq!(tail.position().await, Some(position));
        }
    }
    let mut tail = fixture.tail("?from=1&kind=attempt.started&workspace_id=ws_1", &[]).await;
    tail.block().await.expect("it begins");
    assert_eq!((tail.position().await, tail.position().await), (Some(1), Some(5)));
    let token = fixture.token(workspace("ws_2"), Scope::Read);
    let headers = [(AUTHORIZATION, token.as_str()), (ACCEPT, "text/event-stream")];
    fixture.page_with("?workspace_id=ws_1", &headers).await.problem(403);
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_a_heartbeat() {
    let fixture = Fixture::new();
    let mut tail = fixture.tail("", &[]).await;
    assert_eq!(tail.block().await.as_deref(), Some("retry: 1000\nid: 0"));
    let mut begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(tail.block().await.as_deref(), Some(": heartbeat"));
        assert_eq!(begun.elapsed().as_secs(), HEARTBEAT.as_secs());
        begun = Instant::now();
    }
    // An event puts it off.
    sleep(HEARTBEAT / 2).await;
    fixture.append([started(S, 1)]).await;
    assert_eq!(tail.position().await, Some(1));
    begun = Instant::now();
    assert_eq!(tail.block().await.as_deref(), Some(": heartbeat"));
    assert_eq!(begun.elapsed().as_secs(), HEARTBEAT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_tells_how_far_a_filter_has_looked() {
    let fixture = Fixture::new();
    let mut tail = fixture.tail("?workspace_id=ws_2", &[]).await;
    tail.block().await.expect("it begins");
    fixture.append([started(S, 1), started(S, 2)]).await;
    assert_eq!(tail.block().await.as_deref(), Some(": heartbeat\nid: 2"));
    assert_eq!(tail.block().await.as_deref(), Some(": heartbeat"));
    fixture.append([started(("ws_2", "s"), 3), started(S, 4)]).await;
    assert_eq!(tail.position().await, Some(3));
    assert_eq!(tail.block().await.as_deref(), Some(": heartbeat\nid: 4"));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_ends_the_stream() {
    let fixture = Fixture::new();
    let (id, token) = fixture.issue(workspace("ws_1"), Scope::Read, None);
    let mut tail = fixture.tail("", &[(AUTHORIZATION, &token)]).await;
    let mut other = fixture.tail("", &[]).await;
    for tail in [&mut tail, &mut other] {
        tail.block().await.expect("it begins");
    }
    let mut set = TokenSet::clone(&fixture.tokens.current());
    set.revoke(&id, now()).expect("it is there");
    fixture.tokens.swap(set);
    let revoked = Instant::now();
    assert_eq!(tail.block().await, None);
    assert!(revoked.elapsed() <= Duration::from_secs(1));
    fixture.append([started(S, 1)]).await;
    assert_eq!(other.position().await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_time_is_over_ends_the_stream() {
    static CLOCK_US: AtomicI64 = AtomicI64::new(0);
    fn clock() -> Timestamp {
        Timestamp::from_micros(CLOCK_US.load(Ordering::SeqCst)).expect("it is a time")
    }
    CLOCK_US.store(now().as_micros(), Ordering::SeqCst);
    let fixture = Fixture::with_clock(clock);
    let until = Timestamp::from_micros(now().as_micros() + 1).expect("it is a time");
    let (_, token) = fixture.issue(workspace("ws_1"), Scope::Read, Some(until));
    let mut tail = fixture.tail("", &[(AUTHORIZATION, &token)]).await;
    tail.block().await.expect("it begins");
    assert_eq!(tail.block().await.as_deref(), Some(": heartbeat"));
    CLOCK_US.store(until.as_micros(), Ordering::SeqCst);
    assert_eq!(tail.block().await, None);
}

#[tokio::test]
async fn the_end_of_the_server_ends_every_stream() {
    let fixture = Fixture::new();
    let mut tails = [fixture.tail("", &[]).await, fixture.tail("?from=1", &[]).await];
    for tail in &mut tails {
        tail.block().await.expect("it begins");
    }
    fixture.stopping.send_replace(true);
    for tail in &mut tails {
        assert_eq!(tail.block().await, None);
    }
    assert!(fixture.tail("", &[]).await.block().await.is_none_or(|block| block.starts_with("retry: ")));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_dropped_and_harms_nobody() {
    let fixture = Fixture::new();
    let payload = format!(r#"{{"s":"{}"}}"#, "x".repeat(50_000));
    for number in 0..20 {
        fixture.append([created(S, number, &payload)]).await;
    }
    let mut slow = fixture.tail("?from=1", &[]).await;
    assert!(slow.block().await.is_some());
    let mut quick = fixture.tail("?from=1", &[]).await;
    quick.block().await.expect("it begins");
    for position in 1..=20 {
        assert_eq!(quick.position().await, Some(position));
    }
    // What comes meanwhile, and the wait, are nothing to the quick one.
    sleep(STALL_TIMEOUT * 2).await;
    fixture.append([started(S, 20)]).await;
    while let Some(block) = quick.block().await {
        if block.starts_with("id: 21\n") {
            break;
        }
    }
    let mut taken = 0;
    while slow.block().await.is_some() {
        taken += 1;
    }
    assert!((1..5).contains(&taken), "it got {taken} events of what was waiting for it, and its end");
    // A reader that takes things slowly stays.
    let mut patient = fixture.tail("?from=1", &[]).await;
    patient.block().await.expect("it begins");
    for position in 1..=21 {
        sleep(STALL_TIMEOUT / 2).await;
        assert_eq!(patient.position().await, Some(position));
    }
}

#[tokio::test(start_paused = true)]
async fn one_follower_too_many_is_told_to_come_back() {
    let fixture = Fixture::new();
    let mut tails = Vec::new();
    for _ in 0..FOLLOWERS_MAX {
        tails.push(fixture.tail("", &[]).await);
    }
    let refused = fixture.ask("", &[(ACCEPT, "text/event-stream")]).await;
    assert!(refused.headers().contains_key(RETRY_AFTER));
    Page::of(refused).await.problem(503);
    fixture.page("").await.positions();
    tails.pop();
    // Its task sees that the reader has gone.
    sleep(Duration::from_millis(1)).await;
    fixture.tail("", &[]).await.block().await.expect("there is room again");
}
