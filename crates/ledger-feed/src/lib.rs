//! The log over HTTP: `GET /v1/events` reads it from a position, or follows it; `/v1/log/segments` hands it over as it is
//! stored, to be backed up.
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
mod error;
mod filter;
mod follow;
mod lines;
mod page;
mod parameters;
mod recorded_event;
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
use ledger_auth::{Scope, Tokens};
use ledger_event::Timestamp;
use ledger_log::EventLog;
use tokio::sync::watch;

use self::accept::Form;
use self::error::FeedError;
pub use self::recorded_event::RecordedEvent;
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
}

/// The log over HTTP. Clones share its bounds.
#[derive(Clone)]
pub struct Feed {
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
        Self { tokens, options, scanner: Scanner::new(log), room }
    }

    /// The routes of the feed: `GET /v1/events`.
    pub fn router(self) -> Router {
        Router::new().route("/v1/events", get(get_events)).with_state(self)
    }
}

/// Reads the log from a position, or follows it.
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
