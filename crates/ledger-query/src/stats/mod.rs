//! `GET /api/v1/workspace/webhooks/{webhook_id}/stats`: how a webhook is doing.

mod error;
mod openapi;
mod request;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use ledger_auth::openapi::reference;
use ledger_event::Timestamp;
use ledger_views::{ReadModel, Stats};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::error::{DetailBody, FaultsBody, StatsError, method_not_allowed};
use crate::QueryHttp;
use crate::freshness::wait_for_min_position;

/// About what an answer takes, in bytes.
const STATS_BYTES: usize = 256;

/// `WebhookStatsResponse` of the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookStatsResponse", description = "How a webhook is doing, over all time.")]
pub struct StatsBody {
    /// How many attempts have ended: `success_count` + `failed_count`.
    total: u64,
    /// How many of them were accepted.
    success_count: u64,
    /// How many of them failed.
    failed_count: u64,
    /// The fraction that was accepted, 0 to 1; 0 when there is nothing yet.
    #[schemars(range(min = 0.0, max = 1.0))]
    success_rate: f64,
    /// The mean over attempts that carry a duration, rounded half up.
    avg_duration_ms: u64,
    /// The longest duration ever reported. It is never taken back, also when an earlier report of the same attempt
    /// replaces the one it came from.
    max_duration_ms: u32,
    /// The latest end of an attempt ever reported, never taken back either.
    last_delivery_at: Option<Timestamp>,
}

/// Gets the stats of a webhook: finished attempts of described deliveries, over all time.
///
/// They count attempts, not deliveries. A webhook that nothing was reported of has zeros.
#[utoipa::path(
    get, path = "/api/v1/workspace/webhooks/{webhook_id}/stats", tag = "Webhooks",
    operation_id = "webhook_stats_api_v1_workspace_webhooks__webhook_id__stats_get",
    params(openapi::StatsParameters),
    responses(
        (status = 200, description = "The stats.",
            content((ref(reference::<StatsBody>()) = "application/json", example = json!({
                "total": 2, "success_count": 1, "failed_count": 1, "success_rate": 0.5, "avg_duration_ms": 180,
                "max_duration_ms": 312, "last_delivery_at": "2026-01-15T10:31:00Z",
            }))),
            headers(("Ledger-Position" = u64, description = "How far in the log all of the answer holds."))),
        openapi::StatsRefusals,
    ),
)]
pub(crate) async fn get_stats(
    State(state): State<Arc<QueryHttp>>,
    webhook_id: Result<Path<String>, PathRejection>,
    asked: Request,
) -> Result<Response, StatsError> {
    let caller = state.tokens.authenticate(asked.headers(), (state.now)())?;
    let subscription = request::parse(webhook_id, asked.uri().query(), &caller)?;
    wait_for_min_position(&state.views, asked.headers()).await?;
    let read = move |views: &ReadModel| views.stats_shown(&subscription, |stats| StatsBody::from(stats).to_json());
    Ok(state.answers.make(read).await?)
}

/// Refuses an empty id: it is an id out of bounds, not an unknown address.
pub(crate) async fn get_stats_of_empty_id(
    state: State<Arc<QueryHttp>>,
    asked: Request,
) -> Result<Response, StatsError> {
    get_stats(state, Ok(Path(String::new())), asked).await
}

impl StatsBody {
    fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(STATS_BYTES);
        serde_json::to_writer(&mut json, self).expect("figures are plain numbers");
        json
    }
}

impl From<&Stats> for StatsBody {
    fn from(stats: &Stats) -> Self {
        Self {
            total: stats.attempts.total(),
            success_count: stats.attempts.success_count,
            failed_count: stats.attempts.failed_count,
            success_rate: stats.attempts.success_rate(),
            avg_duration_ms: stats.attempts.avg_duration_ms(),
            max_duration_ms: stats.max_duration_ms.map_or(0, |duration_ms| duration_ms.get()),
            last_delivery_at: stats.last_delivery_at,
        }
    }
}
