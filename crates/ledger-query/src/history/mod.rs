//! `GET /api/webhookSubscriptions.deliveries`: the deliveries of a workspace or of a subscription, newest first.

mod error;
mod page;
mod request;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;

pub(crate) use self::error::{HistoryError, method_not_allowed};
pub use self::page::PageBody;
use self::request::ListQuery;
use crate::QueryHttp;
use crate::freshness::wait_for_min_position;

/// Lists deliveries, newest first.
pub(crate) async fn list_deliveries(
    State(state): State<QueryHttp>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, HistoryError> {
    let caller = state.tokens.authenticate(&headers, (state.now)())?;
    let query = ListQuery::parse(query.as_deref(), &caller)?;
    wait_for_min_position(&state.views, &headers).await?;
    let read = move || {
        let (limit, offset) = (query.limit, query.offset);
        let page = state.views.deliveries(query.into_request())?;
        Ok((page.position, PageBody::new(&page, limit, offset).to_json()))
    };
    Ok(state.answers.make(read).await?)
}
