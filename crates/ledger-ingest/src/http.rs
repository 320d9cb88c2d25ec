//! `POST /v1/events`.
//!
//! Bodies take room as they arrive and as they are unpacked, and what is in flight is bounded together: senders who send faster than the disk
//! writes are told to come back rather than held in memory, and those who send faster than the views follow wait with
//! their bodies unread.

pub mod openapi;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use ledger_auth::openapi::reference;
use ledger_auth::{Caller, LEDGER_POSITION, Problem, Scope, Tokens};
use ledger_event::limits::{REQUEST_MAX_BYTES, REQUEST_MAX_EVENTS};
use ledger_event::{CloudEvent, EventDraft, Position, Timestamp};
use ledger_log::{Append, AppendError, Appended};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::decode::{Encoding, UnpackError};
use crate::ingest::{Ingest, IngestError};
use crate::parse::{RequestError, RequestFormat, each_event};
use crate::room::{Room, Taken};

/// Bodies from this size on are parsed off the async runtime, a few at a time, in bytes.
const LARGE_MIN_BYTES: usize = 32 * 1024;

/// The most memory that is made ready for a body before it comes, in bytes.
const EXPECTED_MAX_BYTES: usize = 64 * 1024;

/// When a sender that was turned away for want of room may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When a sender may come back to a log that takes nothing until an operator has seen to it.
const RETRY_AFTER_STOPPED: Duration = Duration::from_secs(30);

/// What `POST /v1/events` needs.
#[derive(Clone)]
pub struct IngestHttp {
    ingest: Ingest,
    tokens: Tokens,
    options: IngestHttpOptions,
    is_held: watch::Receiver<bool>,
    room: Room,
}

/// How requests are taken in.
#[derive(Clone, Copy, Debug)]
pub struct IngestHttpOptions {
    /// The ledger's clock, for tokens that expire.
    pub now: fn() -> Timestamp,
    /// The most bytes of bodies in flight at a time; one request of maximal size always fits.
    pub bodies_max_bytes: usize,
    /// How long a request may be held, then how long reading its body may take, and then its append.
    pub request_timeout: Duration,
}

/// What became of a request.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Appended")]
struct AppendAnswer {
    /// How many events were stored by this request.
    appended: u64,
    /// How many were stored before, under the same ids.
    duplicates: u64,
    /// The position of the first that was stored; null when there is none.
    first_position: Option<Position>,
    /// The position of the last that was stored; null when there is none.
    last_position: Option<Position>,
}

impl IngestHttp {
    /// The write side over HTTP. While `is_held` holds true, requests wait before their bodies are read.
    #[must_use]
    pub fn new(ingest: Ingest, tokens: Tokens, options: IngestHttpOptions, is_held: watch::Receiver<bool>) -> Self {
        let room = Room::new(options.bodies_max_bytes);
        Self { ingest, tokens, options, is_held, room }
    }

    /// The routes of the write side.
    pub fn router(self) -> Router {
        Router::new().route("/v1/events", post(append_events)).with_state(self)
    }
}

/// Appends the events of a request: all or none.
///
/// 200 means that they survive power loss. A request holds 1 to 10 000 events and at most 16 MiB, in any of five media
/// types, packed or not.
///
/// **Order and repetition do not matter.** Events may come late, twice, or from several processes: any order of them
/// gives the same history and the same stats. Give each an `id` and its `occurred_at`. After a time-out, a broken
/// connection, 408 or 5xx, send the same events again under the same ids: what was stored is answered as a duplicate.
/// Any other 4xx will not get better by repeating.
///
/// Until a delivery is described, by `delivery.created` or by `data.delivery` of an attempt, it is kept but neither
/// listed nor counted.
#[utoipa::path(
    post, path = "/v1/events", tag = "Events", operation_id = "appendEvents",
    params(openapi::AppendHeaders),
    request_body(
        description = "Events, in the form that the content type names. Each media type may have parameters, and is \
                       read in any case; `application/ndjson`, `application/x-msgpack` and `application/vnd.msgpack` \
                       are read too. In MessagePack a payload is a map, and a time RFC 3339 text or an integer of \
                       microseconds since 1970.",
        content(
            (ref(reference::<openapi::Events>()) = "application/json", examples(
                ("created" = (summary = "A delivery is made", value = json!(openapi::created()))),
                ("attempts" = (summary = "Its attempts", value = json!(openapi::attempts()))),
                ("described" = (summary = "One call per attempt", value = json!(openapi::described()))),
            )),
            (String = "application/x-ndjson", example = json!(openapi::lines()),
                extensions(("x-item-schema" = json!({"$ref": reference::<EventDraft>()})))),
            (ref(reference::<openapi::Events>()) = "application/msgpack"),
            (ref(reference::<CloudEvent>()) = "application/cloudevents+json", example = json!(openapi::cloud_event())),
            (ref(reference::<openapi::CloudEvents>()) = "application/cloudevents-batch+json",
                example = json!([openapi::cloud_event()])),
        ),
    ),
    responses(
        (status = 200, description = "All of them are stored, by this request or by one before.",
            content((ref(reference::<AppendAnswer>()) = "application/json", examples(
                ("stored" = (value = json!({"appended": 2, "duplicates": 0, "first_position": 2, "last_position": 3}))),
                ("sent_again" = (value = json!(
                    {"appended": 0, "duplicates": 2, "first_position": null, "last_position": null}
                ))),
            ))),
            headers(("Ledger-Position" = u64, description = "Send it as `Ledger-Min-Position` to read what was written."))),
        openapi::AppendRefusals,
    ),
)]
async fn append_events(State(state): State<IngestHttp>, request: Request) -> Result<Response, Problem> {
    let prepared = receive(&state, request).await.inspect_err(|_| state.ingest.counters().add_refused())?;
    let append = state.ingest.append_prepared(prepared);
    let appended = timeout(state.options.request_timeout, append).await.map_err(|_| append_timed_out())?;
    Ok(answer(&appended.map_err(problem_of)?))
}

