//! The read side over HTTP: the two documented endpoints and the list of waiting deliveries, from the views alone.
//!
//! A request is walked through in a few steps, in the order that the contract's checks have: token, parameters,
//! scope and workspace, bounds, the wait for `Ledger-Min-Position`, one read, the answer. Each endpoint keeps its own
//! contract's form of errors. Nothing here can see the log.

mod answer;
mod freshness;
mod history;
pub mod openapi;
mod stats;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use ledger_auth::Tokens;
use ledger_event::Timestamp;
use ledger_views::ReadModel;

use crate::answer::Answers;
pub use crate::history::PageBody;
pub use crate::stats::StatsBody;

/// What the read side needs.
pub struct QueryHttp {
    views: ReadModel,
    tokens: Tokens,
    now: fn() -> Timestamp,
    answers: Answers,
}

impl QueryHttp {
    /// The read side over HTTP, with the ledger's clock for tokens that expire.
    #[must_use]
    pub fn new(views: ReadModel, tokens: Tokens, now: fn() -> Timestamp) -> Self {
        Self { answers: Answers::new(views.clone()), views, tokens, now }
    }

    /// The routes of the read side.
    pub fn router(self) -> Router {
        let history = get(history::list_deliveries).fallback(history::method_not_allowed);
        let stats = get(stats::get_stats).fallback(stats::method_not_allowed);
        let stats_of_empty_id = get(stats::get_stats_of_empty_id).fallback(stats::method_not_allowed);
        Router::new()
            .route("/api/webhookSubscriptions.deliveries", history)
            .route("/api/v1/workspace/webhooks/{webhook_id}/stats", stats)
            .route("/api/v1/workspace/webhooks//stats", stats_of_empty_id)
            .route("/v1/waiting", get(waiting::list_waiting))
            .with_state(Arc::new(self))
    }
}
