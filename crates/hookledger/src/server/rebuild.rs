//! `/v1/admin/rebuild`: the views made anew while the server serves.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use ledger_auth::openapi::{Answers, Refusals, reference};
use ledger_auth::{Problem, Tokens};
use ledger_event::{ErrorChain, Position, Timestamp};
use ledger_projector::{Rebuild, Rebuilder};
use ledger_views::ReadModel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::IntoResponses;

use super::ledger::Ledger;
use crate::clock;

/// What the endpoint needs.
#[derive(Clone)]
pub(crate) struct RebuildHttp {
    rebuilder: Rebuilder,
    views: ReadModel,
    tokens: Tokens,
}

/// The last rebuild since the server was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rebuild")]
pub(crate) struct RebuildBody {
    /// What became of it.
    pub(crate) state: RebuildState,
    /// When it was started.
    pub(crate) started_at: Option<Timestamp>,
    /// When its views took over, or it failed.
    pub(crate) finished_at: Option<Timestamp>,
    /// How far it has folded the log.
    pub(crate) position: Position,
    /// How far the views have that serve meanwhile.
    pub(crate) views_position: Position,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// What became of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RebuildState {
    /// None was asked for.
    Never,
    /// It is under way.
    Running,
    /// Its views have taken over.
    Done,
    /// It failed, and the old views go on.
    Failed,
}

impl RebuildHttp {
    pub(crate) fn of(ledger: &Ledger, tokens: Tokens) -> Self {
        Self { rebuilder: ledger.rebuilder.clone(), views: ledger.views.clone(), tokens }
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Problem> {
        Ok(self.tokens.authenticate(headers, clock::now())?.may_administer()?)
    }

    fn body(&self, last: Rebuild) -> RebuildBody {
        let views_position = self.views.position();
        let never = RebuildBody {
            state: RebuildState::Never,
            started_at: None,
            finished_at: None,
            position: Position::START,
            views_position,
            error: None,
        };
        match last {
            Rebuild::Never => never,
            Rebuild::Running { started_at, position } => {
                RebuildBody { state: RebuildState::Running, started_at: Some(started_at), position, ..never }
            }
            Rebuild::Done { started_at, finished_at, position } => RebuildBody {
                state: RebuildState::Done,
                started_at: Some(started_at),
                finished_at: Some(finished_at),
                position,
                ..never
            },
            Rebuild::Failed { started_at, finished_at, position, error } => RebuildBody {
                state: RebuildState::Failed,
                started_at: Some(started_at),
                finished_at: Some(finished_at),
                position,
                error: Some(ErrorChain(&*error).to_string()),
                ..never
            },
        }
    }
}

/// Why a rebuild is neither started nor told of.
pub(crate) struct RebuildRefusals;

impl IntoResponses for RebuildRefusals {
    fn responses() -> Answers {
        Refusals::of_administrator().with_fault().into_answers()
    }
}

/// A rebuild that is under way.
fn running() -> Value {
    json!({
        "state": "running", "started_at": "2026-01-15T11:00:00Z", "finished_at": null, "position": 3,
        "views_position": 7, "error": null,
    })
}

/// Starts a rebuild, unless one is under way; tells which.
///
/// The views are folded anew from the log, beside those that serve meanwhile, and take over once they have caught up.
#[utoipa::path(
    post, path = "/v1/admin/rebuild", tag = "Administration", operation_id = "startRebuild",
    responses(
        (status = 202, description = "The rebuild that is under way.",
            content((ref(reference::<RebuildBody>()) = "application/json", example = json!(running())))),
        RebuildRefusals,
    ),
)]
pub(crate) async fn start_rebuild(
    State(state): State<RebuildHttp>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<RebuildBody>), Problem> {
    state.authorize(&headers)?;
    let started = state.rebuilder.start();
    Ok((StatusCode::ACCEPTED, Json(state.body(started))))
}

/// Tells how far the last rebuild is.
#[utoipa::path(
    get, path = "/v1/admin/rebuild", tag = "Administration", operation_id = "getRebuild",
    responses(
        (status = 200, description = "The last rebuild since the server was started.",
            content((ref(reference::<RebuildBody>()) = "application/json", example = json!(running())))),
        RebuildRefusals,
    ),
)]
pub(crate) async fn get_rebuild(
    State(state): State<RebuildHttp>,
    headers: HeaderMap,
) -> Result<Json<RebuildBody>, Problem> {
    state.authorize(&headers)?;
    let last = state.rebuilder.watch().borrow().clone();
    Ok(Json(state.body(last)))
}
