//! `GET /api/webhookSubscriptions.deliveries`: the deliveries of a workspace or of a subscription, newest first.

mod error;
mod openapi;
mod page;
mod request;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ledger_auth::openapi::reference;
use ledger_views::ReadModel;

pub(crate) use self::error::{ErrorBody, HistoryError, method_not_allowed};
pub use self::page::PageBody;
use self::request::ListQuery;
use crate::QueryHttp;
use crate::freshness::wait_for_min_position;

/// Lists deliveries, newest first.
///
/// They are ordered by `created_at`, then by id, whatever order they were reported in; `total` is exact. A delivery
/// is listed once it is described.
#[utoipa::path(
    get, path = "/api/webhookSubscriptions.deliveries", tag = "Webhooks", operation_id = "getWebhookDeliveries",
    params(openapi::HistoryParameters),
    responses(
        (status = 200, description = "A page of deliveries.",
            content((ref(reference::<PageBody<'_>>()) = "application/json", example = json!(openapi::page()))),
            headers(("Ledger-Position" = u64, description = "How far in the log all of the answer holds."))),
        openapi::HistoryRefusals,
    ),
)]
pub(crate) async fn list_deliveries(
    State(state): State<Arc<QueryHttp>>,
    asked: Request,
) -> Result<Response, HistoryError> {
    let caller = state.tokens.authenticate(asked.headers(), (state.now)())?;
    let query = ListQuery::parse(asked.uri().query(), &caller)?;
    wait_for_min_position(&state.views, asked.headers()).await?;
    let (limit, offset, request) = (query.limit, query.offset, query.into_request());
    let read = move |views: &ReadModel| {
        let page = views.deliveries(&request)?;
        Ok((page.position, PageBody::new(&page, limit, offset).to_json()))
    };
    Ok(state.answers.make(read).await?)
}
