//! A feed, its log, and those who ask it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION};
use http_body_util::BodyExt;
use ledger_auth::{Grant, LEDGER_POSITION, Reach, Scope, Scopes, TokenId, TokenRecord, TokenSet, Tokens};
use ledger_event::{
    AttemptNumber, AttemptStarted, CompletedEvent, DeliveryDescription, DeliveryId, Event, EventData, EventId,
    EventType, JsonText, MaxAttempts, SubscriptionId, Timestamp, WorkspaceId,
};
use ledger_feed::{Feed, FeedOptions, LEDGER_NEXT_POSITION};
use ledger_log::{Append, EventLog, HeadSigner, MemoryLog};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

/// How long the follower of a [`Fixture`] may take nothing.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How many may follow the feed of a [`Fixture`].
pub(crate) const FOLLOWERS_MAX: usize = 3;

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-15T10:30:00Z").expect("it is a time")
}

/// A feed, its log, and a token that reaches everything.
pub(crate) struct Fixture {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) tokens: Tokens,
    pub(crate) stopping: watch::Sender<bool>,
    feed: Feed,
    token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) head: Option<u64>,
    pub(crate) next: Option<u64>,
    pub(crate) text: String,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_clock(now)
    }

    pub(crate) fn with_clock(now: fn() -> Timestamp) -> Self {
        let (log, tokens) = (Arc::new(MemoryLog::new()), Tokens::default());
        let (stopping, is_stopping) = watch::channel(false);
        let options = FeedOptions {
            now,
            followers_max: FOLLOWERS_MAX,
            stall_timeout: STALL_TIMEOUT,
            stopping: is_stopping,
            signer: HeadSigner::new(&[1; 32], &log.identity()),
        };
        let feed = Feed::new(log.clone(), tokens.clone(), options);
        let mut fixture = Self { log, tokens, stopping, feed, token: String::new() };
        fixture.token = fixture.token(Reach::All, Scope::Read);
        fixture
    }

    /// A further token, as it stands in the header.
    pub(crate) fn token(&self, reach: Reach, scope: Scope) -> String {
        self.issue(reach, scope, None).1
    }

    pub(crate) fn issue(&self, reach: Reach, scope: Scope, expires_at: Option<Timestamp>) -> (TokenId, String) {
        let scopes = Scopes::new([scope]).expect("it has one");
        let (secret, record) =
            TokenRecord::issue(Grant { reach, scopes, expires_at }, now()).expect("there is randomness");
        let id = record.id.clone();
        let mut set = TokenSet::clone(&self.tokens.current());
        set.insert(record).expect("there is room");
        self.tokens.swap(set);
        (id, format!("Bearer {}", secret.expose()))
    }

    /// Appends events in one chunk.
    pub(crate) async fn append(&self, events: impl IntoIterator<Item = Event>) {
        let completed = |event| CompletedEvent { event, occurred_at_given: true };
        let events = events.into_iter().map(completed).collect();
        self.log.append(Append::new(events)).await.expect("the log takes it");
    }

    /// Asks with the headers given; with the token that reaches everything when none is.
    pub(crate) async fn ask(&self, query: &str, headers: &[(http::HeaderName, &str)]) -> Response {
        let mut request = Request::get(format!("/v1/events{query}"));
        if !headers.iter().any(|(name, _)| name == AUTHORIZATION) {
            request = request.header(AUTHORIZATION, &self.token);
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).expect("it is a request");
        self.feed.clone().router().oneshot(request).await.expect("a router does not fail")
    }

    /// Asks for a page with these headers.
    pub(crate) async fn page_with(&self, query: &str, headers: &[(http::HeaderName, &str)]) -> Page {
        Page::of(self.ask(query, headers).await).await
    }

    /// Asks for a page.
    pub(crate) async fn page(&self, query: &str) -> Page {
        self.page_with(query, &[]).await
    }

    /// Follows.
    pub(crate) async fn tail(&self, query: &str, headers: &[(http::HeaderName, &str)]) -> Tail {
        let headers: Vec<_> = headers.iter().cloned().chain([(ACCEPT, "text/event-stream")]).collect();
        let response = self.ask(query, &headers).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Tail { body: response.into_body(), text: String::new() }
    }
}

