//! `GET /api/webhookSubscriptions.deliveries`: the deliveries of a workspace or of a subscription, newest first.

mod error;
mod page;
mod request;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

pub(crate) use self::error::{HistoryError, method_not_allowed};
use self::page::PageBody;
use self::request::ListQuery;
use crate::QueryHttp;
use crate::freshness::{position_header, wait_for_min_position};

/// Lists deliveries, newest first.
pub(crate) async fn list_deliveries(
    State(state): State<QueryHttp>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, HistoryError> {
    let caller = state.tokens.authenticate(&headers, (state.now)())?;
    let query = ListQuery::parse(query.as_deref(), &caller)?;
    wait_for_min_position(&state.views, &headers).await?;
    let (limit, offset) = (query.limit, query.offset);
    let page = tokio::task::spawn_blocking(move || state.views.deliveries(query.into_request())).await??;
    Ok((position_header(page.position), Json(PageBody::new(&page, limit, offset))).into_response())
}
