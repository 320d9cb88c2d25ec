//! `/healthz` and `/readyz`: what a supervisor and a load balancer ask.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use ledger_auth::openapi::reference;
use ledger_event::{ErrorChain, Position};
use ledger_log::{EventLog, SledLog};
use ledger_projector::ProjectorError;
use ledger_views::ReadModel;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
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

/// Whether the ledger is ready, and how far log and views are.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Readiness {
    status: ReadinessStatus,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    reason: Option<String>,
    log_position: Position,
    views_position: Position,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
enum ReadinessStatus {
    #[serde(rename = "ready")]
    Ready,
    #[serde(rename = "not ready")]
    NotReady,
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

/// Tells that the process is up.
#[utoipa::path(
    get, path = "/healthz", tag = "Operations", operation_id = "getHealth",
    responses((status = 200, description = "It is up.", content((String = "text/plain", example = json!("ok\n"))))),
    security(()),
)]
pub(crate) async fn get_health() -> &'static str {
    "ok\n"
}

/// A ledger that is ready.
fn ready() -> Value {
    json!({"status": "ready", "log_position": 7, "views_position": 7})
}

/// A ledger that is not, and why.
fn not_ready() -> Value {
    let reason = "the views stand at position 3 of 7";
    json!({"status": "not ready", "reason": reason, "log_position": 7, "views_position": 3})
}

/// Tells whether the ledger is ready for requests.
///
/// The views have caught up with the log that was found at the start, and the log can be written.
#[utoipa::path(
    get, path = "/readyz", tag = "Operations", operation_id = "getReadiness",
    responses(
        (status = 200, description = "It is ready.",
            content((ref(reference::<Readiness>()) = "application/json", example = json!(ready())))),
        (status = 503, description = "It is not ready, and why.",
            content((ref(reference::<Readiness>()) = "application/json", example = json!(not_ready())))),
    ),
    security(()),
)]
pub(crate) async fn get_readiness(State(health): State<Health>) -> (StatusCode, Json<Readiness>) {
    let obstacle = health.obstacle();
    let (code, status) = match obstacle {
        None => (StatusCode::OK, ReadinessStatus::Ready),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, ReadinessStatus::NotReady),
    };
    let (log_position, views_position) = (health.log.head().position, health.views.position());
    (code, Json(Readiness { status, reason: obstacle, log_position, views_position }))
}
