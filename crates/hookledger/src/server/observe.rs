//! What surrounds every request: its id, its log line, its share in the metrics.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use ledger_auth::Problem;
use tracing::Instrument;
use uuid::Uuid;

use super::metrics::Metrics;

/// The id of a request: the caller's, or ours when it sends none. It stands on the answer and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is taken from a caller, in bytes.
const REQUEST_ID_MAX_BYTES: usize = 128;

/// Gives the request an id and a span, and counts and logs its answer.
pub(crate) async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = request_id(&request);
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or("unmatched", |path| path.as_str());
    let span = tracing::info_span!("request", request_id = request_id.to_str().unwrap_or_default(), %method, route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status(), started.elapsed());
    metrics.count_request(&method, route, status, elapsed);
    span.in_scope(|| log_answer(status, elapsed));
    response.headers_mut().insert(REQUEST_ID, request_id);
    response
}

fn log_answer(status: StatusCode, elapsed: Duration) {
    let (status_code, duration_us) = (status.as_u16(), u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    // To be told to come back is what a busy ledger answers, and no fault of its.
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(status = status_code, duration_us, "a request failed");
    } else {
        tracing::debug!(status = status_code, duration_us, "a request was answered");
    }
}

fn request_id(request: &Request) -> HeaderValue {
    let is_sound = |value: &&HeaderValue| value.len() <= REQUEST_ID_MAX_BYTES && value.to_str().is_ok();
    match request.headers().get(REQUEST_ID).filter(is_sound) {
        Some(sent) => sent.clone(),
        None => HeaderValue::from_str(&Uuid::now_v7().to_string()).expect("a UUID is plain text"),
    }
}

/// The answer to a request that met a fault of ours.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(panic = text, "a request panicked");
    Problem::internal().into_response()
}
