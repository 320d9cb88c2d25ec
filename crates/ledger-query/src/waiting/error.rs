//! Refusals as problem documents.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use ledger_auth::{AuthError, Forbidden, Problem, WorkspaceError};
use ledger_event::{ErrorChain, IdError};

use crate::answer::AnswerError;
use crate::freshness::FreshnessError;
use crate::parameters::{OutOfBounds, ParameterError};

/// When a reader that was turned away may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WaitingError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error("workspace_id {0}")]
    WorkspaceId(IdError),
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error(transparent)]
    Integer(#[from] OutOfBounds),
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl IntoResponse for WaitingError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let problem = match self {
            Self::Auth(error) => Problem::from(error),
            Self::Workspace(error) => Problem::from(error),
            Self::Forbidden(error) => Problem::from(error),
            Self::WorkspaceId(_) => Problem::unprocessable(text).in_field("workspace_id"),
            Self::Parameter(ParameterError::Repeated { name }) => Problem::unprocessable(text).in_field(name),
            Self::Parameter(ParameterError::NotUtf8) => Problem::bad_request(text),
            Self::Integer(OutOfBounds { name, min, max }) => {
                Problem::unprocessable(text).in_field(name).over_bound(format!("an integer from {min} to {max}"))
            }
            Self::Freshness(FreshnessError::NotAPosition) => {
                Problem::unprocessable(text).in_field("Ledger-Min-Position")
            }
            Self::Freshness(FreshnessError::Timeout(_)) | Self::Answer(AnswerError::NoRoom) => {
                Problem::unavailable(text, RETRY_AFTER)
            }
            Self::Answer(ref error @ (AnswerError::Views(_) | AnswerError::Failed(_))) => {
                tracing::error!(error = %ErrorChain(error), "the waiting deliveries cannot be read");
                Problem::internal()
            }
        };
        problem.into_response()
    }
}
