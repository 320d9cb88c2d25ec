//! `/metrics`: figures for Prometheus.
//!
//! Requests are counted as they are answered; the state of log and views is read when it is asked for.

use std::sync::Arc;
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
            opened_at: ledger.opened_at,
        }));
        Self { registry, requests, request_seconds }
    }

    /// Counts an answered request.
    pub(crate) fn count_request(&self, method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
        let labels = RequestLabels { method: known(method), route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&RouteLabels { route: route.to_owned() }).observe(elapsed.as_secs_f64());
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
