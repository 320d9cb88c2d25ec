//! Why there is no answer.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ledger_auth::{AuthError, Forbidden, ParameterError, Problem};
use ledger_event::{ErrorChain, Position, StoredEventError};
use ledger_log::LogError;
use tokio::task::JoinError;

use crate::accept::NotAcceptable;

/// When a reader that was turned away for want of room may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// When a follower may: others follow for long.
const RETRY_AFTER_FOLLOWERS: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    NotAcceptable(#[from] NotAcceptable),
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    #[error("too many reads are under way: ask again")]
    NoRoom,
    #[error("{max} follow the log already, and no more may: try again, or read it in pages")]
    TooManyFollowers { max: usize },
    #[error("cannot read the log from position {position}")]
    Read { position: Position, source: LogError },
    #[error("the log ends before position {position}, which it said it holds")]
    Missing { position: Position },
    #[error("cannot decode the event at position {position}")]
    Event { position: Position, source: StoredEventError },
    #[error("reading the log failed")]
    Broken(#[from] JoinError),
}

impl IntoResponse for FeedError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        let text = error.to_string();
        match error {
            FeedError::Auth(error) => error.into(),
            FeedError::Forbidden(error) => error.into(),
            FeedError::NotAcceptable(_) => Self::new(StatusCode::NOT_ACCEPTABLE, text),
            FeedError::Parameter(error) => error.into(),
            FeedError::NoRoom => Self::unavailable(text, RETRY_AFTER),
            FeedError::TooManyFollowers { .. } => Self::unavailable(text, RETRY_AFTER_FOLLOWERS),
            FeedError::Read { .. } | FeedError::Missing { .. } | FeedError::Event { .. } | FeedError::Broken(_) => {
                tracing::error!(error = %ErrorChain(&error), "the log cannot be read");
                Self::internal()
            }
        }
    }
}
