//! The log over HTTP: `GET /v1/events` reads it from a position, or follows it; `GET /v1/log/checkpoint` is its head,
//! signed; `/v1/log/segments` hands it over as it is stored, to be backed up.
//!
//! A request is walked through in a few steps: token and scope, form of the answer (`Accept`), parameters, reach, one
//! scan of the log. An answer is a page (NDJSON or JSON) or, as `text/event-stream`, the live tail.
//!
//! What always holds:
//!
//! - **Positions are the only cursor.** A page tells where to go on; an event of the tail has its position for an id.
//!   Nothing is kept for a reader between two requests, and nothing is queued for a follower: the log is read again
//!   from the position it has reached, so a slow one holds up nobody.
//! - **An event is told as ingest takes it**, with its place in the log beside it ([`RecordedEvent`]): what was read
//!   can be appended elsewhere unchanged.
//! - **A token sees what it reaches.** Its workspace and subscription filter every scan; a follower's token is looked
//!   at again every second.
//! - **Everything has a bound:** what a scan looks at, what an answer holds, how many scans, unsent answers and
//!   followers there are, how long a follower may take nothing. A scan never runs on the async runtime.

mod accept;
mod body;
mod checkpoint;
mod error;
mod filter;
mod follow;
mod lines;
pub mod openapi;
mod page;
mod request;
mod room;
mod scan;
mod segments;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::VARY;
use http::{HeaderMap, HeaderName};
use ledger_auth::openapi::reference;
use ledger_auth::{Scope, Tokens};
use ledger_event::{RecordedEvent, Timestamp};
use ledger_log::{EventLog, HeadSigner};
use tokio::sync::watch;

use self::accept::Form;
use self::error::FeedError;
use self::request::FeedRequest;
use self::room::Room;
use self::scan::Scanner;
pub use self::segments::SegmentsHttp;

/// The position to go on from after a page: on every page, a decimal integer.
pub const LEDGER_NEXT_POSITION: HeaderName = HeaderName::from_static("ledger-next-position");

/// How many may follow the log at a time, unless it is said otherwise.
pub const DEFAULT_FOLLOWERS_MAX: usize = 256;

/// How the log is shown.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// The ledger's clock, for tokens that expire.
    pub now: fn() -> Timestamp,
    /// How many may follow at a time; one more is answered 503.
    pub followers_max: usize,
    /// How long a follower may take nothing of what is there for it, before it is dropped.
    pub stall_timeout: Duration,
    /// Ends every follower once it holds `true`, or its sender is gone: an answer that goes on for ever would
    /// otherwise hold up the end of the server.
    pub stopping: watch::Receiver<bool>,
    /// Signs the head of the log.
    pub signer: HeadSigner,
}

/// The log over HTTP. Clones share its bounds.
#[derive(Clone)]
pub struct Feed {
    log: Arc<dyn EventLog>,
    tokens: Tokens,
    options: FeedOptions,
    scanner: Scanner,
    room: Room,
}

impl Feed {
    /// The feed of a log, for those who have a token with the scope `read`.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, tokens: Tokens, options: FeedOptions) -> Self {
        let room = Room::new(options.followers_max);
        Self { tokens, options, scanner: Scanner::new(Arc::clone(&log)), room, log }
    }

    /// The routes of the feed: `GET /v1/events` and `GET /v1/log/checkpoint`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/v1/events", get(get_events))
            .route("/v1/log/checkpoint", get(checkpoint::get_checkpoint))
            .with_state(self)
    }
}

/// Reads the log from a position, or follows it.
///
/// Without `Accept: text/event-stream` the answer is a page, in NDJSON or JSON: go on from its `Ledger-Next-Position`
/// until that is greater than its `Ledger-Position`. A page may be short, or empty, and not be the last.
///
/// As `text/event-stream` the answer goes on as the log grows: an `id` (the position), an `event` (the kind) and a
/// `data` (the recorded event) for each. A comment comes when there was nothing for 15 s. Come back with the last id
/// that you have seen as `Last-Event-ID`.
///
/// What was read can be appended elsewhere as it is: `position` and `recorded_at` are passed over.
#[utoipa::path(
    get, path = "/v1/events", tag = "Events", operation_id = "readEvents",
    params(openapi::FeedParameters),
    responses(
        (status = 200, description = "What the log holds for the reader from there on.",
            content(
                (String = "application/x-ndjson", example = json!(openapi::event().to_string() + "\n"),
                    extensions(("x-item-schema" = json!({"$ref": reference::<RecordedEvent<'_>>()})))),
                (ref(reference::<openapi::LogPage>()) = "application/json",
                    example = json!({"events": [openapi::event()], "next_position": 2, "head": 1})),
                (String = "text/event-stream", example = json!(openapi::stream()),
                    extensions(("x-item-schema" = json!({"$ref": reference::<RecordedEvent<'_>>()})))),
            ),
            headers(
                ("Ledger-Position" = u64, description = "Where the log ended when it was read."),
                ("Ledger-Next-Position" = u64, description = "Where to go on; of a page."),
            )),
        openapi::FeedRefusals,
    ),
)]
async fn get_events(
    State(feed): State<Feed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FeedError> {
    let caller = feed.tokens.authenticate(&headers, (feed.options.now)())?;
    caller.require(Scope::Read)?;
    let form = Form::of(&headers)?;
    let request = FeedRequest::parse(query.as_deref(), &caller)?;
    let answer = match form {
        Form::Page(form) => page::read(&feed, form, request).await?,
        Form::EventStream => follow::follow(feed, request, caller, &headers)?,
    };
    Ok(([(VARY, "accept")], answer).into_response())
}
