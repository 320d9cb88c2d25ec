//! Refusals in the form of this contract: `{"error": "…"}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use ledger_auth::{AuthError, Forbidden, ParameterError};
use ledger_event::ErrorChain;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::AnswerError;
use crate::freshness::FreshnessError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("workspace_id is required")]
    NoWorkspace,
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// `ErrorResponse` of the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErrorResponse", description = "A refusal of the history.")]
pub(crate) struct ErrorBody {
    /// What is wrong, in words, with the bound.
    error: String,
}

fn answer(status: StatusCode, error: String) -> Response {
    (status, Json(ErrorBody { error })).into_response()
}

impl IntoResponse for HistoryError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        match self {
            Self::Auth(error) => {
                ([(WWW_AUTHENTICATE, error.challenge())], answer(StatusCode::UNAUTHORIZED, text)).into_response()
            }
            Self::NoWorkspace | Self::Parameter(_) | Self::Freshness(FreshnessError::NotAPosition(_)) => {
                answer(StatusCode::BAD_REQUEST, text)
            }
            Self::Forbidden(_) => answer(StatusCode::FORBIDDEN, text),
            Self::Freshness(FreshnessError::Timeout(_)) | Self::Answer(AnswerError::NoRoom) => {
                ([(RETRY_AFTER, "1")], answer(StatusCode::SERVICE_UNAVAILABLE, text)).into_response()
            }
            Self::Answer(ref error @ (AnswerError::Views(_) | AnswerError::Failed(_))) => {
                tracing::error!(error = %ErrorChain(error), "the history cannot be read");
                fault()
            }
        }
    }
}

/// The answer when it is our fault: the caller learns nothing more.
pub(super) fn fault() -> Response {
    answer(StatusCode::INTERNAL_SERVER_ERROR, "the ledger failed to answer".to_owned())
}

/// The answer to another method than `GET`.
pub(crate) async fn method_not_allowed() -> Response {
    answer(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here".to_owned())
}
