//! Refusals in the form of this contract: `{"detail": …}`, of a parameter `{"detail": [{"loc", "msg", "type"}]}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use ledger_auth::{AuthError, Forbidden, WorkspaceError};
use ledger_event::ErrorChain;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::AnswerError;
use crate::freshness::FreshnessError;

/// Why there are no stats.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatsError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("{0}")]
    Field(FieldFault),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// A parameter that is missing or out of its bounds.
#[derive(Debug, thiserror::Error)]
#[error("{name} {problem}")]
pub(crate) struct FieldFault {
    pub(crate) location: Location,
    pub(crate) name: &'static str,
    /// The kind of fault, as the contract's framework calls it.
    pub(crate) kind: &'static str,
    /// What is wrong, with the bound.
    pub(crate) problem: String,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Location {
    Path,
    Query,
    Header,
}

/// A refusal that is not of a parameter.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DetailResponse", description = "A refusal of the stats that is not of a parameter.")]
pub(crate) struct DetailBody {
    /// What is wrong, in words.
    detail: String,
}

/// `HTTPValidationError` of the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HTTPValidationError", description = "A refusal of the stats for a parameter.")]
pub(crate) struct FaultsBody {
    /// The parameter that was refused.
    detail: [ValidationError; 1],
}

/// `ValidationError` of the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(description = "A parameter that is missing or out of its bounds.")]
struct ValidationError {
    /// Where it stands, and its name.
    #[schemars(with = "Vec<String>")]
    loc: (Location, &'static str),
    /// What is wrong, with the bound.
    msg: String,
    /// The kind of fault.
    r#type: &'static str,
}

impl From<WorkspaceError> for StatsError {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::Missing => Self::Field(FieldFault {
                location: Location::Query,
                name: "workspace_id",
                kind: "missing",
                problem: "is required with a token for all workspaces".to_owned(),
            }),
            WorkspaceError::Forbidden(forbidden) => Self::Forbidden(forbidden),
        }
    }
}

fn answer(status: StatusCode, detail: impl Into<String>) -> Response {
    (status, Json(DetailBody { detail: detail.into() })).into_response()
}

fn unprocessable(fault: &FieldFault) -> Response {
    let error = ValidationError { loc: (fault.location, fault.name), msg: fault.to_string(), r#type: fault.kind };
    (StatusCode::UNPROCESSABLE_ENTITY, Json(FaultsBody { detail: [error] })).into_response()
}

impl IntoResponse for StatsError {
    fn into_response(self) -> Response {
        match &self {
            Self::Auth(error) => {
                let is_missing = *error == AuthError::Missing;
                let detail = if is_missing { "Not authenticated".to_owned() } else { error.to_string() };
                ([(WWW_AUTHENTICATE, error.challenge())], answer(StatusCode::UNAUTHORIZED, detail)).into_response()
            }
            Self::Field(fault) => unprocessable(fault),
            Self::Freshness(FreshnessError::NotAPosition(_)) => unprocessable(&FieldFault {
                location: Location::Header,
                name: "Ledger-Min-Position",
                kind: "int_parsing",
                problem: format!("must be an integer from 0 to {}", u64::MAX),
            }),
            Self::Freshness(FreshnessError::Timeout(_)) | Self::Answer(AnswerError::NoRoom) => {
                ([(RETRY_AFTER, "1")], answer(StatusCode::SERVICE_UNAVAILABLE, self.to_string())).into_response()
            }
            Self::Forbidden(forbidden) => answer(StatusCode::FORBIDDEN, forbidden.to_string()),
            Self::Answer(error @ (AnswerError::Views(_) | AnswerError::Failed(_))) => {
                tracing::error!(error = %ErrorChain(error), "the stats cannot be read");
                fault()
            }
        }
    }
}

/// The answer when it is our fault: the caller learns nothing more.
pub(super) fn fault() -> Response {
    answer(StatusCode::INTERNAL_SERVER_ERROR, "the ledger failed to answer")
}

/// The answer to another method than `GET`.
pub(crate) async fn method_not_allowed() -> Response {
    answer(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
