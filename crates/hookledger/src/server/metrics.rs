//! `/metrics`: figures for Prometheus.
//!
//! Requests are counted as they are answered; the state of log and views is read when it is asked for.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use ledger_auth::Problem;
use ledger_auth::openapi::Fault;
use ledger_ingest::Ingest;
use ledger_log::{EventLog, SledLog};
use ledger_views::ReadModel;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::ledger::{Ledger, OpenedAt};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures of this process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

impl Metrics {
    pub(crate) fn new(ledger: &Ledger) -> Self {
        let mut registry = Registry::with_prefix("hookledger");
        let requests = Family::default();
        let request_seconds = Family::new_with_constructor(new_request_seconds as fn() -> Histogram);
        registry.register("http_requests", "Requests answered, by method, route and status", requests.clone());
        registry.register(
            "http_request_seconds",
            "How long requests took to be answered, by route",
            request_seconds.clone(),
        );
        registry.register_collector(Box::new(LedgerCollector {
            log: Arc::clone(&ledger.log),
            views: ledger.views.clone(),
            ingest: ledger.ingest.clone(),
            appends_held: ledger.appends_held.clone(),
            opened_at: ledger.opened_at,
        }));
        Self { registry, requests, request_seconds }
    }
}

/// The figures of one route, looked up once and then at hand.
pub(crate) struct RouteMetrics {
    metrics: Arc<Metrics>,
    /// Known from the first request on.
    route: OnceLock<(String, Histogram)>,
    /// By method and status, of which there are few.
    requests: RwLock<Vec<(&'static str, StatusCode, Counter)>>,
}

impl RouteMetrics {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, route: OnceLock::new(), requests: RwLock::default() }
    }

    /// Gives the route its name, if it has none yet.
    pub(crate) fn name_route<'a>(&self, name: impl FnOnce() -> &'a str) {
        self.route.get_or_init(|| {
            let route = name().to_owned();
            let labels = RouteLabels { route: route.clone() };
            (route, self.metrics.request_seconds.get_or_create_owned(&labels))
        });
    }

    /// The name of the route; empty before the first request.
    pub(crate) fn route(&self) -> &str {
        self.route.get().map_or("", |(route, _)| route)
    }

    /// Counts an answered request.
    pub(crate) fn count(&self, method: &Method, status: StatusCode, elapsed: Duration) {
        self.count_request(known(method), status);
        if let Some((_, request_seconds)) = self.route.get() {
            request_seconds.observe(elapsed.as_secs_f64());
        }
    }

    fn count_request(&self, method: &'static str, status: StatusCode) {
        // A counter that was put in is whole: poison means nothing here.
        let requests = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, counter)) = requests.iter().find(|(of, with, _)| (*of, *with) == (method, status)) {
            counter.inc();
            return;
        }
        drop(requests);
        let labels = RequestLabels { method, route: self.route().to_owned(), status: status.as_u16() };
        let counter = self.metrics.requests.get_or_create_owned(&labels);
        counter.inc();
        let mut requests = self.requests.write().unwrap_or_else(PoisonError::into_inner);
        // Two of a kind, where two requests were the first ones, are handles on the same counter.
        requests.push((method, status, counter));
    }
}

/// From 0.1 ms to 3.3 s, each bound twice the one before.
fn new_request_seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 16))
}

/// The method as a label: callers may invent others, and each label value is kept for ever.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Writes the figures in the OpenMetrics text format, which Prometheus reads.
#[utoipa::path(
    get, path = "/metrics", tag = "Operations", operation_id = "getMetrics",
    responses(
        (status = 200, description = "The figures of this process.",
            content((String = "application/openmetrics-text", example = json!(
                "# TYPE hookledger_log_position gauge\nhookledger_log_position 7\n# EOF\n"
            )))),
        Fault,
    ),
    security(()),
)]
pub(crate) async fn get_metrics(State(metrics): State<Arc<Metrics>>) -> Result<Response, Problem> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry).map_err(|_| Problem::internal())?;
    Ok(([(CONTENT_TYPE, OPENMETRICS)], text).into_response())
}

/// Reads the state of log and views.
struct LedgerCollector {
    log: Arc<SledLog>,
    views: ReadModel,
    ingest: Ingest,
    appends_held: watch::Receiver<bool>,
    opened_at: OpenedAt,
}

impl std::fmt::Debug for LedgerCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LedgerCollector")
    }
}

impl Collector for LedgerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self.ingest.counters().snapshot();
        // The views first: the log only grows, so the lag is never below zero.
        let views = self.views.position().get();
        let head = self.log.head().position.get();
        let projected = views - self.opened_at.views.get();
        let counters = [
            ("events_appended", "Events stored since the start", counts.appended),
            ("events_duplicate", "Events received that were stored before, since the start", counts.duplicates),
            ("append_requests_refused", "Append requests of which nothing was stored", counts.refused_requests),
            ("events_projected", "Events folded into the views since the start", projected),
        ];
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let sealing = self.log.watch_sealing().borrow().clone();
        let gauges = [
            ("log_position", "Position of the last durable event", head),
            ("views_position", "Position that the views have reached", views),
            ("views_lag_events", "Events that the views have not folded yet", head - views),
            ("appends_held", "1 while appends wait for the views", (*self.appends_held.borrow()).into()),
            ("log_sealed_position", "Last position that is in a sealed segment", sealing.sealed.get()),
            ("log_archived_position", "Last position of which the archive has a copy", sealing.archived.get()),
            ("log_hot_bytes", "Bytes of chunks in the hot tier of the log, about", sealing.hot_bytes),
            ("log_sealing_failing", "1 while the log cannot be sealed or trimmed", sealing.failure.is_some().into()),
            ("log_archive_failing", "1 while the archive is behind", sealing.archive_failure.is_some().into()),
            ("deliveries_waiting", "Deliveries that wait for their description", self.views.waiting_count()),
        ];
        for (name, help, value) in gauges {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}
