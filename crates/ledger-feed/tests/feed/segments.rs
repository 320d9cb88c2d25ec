//! The log as segments: listed, and handed over as they are.

use std::fs;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::Request;
use http::header::AUTHORIZATION;
use ledger_auth::{LEDGER_POSITION, Reach, Scope};
use ledger_event::CompletedEvent;
use ledger_feed::SegmentsHttp;
use ledger_log::{Append, EventLog, SegmentReader, SledLog, SledLogOptions};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::support::{Fixture, Page, now, started, workspace};

/// A log whose first event is in a segment, and the next two in none; with tokens of a [`Fixture`].
struct Sealed {
    _dir: TempDir,
    log: Arc<SledLog>,
    fixture: Fixture,
    http: SegmentsHttp,
}

async fn append(log: &SledLog, number: u64) {
    let event = CompletedEvent { event: started(("ws_1", "sub_1"), number), occurred_at_given: true };
    log.append(Append::new(vec![event])).await.expect("the log takes it");
}

impl Sealed {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("there is room");
        let options = SledLogOptions::at(dir.path().join("log"));
        let log = SledLog::open(SledLogOptions { segment_target_bytes: 1, ..options.clone() }).expect("it opens");
        append(&log, 1).await;
        log.watch_sealing().wait_for(|sealing| sealing.sealed.get() == 1).await.expect("it is open");
        drop(log);
        let log = Arc::new(SledLog::open(options).expect("it opens"));
        append(&log, 2).await;
        append(&log, 3).await;
        let fixture = Fixture::new();
        let http = SegmentsHttp::new(log.clone(), fixture.tokens.clone(), now);
        Self { _dir: dir, log, fixture, http }
    }

    async fn ask(&self, path: &str, token: &str) -> Response {
        let request = Request::get(format!("/v1/log/segments{path}")).header(AUTHORIZATION, token);
        let request = request.body(Body::empty()).expect("it is a request");
        self.http.clone().router().oneshot(request).await.expect("a router does not fail")
    }

    fn admin(&self) -> String {
        self.fixture.token(Reach::All, Scope::Admin)
    }
}

#[tokio::test]
async fn what_is_listed_is_handed_over_as_it_lies_in_its_file() {
    let sealed = Sealed::new().await;
    let listed = sealed.ask("", &sealed.admin()).await;
    assert_eq!(listed.headers()[LEDGER_POSITION], "3");
    let listed: Value = serde_json::from_str(&Page::of(listed).await.text).expect("it is JSON");
    let head = sealed.log.head();
    assert_eq!(listed["head"], format!("3:{}", head.hash));
    assert_eq!(listed["first_unsealed"], 2);
    let segment = &sealed.log.segments()[0];
    let told = (&listed["segments"][0]["first"], &listed["segments"][0]["last"], &listed["segments"][0]["bytes"]);
    assert_eq!(told, (&Value::from(1), &Value::from(1), &Value::from(segment.bytes)));

    let answer = sealed.ask("/1", &sealed.admin()).await;
    assert_eq!(answer.headers()["content-length"], segment.bytes.to_string());
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("it is whole");
    assert_eq!(bytes, fs::read(&segment.path).expect("it is there"));
}

#[tokio::test]
async fn what_is_not_sealed_is_handed_over_as_one_more_segment_up_to_the_head() {
    let sealed = Sealed::new().await;
    let answer = sealed.ask("/2", &sealed.admin()).await;
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.expect("it is whole");
    let mut reader = SegmentReader::open(&bytes[..]).expect("it is a segment");
    while reader.next_chunk().expect("it is whole").is_some() {}
    let footer = reader.footer().expect("it is at its end");
    assert_eq!((footer.last, footer.hash), (sealed.log.head().position, sealed.log.head().hash));
}

#[tokio::test]
async fn a_position_at_which_no_segment_begins_is_not_found() {
    let sealed = Sealed::new().await;
    for first in ["3", "4", "9223372036854775807"] {
        Page::of(sealed.ask(&format!("/{first}"), &sealed.admin()).await).await.problem(404);
    }
    for no_position in ["0", "-1", "one", "18446744073709551615"] {
        let refused = Page::of(sealed.ask(&format!("/{no_position}"), &sealed.admin()).await).await.problem(422);
        assert_eq!(refused["field"], "first");
    }
}

#[tokio::test]
async fn it_takes_a_token_for_all_workspaces_with_the_scope_admin() {
    let sealed = Sealed::new().await;
    let weak = [sealed.fixture.token(Reach::All, Scope::Read), sealed.fixture.token(workspace("ws_1"), Scope::Admin)];
    for path in ["", "/1", "/2"] {
        for token in &weak {
            Page::of(sealed.ask(path, token).await).await.problem(403);
        }
        Page::of(sealed.ask(path, "Bearer hl_unknown").await).await.problem(401);
    }
}
