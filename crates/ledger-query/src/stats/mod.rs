//! `GET /api/v1/workspace/webhooks/{webhook_id}/stats`: how a webhook is doing.

mod error;
mod request;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use ledger_event::Timestamp;
use ledger_views::Stats;
use serde::Serialize;

pub(crate) use self::error::{StatsError, method_not_allowed};
use crate::QueryHttp;
use crate::freshness::wait_for_min_position;

/// `WebhookStatsResponse` of the contract.
#[derive(Serialize)]
pub struct StatsBody {
    total: u64,
    success_count: u64,
    failed_count: u64,
    success_rate: f64,
    avg_duration_ms: u64,
    max_duration_ms: u32,
    last_delivery_at: Option<Timestamp>,
}

/// Gets the stats of a webhook.
pub(crate) async fn get_stats(
    State(state): State<QueryHttp>,
    webhook_id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, StatsError> {
    let caller = state.tokens.authenticate(&headers, (state.now)())?;
    let subscription = request::parse(webhook_id, query.as_deref(), &caller)?;
    wait_for_min_position(&state.views, &headers).await?;
    let read = move || {
        let answer = state.views.stats(&subscription)?;
        let json = serde_json::to_vec(&StatsBody::from(&answer.stats)).expect("figures are plain numbers");
        Ok((answer.position, json))
    };
    Ok(state.answers.make(read).await?)
}

/// Refuses an empty id: it is an id out of bounds, not an unknown address.
pub(crate) async fn get_stats_of_empty_id(
    state: State<QueryHttp>,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, StatsError> {
    get_stats(state, Ok(Path(String::new())), query, headers).await
}

impl From<&Stats> for StatsBody {
    fn from(stats: &Stats) -> Self {
        Self {
            total: stats.total(),
            success_count: stats.sums.success_count,
            failed_count: stats.sums.failed_count,
            success_rate: stats.success_rate(),
            avg_duration_ms: stats.avg_duration_ms(),
            max_duration_ms: stats.max_duration_ms.map_or(0, |duration_ms| duration_ms.get()),
            last_delivery_at: stats.last_delivery_at,
        }
    }
}
