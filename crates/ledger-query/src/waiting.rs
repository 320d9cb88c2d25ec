//! `GET /v1/waiting`: deliveries that events named and none described, oldest first.
//!
//! They are neither listed nor counted. To send attempts without the delivery is the commonest mistake of a first
//! integration; here it shows.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use ledger_auth::openapi::reference;
use ledger_auth::{Caller, Parameters, Problem, Scope};
use ledger_event::{DeliveryId, Position, SubscriptionId, Timestamp, WorkspaceId};
use ledger_views::{ReadModel, WaitingPage, WaitingRow};
use schemars::JsonSchema;
use serde::Serialize;

use crate::QueryHttp;
use crate::freshness::wait_for_min_position;
use crate::openapi::{WaitingParameters, WaitingRefusals};

/// Most deliveries of a page.
pub(crate) const LIMIT_MAX: u64 = 100;
/// Deliveries of a page when the request does not say.
pub(crate) const LIMIT_DEFAULT: u64 = 20;

/// A page of waiting deliveries.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WaitingPage", description = "A page of the deliveries that wait, oldest first.")]
pub(crate) struct PageBody<'a> {
    /// The deliveries of the page.
    waiting: Vec<RowBody<'a>>,
    /// How many there are on all pages, exactly.
    total: u64,
    /// The `limit` that was asked for.
    limit: u64,
    /// The `offset` that was asked for.
    offset: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WaitingDelivery", description = "A delivery that events named and none described.")]
struct RowBody<'a> {
    /// Its subscription.
    subscription_id: &'a SubscriptionId,
    /// The delivery.
    delivery_id: &'a DeliveryId,
    /// The position of the first event that named it.
    first_position: Position,
    /// How many attempt numbers were reported.
    attempts: u32,
    /// When the highest-numbered attempt that ended did.
    last_attempt_at: Option<Timestamp>,
}

/// Lists the deliveries of a workspace that wait for their description, oldest first.
///
/// Events named them and none described them: they are kept, but neither listed nor counted. Describe one by
/// `delivery.created`, or by `data.delivery` of an attempt.
#[utoipa::path(
    get, path = "/v1/waiting", tag = "Events", operation_id = "listWaiting",
    params(WaitingParameters),
    responses(
        (status = 200, description = "A page of what waits.",
            content((ref(reference::<PageBody<'_>>()) = "application/json", example = json!({
                "waiting": [{
                    "subscription_id": "whsub_1", "delivery_id": "whdel_3", "first_position": 6, "attempts": 1,
                    "last_attempt_at": "2026-01-15T10:33:00Z",
                }],
                "total": 1, "limit": 20, "offset": 0,
            }))),
            headers(("Ledger-Position" = u64, description = "How far in the log all of the answer holds."))),
        WaitingRefusals,
    ),
)]
pub(crate) async fn list_waiting(State(state): State<Arc<QueryHttp>>, asked: Request) -> Result<Response, Problem> {
    let caller = state.tokens.authenticate(asked.headers(), (state.now)())?;
    let query = WaitingQuery::parse(asked.uri().query(), &caller)?;
    wait_for_min_position(&state.views, asked.headers()).await?;
    let read = move |views: &ReadModel| {
        let limit = usize::try_from(query.limit).expect("a page is at most 100 rows");
        let page = views.waiting(&query.workspace_id, query.offset, limit)?;
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