/// Takes a request in, up to what waits for the log.
async fn receive(state: &IngestHttp, request: Request) -> Result<Append, Problem> {
    let (parts, body) = request.into_parts();
    let authenticate = || -> Result<Caller, Problem> {
        let caller = state.tokens.authenticate(&parts.headers, (state.options.now)())?;
        caller.require(Scope::Append)?;
        Ok(caller)
    };
    authenticate()?;
    let format = request_format(&parts.headers)?;
    let encoding = request_encoding(&parts.headers)?;
    check_length(&parts.headers)?;
    until_let_go(state).await?;
    let mut room = state.room.take();
    let reading = read_body(body, &mut room, expected_bytes(&parts.headers));
    let body = timeout(state.options.request_timeout, reading).await.map_err(|_| body_timed_out())??;
    // A token may have been revoked while the body came in.
    let caller = authenticate()?;
    let (body, room) = unpack(state, encoding, body, room).await?;
    let (ingest, is_large) = (state.ingest.clone(), body.len() >= LARGE_MIN_BYTES);
    let read = move || {
        let prepared = prepare(&ingest, &caller, format, &body);
        // What was encoded is what takes memory now, and what waits for the log is bounded there.
        drop((body, room));
        prepared
    };
    if !is_large {
        return read();
    }
    let turn = state.room.large().await;
    off_the_runtime(move || {
        let prepared = read();
        drop(turn);
        prepared
    })
    .await
}

/// Waits while requests are held. Whoever holds them has ended when it cannot be asked: then nobody does.
async fn until_let_go(state: &IngestHttp) -> Result<(), Problem> {
    if !*state.is_held.borrow() {
        return Ok(());
    }
    let mut is_held = state.is_held.clone();
    let let_go = timeout(state.options.request_timeout, is_held.wait_for(|is_held| !is_held)).await;
    let_go.map(drop).map_err(|_| held_too_long())
}

fn answer(appended: &Appended) -> Response {
    let answer = AppendAnswer {
        appended: appended.appended,
        duplicates: appended.duplicates,
        first_position: appended.positions.map(|(first, _)| first),
        last_position: appended.positions.map(|(_, last)| last),
    };
    ([(LEDGER_POSITION, HeaderValue::from(appended.readable_at.get()))], Json(answer)).into_response()
}

fn request_format(headers: &HeaderMap) -> Result<RequestFormat, Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    RequestFormat::of_media_type(media_type).ok_or_else(|| {
        let choices = RequestFormat::CHOICES;
        Problem::unsupported_media_type(format!("the content type is {media_type:?}: send {choices}"))
    })
}

fn request_encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Problem> {
    Encoding::of(headers).map_err(|unknown| {
        // RFC 9110, section 15.5.16: so that the sender knows that it is the encoding, and which to take.
        let accepted = HeaderValue::from_static(Encoding::ACCEPTED);
        Problem::unsupported_media_type(unknown.to_string()).with_header(ACCEPT_ENCODING, accepted)
    })
}

/// Refuses a body that says that it is too large, before it is sent.
fn check_length(headers: &HeaderMap) -> Result<(), Problem> {
    if content_length(headers).is_some_and(|length| length > REQUEST_MAX_BYTES) { Err(too_large()) } else { Ok(()) }
}

/// How many bytes are made ready for a body: what its header claims, up to a bound.
fn expected_bytes(headers: &HeaderMap) -> usize {
    content_length(headers).map_or(0, |length| length.min(EXPECTED_MAX_BYTES))
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

fn too_large() -> Problem {
    Problem::too_large(format!("the body is larger than {REQUEST_MAX_BYTES} bytes: send fewer events in a request"))
        .over_bound(bytes_bound())
}

fn bytes_bound() -> String {
    format!("at most {REQUEST_MAX_BYTES} bytes")
}

fn no_room() -> Problem {
    Problem::unavailable("too many requests are in flight: send this one again", RETRY_AFTER)
}

fn held_too_long() -> Problem {
    Problem::unavailable("the views are too far behind the log: send this request again", RETRY_AFTER)
}

fn body_timed_out() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
}

