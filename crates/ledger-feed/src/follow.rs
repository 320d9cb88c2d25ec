//! The live tail: server-sent events (WHATWG HTML, section 9.2).
//!
//! A follower is a task that reads the log from the position it has reached, and gives what it finds to the answer's
//! body through a channel of one piece. When the reader takes nothing, the task waits, and the log waits for nobody.
//!
//! Each stream begins with a block that has an `id` and no data, and so do heartbeats that come after events which the
//! filter held back: a browser keeps that id without showing an event, so that one which is cut off goes on where it
//! was, however rare its events are.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use ledger_auth::{API_KEY_HEADER, Caller, LEDGER_POSITION, Tokens};
use ledger_event::{ErrorChain, Position, Timestamp};
use ledger_log::Head;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::Feed;
use crate::accept::{EVENT_STREAM, Form};
use crate::body::PiecesBody;
use crate::error::FeedError;
use crate::filter::Filter;
use crate::request::{FeedRequest, last_event_id};
use crate::room::Room;
use crate::scan::{Scan, Scanner};

/// How long a follower hears nothing at most: proxies and clients give up on what is silent.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often a follower's token is looked at again.
pub(crate) const TOKEN_CHECK: Duration = Duration::from_secs(1);
/// How long a browser waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 1_000;
/// Bytes of events after which a scan for a follower has no further one.
const BATCH_MAX_BYTES: usize = 256 * 1024;
/// How many pieces wait for the reader, besides the batch that is being given to it.
const PIECES_WAITING: usize = 1;

