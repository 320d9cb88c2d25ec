//! The log as segments: `GET /v1/log/segments` lists them, `GET /v1/log/segments/{first}` hands one over.
//!
//! A segment is the bytes of its file. What is not sealed yet is handed over as one more, from the position after the
//! last sealed one up to the head at the time. Both are read as they are sent, a few pieces ahead of their reader.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use ledger_auth::openapi::reference;
use ledger_auth::{LEDGER_POSITION, Problem, Tokens, integer};
use ledger_event::{ErrorChain, Position, Timestamp};
use ledger_log::{EventLog, LogError, SealedSegment, SledLog};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::body::PiecesBody;
use crate::openapi;
use crate::request::POSITION_MAX;

/// How many segments are handed over at a time.
const DOWNLOADS_MAX: usize = 4;

const PIECE_BYTES: usize = 256 * 1024;

/// How many pieces are read ahead of the reader.
const PIECES_AHEAD: usize = 4;

const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The segments over HTTP, for those who have a token for all workspaces with the scope `admin`. Clones share its bounds.
#[derive(Clone)]
pub struct SegmentsHttp {
    log: Arc<SledLog>,
    tokens: Tokens,
    now: fn() -> Timestamp,
    downloads: Arc<Semaphore>,
}

/// What there is of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SegmentList {
    /// Which log it is: 32 hexadecimal digits.
    ledger_id: String,
    /// Where it ends: `POSITION:HASH`, as `hookledger verify --head` takes it.
    head: String,
    /// The position from which on nothing is sealed: a segment of what follows is handed over under it.
    first_unsealed: Position,
    /// What is sealed, by rising position.
    segments: Vec<Listed>,
}

/// A sealed segment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Segment")]
struct Listed {
    /// The position of its first event.
    first: Position,
    /// And of its last.
    last: Position,
    /// The hash of its last chunk.
    hash: String,
    /// How long its file is.
    bytes: u64,
}

impl SegmentsHttp {
    /// The segments of a log.
    #[must_use]
    pub fn new(log: Arc<SledLog>, tokens: Tokens, now: fn() -> Timestamp) -> Self {
        Self { log, tokens, now, downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)) }
    }

    /// The routes: `GET /v1/log/segments` and `GET /v1/log/segments/{first}`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/v1/log/segments", get(list_segments))
            .route("/v1/log/segments/{first}", get(get_segment))
            .with_state(self)
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Problem> {
        Ok(self.tokens.authenticate(headers, (self.now)())?.may_administer()?)
    }

    fn download(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.downloads).try_acquire_owned();
        permit.map_err(|_| no_turn())
    }
}

pub(crate) fn no_turn() -> Problem {
    Problem::unavailable("too many segments are being handed over: ask again", RETRY_AFTER)
}

pub(crate) fn no_segment(first: Position) -> Problem {
    Problem::not_found(format!("no segment begins at position {first}"))
}

/// Lists the sealed segments of the log, by rising position, and where the log ends.
#[utoipa::path(
    get, path = "/v1/log/segments", tag = "Administration", operation_id = "listSegments",
    responses(
        (status = 200, description = "What is sealed, and where the log ends.",
            content((ref(reference::<SegmentList>()) = "application/json", example = json!(openapi::segment_list()))),
            headers(("Ledger-Position" = u64, description = "Where the log ended."))),
        openapi::AdministrationRefusals,
    ),
)]
pub(crate) async fn list_segments(State(http): State<SegmentsHttp>, headers: HeaderMap) -> Result<Response, Problem> {
    http.authorize(&headers)?;
    let head = http.log.head();
    let segments = http.log.segments();
    let list = Json(SegmentList {
        ledger_id: http.log.identity().ledger_id.to_string(),
        head: head.to_string(),
        first_unsealed: segments.last().map_or(Position::new(1), |last| last.footer.last.next()),
        segments: segments.iter().map(|segment| Listed::of(segment)).collect(),
    });
    Ok(([(LEDGER_POSITION, HeaderValue::from(head.position.get()))], list).into_response())
}

/// Hands over a segment, as the bytes of its file.
///
/// `first` is its first position, as the list has it. What is not sealed yet is handed over as one more, under
/// `first_unsealed`: up to the head at the time. An answer that ends early lacks the footer of a segment.
#[utoipa::path(
    get, path = "/v1/log/segments/{first}", tag = "Administration", operation_id = "getSegment",
    params(openapi::SegmentParameters),
    responses(
        (status = 200, description = "The segment.", content((Vec<u8> = "application/octet-stream"))),
        openapi::SegmentRefusals,
    ),
)]
pub(crate) async fn get_segment(
    State(http): State<SegmentsHttp>,
    Path(first): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    http.authorize(&headers)?;
    let first = Position::new(integer("first", &first, 1..=POSITION_MAX)?);
    let turn = http.download()?;
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let sealed = http.log.segments().into_iter().find(|segment| segment.header.first == first);
    let bytes = sealed.as_ref().map(|segment| segment.bytes);
    if sealed.is_none() && (first != http.log.first_unsealed() || first > http.log.head().position) {
        return Err(no_segment(first));
    }
    let log = Arc::clone(&http.log);
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let output = Pieces(sender);
        let sent = match sealed {
            Some(segment) => send_file(&segment, output),
            None => log.write_tail(BufWriter::with_capacity(PIECE_BYTES, output), first).map(drop),
        };
        // A body that ends early lacks its footer, so its reader knows.
        if let Err(error) = sent {
            tracing::warn!(error = %ErrorChain(&error), %first, "a segment was not handed over to its end");
        }
    });
    let body = Body::new(PiecesBody(pieces));
    let answer = ([(CONTENT_TYPE, "application/octet-stream")], body).into_response();
    Ok(match bytes {
        Some(bytes) => ([(CONTENT_LENGTH, bytes.to_string())], answer).into_response(),
        None => answer,
    })
}

impl Listed {
    fn of(segment: &SealedSegment) -> Self {
        let (header, footer) = (&segment.header, &segment.footer);
        Self { first: header.first, last: footer.last, hash: footer.hash.to_string(), bytes: segment.bytes }
    }
}

/// Takes bytes to the body of an answer; it blocks while that is ahead of its reader.
struct Pieces(mpsc::Sender<Bytes>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn send_file(segment: &SealedSegment, mut output: Pieces) -> Result<(), LogError> {
    let failed = |error: io::Error| LogError::Segment { action: "send", source: error.into() };
    let mut file = File::open(&segment.path).map_err(failed)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            return Ok(());
        }
        output.write_all(&piece[..length]).map_err(failed)?;
    }
}
