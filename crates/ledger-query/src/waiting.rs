//! `GET /v1/waiting`: deliveries that events named and none described, oldest first.
//!
//! They are neither listed nor counted. To send attempts without the delivery is the commonest mistake of a first
//! integration; here it shows.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use ledger_auth::{Caller, Parameters, Problem, Scope};
use ledger_event::{DeliveryId, Position, SubscriptionId, Timestamp, WorkspaceId};
use ledger_views::{WaitingPage, WaitingRow};
use serde::Serialize;

use crate::QueryHttp;
use crate::freshness::wait_for_min_position;

/// Most deliveries of a page.
const LIMIT_MAX: u64 = 100;
/// Deliveries of a page when the request does not say.
const LIMIT_DEFAULT: u64 = 20;

#[derive(Serialize)]
struct PageBody<'a> {
    waiting: Vec<RowBody<'a>>,
    total: u64,
    limit: u64,
    offset: u64,
}

#[derive(Serialize)]
struct RowBody<'a> {
    subscription_id: &'a SubscriptionId,
    delivery_id: &'a DeliveryId,
    first_position: Position,
    attempts: u32,
    last_attempt_at: Option<Timestamp>,
}

/// Lists the deliveries of a workspace that wait for their description, oldest first.
pub(crate) async fn list_waiting(
    State(state): State<QueryHttp>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = state.tokens.authenticate(&headers, (state.now)())?;
    let query = WaitingQuery::parse(query.as_deref(), &caller)?;
    wait_for_min_position(&state.views, &headers).await?;
    let read = move || {
        let limit = usize::try_from(query.limit).expect("a page is at most 100 rows");
        let page = state.views.waiting(&query.workspace_id, query.offset, limit)?;
        Ok((page.position, query.to_json(&page)))
    };
    Ok(state.answers.make(read).await?)
}

/// A request that may be answered.
struct WaitingQuery {
    workspace_id: WorkspaceId,
    limit: u64,
    offset: u64,
}

impl WaitingQuery {
    fn parse(query: Option<&str>, caller: &Caller) -> Result<Self, Problem> {
        let parameters = Parameters::parse(query)?;
        let named: Option<WorkspaceId> = parameters.non_empty_id("workspace_id")?;
        caller.require(Scope::Read)?;
        let workspace_id = caller.workspace_or(named.as_ref())?;
        caller.may_see_whole_workspace()?;
        let limit = parameters.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
        let offset = parameters.integer("offset", 0..=u64::MAX)?.unwrap_or(0);
        Ok(Self { workspace_id, limit, offset })
    }

    fn to_json(&self, page: &WaitingPage) -> Vec<u8> {
        let waiting = page.rows.iter().map(RowBody::new).collect();
        let body = PageBody { waiting, total: page.total, limit: self.limit, offset: self.offset };
        serde_json::to_vec(&body).expect("rows are plain text and numbers")
    }
}

impl<'a> RowBody<'a> {
    fn new(row: &'a WaitingRow) -> Self {
        Self {
            subscription_id: &row.subscription_id,
            delivery_id: &row.delivery_id,
            first_position: row.first_position,
            attempts: row.attempts,
            last_attempt_at: row.last_attempt_at,
        }
    }
}
