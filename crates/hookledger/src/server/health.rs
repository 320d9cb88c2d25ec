//! `/healthz` and `/readyz`: what a supervisor and a load balancer ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ledger_event::{ErrorChain, Position};
use ledger_log::{EventLog, SledLog};
use ledger_projector::ProjectorError;
use ledger_views::ReadModel;
use serde::Serialize;
use tokio::sync::watch;

use super::ledger::Ledger;

/// What readiness depends on.
#[derive(Clone)]
pub(crate) struct Health {
    log: Arc<SledLog>,
    views: ReadModel,
    head_at_start: Position,
    projector_failure: watch::Receiver<Option<Arc<ProjectorError>>>,
}

#[derive(Serialize)]
pub(crate) struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    log_position: Position,
    views_position: Position,
}

impl Health {
    pub(crate) fn of(ledger: &Ledger) -> Self {
        Self {
            log: Arc::clone(&ledger.log),
            views: ledger.views.clone(),
            head_at_start: ledger.opened_at.head,
            projector_failure: ledger.projector.failure(),
        }
    }

    /// Why the ledger is not ready, if it is not.
    fn obstacle(&self) -> Option<String> {
        if let Err(error) = self.log.check_writable() {
            return Some(ErrorChain(&error).to_string());
        }
        if let Some(failure) = &*self.projector_failure.borrow() {
            let remedy = if failure.is_mended_by_rebuild() { "; the views are rebuilt" } else { "" };
            return Some(format!("the projector has stopped: {}{remedy}", ErrorChain(&**failure)));
        }
        let (reached, wanted) = (self.views.position(), self.head_at_start);
        (reached < wanted).then(|| format!("the views stand at position {reached} of {wanted}"))
    }
}

/// The process is up.
pub(crate) async fn get_health() -> &'static str {
    "ok\n"
}

/// The views have reached the head that was found at the start, and the log can be written.
pub(crate) async fn get_readiness(State(health): State<Health>) -> (StatusCode, Json<Readiness>) {
    let obstacle = health.obstacle();
    let (code, status) = match obstacle {
        None => (StatusCode::OK, "ready"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let (log_position, views_position) = (health.log.head().position, health.views.position());
    (code, Json(Readiness { status, reason: obstacle, log_position, views_position }))
}
