//! Every address of the ledger.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::Uri;
use ledger_auth::{Problem, Tokens};
use ledger_feed::{DEFAULT_FOLLOWERS_MAX, Feed, FeedOptions, SegmentsHttp};
use ledger_ingest::http::{IngestHttp, IngestHttpOptions};
use ledger_query::QueryHttp;
use tokio::sync::watch;

use super::health::{self, Health};
use super::ledger::Ledger;
use super::metrics::{self, Metrics};
use super::observe::Observe;
use super::openapi;
use super::rebuild::{self, RebuildHttp};
use crate::clock;
use crate::settings::ServeSettings;

/// The routes, each surrounded by [`Observe`]. Answers without an end are ended once `stopping` holds true.
pub(crate) fn router(
    ledger: &Ledger,
    tokens: Tokens,
    settings: &ServeSettings,
    stopping: watch::Receiver<bool>,
) -> Router {
    let metrics = Arc::new(Metrics::new(ledger));
    let ingest = IngestHttp::new(
        ledger.ingest.clone(),
        tokens.clone(),
        IngestHttpOptions {
            now: clock::now,
            bodies_max_bytes: settings.append_queue_bytes,
            request_timeout: settings.request_timeout(),
        },
        ledger.appends_held.clone(),
    );
    let feed_options = FeedOptions {
        now: clock::now,
        // Each holds a connection for long: half of them stay free for everything else.
        followers_max: (settings.max_connections / 2).clamp(1, DEFAULT_FOLLOWERS_MAX),
        stall_timeout: settings.request_timeout(),
        stopping,
        signer: ledger.signer.clone(),
    };
    let feed = Feed::new(ledger.log.clone(), tokens.clone(), feed_options);
    let segments = SegmentsHttp::new(Arc::clone(&ledger.log), tokens.clone(), clock::now);
    let query = QueryHttp::new(ledger.views.clone(), tokens.clone(), clock::now);
    let rebuild = get(rebuild::get_rebuild).post(rebuild::start_rebuild);
    let operations = Router::new()
        .route("/healthz", get(health::get_health))
        .route("/readyz", get(health::get_readiness))
        .with_state(Health::of(ledger))
        .route("/metrics", get(metrics::get_metrics))
        .with_state(Arc::clone(&metrics))
        .route("/openapi.json", get(openapi::get_openapi))
        .route("/v1/admin/rebuild", rebuild)
        .with_state(RebuildHttp::of(ledger, tokens));
    Router::new()
        .merge(ingest.router())
        .merge(feed.router())
        .merge(segments.router())
        .merge(query.router())
        .merge(operations)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Observe(metrics))
}

async fn not_found(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(uri: Uri) -> Problem {
    Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, format!("{} does not answer this method", uri.path()))
}