fn append_timed_out() -> Problem {
    let detail =
        "the log did not answer in time: the events may or may not be stored; send them again under the same ids";
    Problem::unavailable(detail, RETRY_AFTER)
}

fn stopped() -> Problem {
    let detail = "the ledger cannot write its log: it takes no events until it is restarted";
    Problem::unavailable(detail, RETRY_AFTER_STOPPED)
}

/// Reads the body, which takes room as it arrives.
async fn read_body(mut body: Body, room: &mut Taken, expected_bytes: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(expected_bytes);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::bad_request("the body ended early"))?;
        // Trailers say nothing about events.
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > REQUEST_MAX_BYTES {
            return Err(too_large());
        }
        room.grow_to(length).map_err(|_| no_room())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Unpacks a body off the async runtime: the smallest may become the largest.
async fn unpack(
    state: &IngestHttp,
    encoding: Option<Encoding>,
    body: Vec<u8>,
    mut room: Taken,
) -> Result<(Vec<u8>, Taken), Problem> {
    let Some(encoding) = encoding else { return Ok((body, room)) };
    let turn = state.room.unpacking().await;
    off_the_runtime(move || {
        let unpacked = encoding.unpack(&body, &mut room).map_err(problem_of_unpack)?;
        drop(body);
        drop(turn);
        room.shrink_to(unpacked.len());
        Ok((unpacked, room))
    })
    .await
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "reading a request failed");
        Err(Problem::internal())
    })
}

/// Reads, authorizes, completes and encodes each event while it is at hand. What is refused is what cannot be read,
/// wherever it stands, before what the token does not reach, before what is not complete.
fn prepare(ingest: &Ingest, caller: &Caller, format: RequestFormat, body: &[u8]) -> Result<Append, Problem> {
    let mut preparing = ingest.begin(caller.workspace().cloned());
    let (mut authorized, mut completed) = (Ok(()), Ok(()));
    let mut index = 0;
    let read = each_event(format, body, &mut |draft| {
        if authorized.is_ok() {
            authorized = authorize(caller, index, &draft);
        }
        if authorized.is_ok() && completed.is_ok() {
            completed = preparing.push(draft);
        }
        index += 1;
    });
    read.map_err(problem_of_request)?;
    authorized?;
    completed.and_then(|()| preparing.finish()).map_err(problem_of)
}

/// Checks that the token reaches what an event names.
fn authorize(caller: &Caller, index: usize, draft: &EventDraft) -> Result<(), Problem> {
    let named = draft.workspace_id().map_or(Ok(()), |workspace| caller.may_see_workspace(workspace));
    named
        .and_then(|()| caller.may_see_subscription(draft.subscription_id()))
        .map_err(|forbidden| Problem::from(forbidden).at_index(index))
}

fn problem_of_unpack(error: UnpackError) -> Problem {
    match error {
        UnpackError::TooLarge => Problem::too_large(error.to_string()).over_bound(bytes_bound()),
        UnpackError::NoRoom => no_room(),
        UnpackError::EndsEarly(_) | UnpackError::Damaged(_) => Problem::bad_request(error.to_string()),
    }
}

fn problem_of_request(error: RequestError) -> Problem {
    match error {
        RequestError::Body(source) => Problem::from(source),
        RequestError::Event { index, line, source } => {
            let problem = Problem::from(source).at_index(index);
            match line {
                Some(line) => problem.with("line", line),
                None => problem,
            }
        }
        RequestError::NoArray => Problem::unprocessable(error.to_string()),
        RequestError::TooManyEvents => {
            Problem::too_large(error.to_string()).over_bound(format!("at most {REQUEST_MAX_EVENTS} events"))
        }
        RequestError::PayloadsTooLarge => Problem::too_large(error.to_string()).over_bound(bytes_bound()),
    }
}

fn problem_of(error: IngestError) -> Problem {
    match error {
        IngestError::NoEvents => Problem::unprocessable(error.to_string()),
        IngestError::TooManyEvents { .. } | IngestError::Append(AppendError::TooLarge { .. }) => {
            Problem::too_large(error.to_string())
        }
        IngestError::Field { index, source } => Problem::from(source).at_index(index),
        IngestError::Append(AppendError::IdReused { index, ref id }) => {
            let detail = format!("{error}: what was stored under it stays; send other content under another id");
            Problem::conflict(detail).at_index(index).in_field("id").with("id", id.as_str())
        }
        IngestError::Append(AppendError::QueueFull) => no_room(),
        // What stopped the log was logged when it stopped.
        IngestError::Append(AppendError::Stopped(_)) => stopped(),
    }
}

#[cfg(test)]
mod tests;
