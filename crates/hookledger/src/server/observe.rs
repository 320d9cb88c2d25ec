//! What surrounds every request: its id, its log line, its share in the metrics, and an answer when it panics.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ledger_auth::Problem;
use tower::{Layer, Service};
use tracing::{Instrument, Span};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::metrics::{Metrics, RouteMetrics};

/// The id of a request: the caller's, or ours when it sends none. It stands on the answer and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id that is taken from a caller, in bytes.
const REQUEST_ID_MAX_BYTES: usize = 128;

/// Surrounds each route.
///
/// A service of our own, not a function as middleware: that would make and throw away a copy of all that is inside for
/// each request, which costs as much as a small answer.
#[derive(Clone)]
pub(crate) struct Observe(pub(crate) Arc<Metrics>);

/// A route, surrounded.
#[derive(Clone)]
pub(crate) struct Observed<S> {
    route: S,
    metrics: Arc<RouteMetrics>,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, route: S) -> Observed<S> {
        Observed { route, metrics: Arc::new(RouteMetrics::new(Arc::clone(&self.0))) }
    }
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let observation = Observation::begin(&self.metrics, &request);
        let answer = self.route.call(request);
        Box::pin(async move { Ok(observation.of(answer).await) })
    }
}

/// What is known of a request that is under way.
struct Observation {
    metrics: Arc<RouteMetrics>,
    started: Instant,
    request_id: HeaderValue,
    method: Method,
}

impl Observation {
    fn begin(metrics: &Arc<RouteMetrics>, request: &Request) -> Self {
        metrics.name_route(|| request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str));
        let (request_id, method) = (request_id(request), request.method().clone());
        Self { metrics: Arc::clone(metrics), started: Instant::now(), request_id, method }
    }

    /// Gives the request a span, and counts and logs its answer.
    async fn of(self, answer: impl Future<Output = Result<Response, Infallible>>) -> Response {
        // Every request has a span, so that each line about it has its id; the rest is on the last one.
        let span = tracing::info_span!("request", request_id = self.request_id.to_str().unwrap_or_default());
        let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind().map(answered).instrument(span));
        let mut response = answer.as_mut().await;
        let (status, elapsed) = (response.status(), self.started.elapsed());
        self.metrics.count(&self.method, status, elapsed);
        self.log_answer(answer.span(), status, elapsed);
        response.headers_mut().insert(REQUEST_ID, self.request_id);
        response
    }

    fn log_answer(&self, span: &Span, status: StatusCode, elapsed: Duration) {
        let (method, route, status_code) = (&self.method, self.metrics.route(), status.as_u16());
        let duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        // To be told to come back is what a busy ledger answers, and no fault of its.
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(parent: span, %method, route, status = status_code, duration_us, "a request failed");
        } else {
            tracing::debug!(parent: span, %method, route, status = status_code, duration_us, "a request was answered");
        }
    }
}

fn request_id(request: &Request) -> HeaderValue {
    let is_sound = |value: &&HeaderValue| value.len() <= REQUEST_ID_MAX_BYTES && value.to_str().is_ok();
    match request.headers().get(REQUEST_ID).filter(is_sound) {
        Some(sent) => sent.clone(),
        None => {
            let mut text = [0; Hyphenated::LENGTH];
            let text = Uuid::now_v7().hyphenated().encode_lower(&mut text);
            HeaderValue::from_str(text).expect("a UUID is plain text")
        }
    }
}

fn answered(answer: Result<Result<Response, Infallible>, Box<dyn Any + Send>>) -> Response {
    match answer {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(panic) => panicked(panic),
    }
}

/// The answer to a request that met a fault of ours.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(panic = text, "a request panicked");
    Problem::internal().into_response()
}