/// Tells a proxy (nginx) to pass on what comes as it comes.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Begins to follow: from where the reader was, or from where it asks, or after what is there.
pub(crate) fn follow(
    feed: Feed,
    request: FeedRequest,
    caller: Caller,
    headers: &HeaderMap,
) -> Result<Response, FeedError> {
    let mut head = feed.scanner.watch_head();
    let ends_at = head.borrow_and_update().position;
    let next = match last_event_id(headers, ends_at)? {
        Some(seen) => seen.next(),
        None => request.from.unwrap_or(ends_at.next()),
    };
    let room = feed.room.follower()?;
    let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
    let token = Token { tokens: feed.tokens, now: feed.options.now, headers: credentials(headers), caller };
    let reader = Reader { pieces, stall_timeout: feed.options.stall_timeout, given_at: Instant::now(), known: next };
    let follower = Follower { scanner: feed.scanner, room: feed.room, filter: request.filter, head, next, reader };
    tokio::spawn(async move {
        run(follower, &token, feed.options.stopping).await;
        drop(room);
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
        (LEDGER_POSITION, HeaderValue::from(ends_at.get())),
    ];
    Ok((headers, Body::new(PiecesBody(receiver))).into_response())
}

/// The headers that a caller is known by.
fn credentials(headers: &HeaderMap) -> HeaderMap {
    let names = [AUTHORIZATION, HeaderName::from_static(API_KEY_HEADER)];
    let of_name = |name: HeaderName| headers.get_all(&name).into_iter().map(move |value| (name.clone(), value.clone()));
    names.into_iter().flat_map(of_name).collect()
}

/// Who follows.
struct Token {
    tokens: Tokens,
    now: fn() -> Timestamp,
    headers: HeaderMap,
    caller: Caller,
}

/// Where in the log a reader is, and what it is given of it.
struct Follower {
    scanner: Scanner,
    room: Room,
    filter: Filter,
    head: watch::Receiver<Head>,
    /// The next position to look at.
    next: Position,
    reader: Reader,
}

/// The other end of the answer.
struct Reader {
    pieces: mpsc::Sender<Bytes>,
    stall_timeout: Duration,
    /// When something was last given to it.
    given_at: Instant,
    /// Where it would go on by the last id that it was given.
    known: Position,
}

/// Why somebody follows no more.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the server ends")]
    Stopping,
    #[error("the reader has gone")]
    Gone,
    #[error("the reader took nothing for too long")]
    Stalled,
    #[error("the token is no longer valid, or no longer the same")]
    Token,
    #[error("the log is closed")]
    LogClosed,
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Follows to the end, whatever it is.
async fn run(mut follower: Follower, token: &Token, mut stopping: watch::Receiver<bool>) {
    let pieces = follower.reader.pieces.clone();
    let ended = tokio::select! {
        ended = follower.pass_on() => ended,
        () = pieces.closed() => Ended::Gone,
        () = token.ends() => Ended::Token,
        // It fails when its sender has gone, and the server with it.
        _ = stopping.wait_for(|stopping| *stopping) => Ended::Stopping,
    };
    let (token_id, next) = (token.caller.token_id().to_string(), follower.next.get());
    match &ended {
        Ended::Feed(error) => {
            tracing::error!(error = %ErrorChain(error), token_id, next, "a follower was dropped: the log cannot be read");
        }
        Ended::Stalled => tracing::info!(token_id, next, "a follower was dropped: it took nothing for too long"),
        Ended::Stopping | Ended::Gone | Ended::Token | Ended::LogClosed => {
            tracing::debug!(reason = %ended, token_id, next, "a follower follows no more");
        }
    }
}

impl Token {
    /// Waits until the caller is not who it was: the token was revoked, is over, or was given another reach.
    async fn ends(&self) {
        loop {
            sleep(TOKEN_CHECK).await;
            let caller = self.tokens.authenticate(&self.headers, (self.now)());
            if caller.as_ref() != Ok(&self.caller) {
                return;
            }
        }
    }
}

impl Follower {
    /// Gives the reader what the log has for it, and what comes.
    async fn pass_on(&mut self) -> Ended {
        let mut given = self.open().await;
        while given.is_ok() {
            given = self.step().await;
        }
        given.expect_err("it goes on while it is given")
    }

    /// Gives the block before the first event.
    async fn open(&mut self) -> Result<(), Ended> {
        let before = self.next.get() - 1;
        // An id beyond the head would be refused when the reader comes back with it.
        let id = if before <= self.head.borrow().position.get() { format!("id: {before}\n") } else { String::new() };
        self.reader.give(Bytes::from(format!("retry: {RETRY_MS}\n{id}\n"))).await
    }

    /// Gives what one scan finds, or waits for something to come.
    async fn step(&mut self) -> Result<(), Ended> {
        let head = self.head.borrow_and_update().position;
        if self.next <= head {
            self.give_batch(head).await?;
        } else if let Ok(changed) = timeout_at(self.reader.given_at + HEARTBEAT, self.head.changed()).await {
            changed.map_err(|_| Ended::LogClosed)?;
        }
        self.reader.give_heartbeat_if_due(self.next).await
    }

    async fn give_batch(&mut self, head: Position) -> Result<(), Ended> {
        let scan = Scan {
            form: Form::EventStream,
            filter: self.filter.clone(),
            from: self.next,
            until: head,
            events_max: usize::MAX,
            bytes_max: BATCH_MAX_BYTES,
        };
        let batch = self.room.scan_for_follower(&self.scanner, scan).await?;
        for piece in batch.pieces {
            self.reader.give(piece).await?;
        }
        self.next = batch.next;
        if let Some(last_found) = batch.last_found {
            self.reader.known = last_found.next();
        }
        Ok(())
    }
}

impl Reader {
    /// Gives a piece, unless the one before it is not taken for too long.
    async fn give(&mut self, piece: Bytes) -> Result<(), Ended> {
        let given = timeout(self.stall_timeout, self.pieces.send(piece)).await.map_err(|_| Ended::Stalled)?;
        self.given_at = Instant::now();
        given.map_err(|_| Ended::Gone)
    }

    /// Gives a comment when there was nothing else for long, and the id of what the reader was not shown.
    async fn give_heartbeat_if_due(&mut self, next: Position) -> Result<(), Ended> {
        if self.given_at.elapsed() < HEARTBEAT {
            return Ok(());
        }
        let id = if next > self.known { format!("id: {}\n", next.get() - 1) } else { String::new() };
        self.known = next;
        self.give(Bytes::from(format!(": heartbeat\n{id}\n"))).await
    }
}