impl Page {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let number = |name| parts.headers.get(name).map(|value| value.to_str().expect("it is text").parse());
        let number = |name| number(name).map(|number| number.expect("it is a number"));
        let bytes = to_bytes(body, usize::MAX).await.expect("it is whole");
        Self {
            status: parts.status.as_u16(),
            content_type: parts.headers["content-type"].to_str().expect("it is text").to_owned(),
            head: number(LEDGER_POSITION),
            next: number(LEDGER_NEXT_POSITION),
            text: String::from_utf8(bytes.to_vec()).expect("it is text"),
        }
    }

    /// The positions of an NDJSON page.
    #[track_caller]
    pub(crate) fn positions(&self) -> Vec<u64> {
        assert_eq!(self.status, 200, "{}", self.text);
        let lines = self.text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
        lines.map(|line| line["position"].as_u64().expect("it has a position")).collect()
    }

    /// A problem document, with that status.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!((self.status, self.content_type.as_str()), (status, "application/problem+json"), "{}", self.text);
        serde_json::from_str(&self.text).expect("it is JSON")
    }
}

/// A live tail.
pub(crate) struct Tail {
    body: Body,
    text: String,
}

impl Tail {
    /// The next block, without the empty line that ends it; `None` at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let data: Bytes = self.body.frame().await?.expect("it does not fail").into_data().expect("it is data");
            self.text.push_str(std::str::from_utf8(&data).expect("it is text"));
        }
    }

    /// The position of the next block, which is an event's; `None` at the end.
    pub(crate) async fn position(&mut self) -> Option<u64> {
        let block = self.block().await?;
        let (id, rest) = block.strip_prefix("id: ").and_then(|rest| rest.split_once('\n')).expect("it is an event");
        assert!(rest.starts_with("event: "), "{block}");
        Some(id.parse().expect("an id is a position"))
    }
}

/// An event of delivery `del_1`, with that number in its id.
pub(crate) fn event((workspace, subscription): (&str, &str), number: u64, data: EventData) -> Event {
    Event {
        id: EventId::parse(&format!("evt_{number}")).expect("it is an id"),
        workspace_id: WorkspaceId::parse(workspace).expect("it is an id"),
        subscription_id: SubscriptionId::parse(subscription).expect("it is an id"),
        delivery_id: DeliveryId::parse("del_1").expect("it is an id"),
        occurred_at: now(),
        data,
    }
}

/// A small event.
pub(crate) fn started(scope: (&str, &str), number: u64) -> Event {
    let attempt = AttemptNumber::new(1).expect("it is within bounds");
    let data = AttemptStarted { attempt, url: None, request_headers: None, delivery: None };
    event(scope, number, EventData::AttemptStarted(data))
}

/// An event with a payload, which is a JSON object.
pub(crate) fn created(scope: (&str, &str), number: u64, payload: &str) -> Event {
    let data = DeliveryDescription {
        event_type: EventType::parse("contact.created").expect("it is bounded"),
        payload: Some(JsonText::parse(payload).expect("it is a JSON object")),
        max_attempts: MaxAttempts::default(),
        next_attempt_at: None,
        url: None,
        source_event_id: None,
    };
    event(scope, number, EventData::DeliveryCreated(data))
}

pub(crate) fn workspace(id: &str) -> Reach {
    Reach::Workspace(WorkspaceId::parse(id).expect("it is an id"))
}

pub(crate) fn subscription(workspace: &str, id: &str) -> Reach {
    let workspace = WorkspaceId::parse(workspace).expect("it is an id");
    Reach::Subscription(workspace, SubscriptionId::parse(id).expect("it is an id"))
}
