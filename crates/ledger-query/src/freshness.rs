//! Reading one's own writes: `Ledger-Min-Position` on the way in, `Ledger-Position` on the way out.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use ledger_auth::{LEDGER_MIN_POSITION, LEDGER_POSITION, ParameterError, Problem, integer};
use ledger_event::Position;
use ledger_views::{ReadModel, WaitTimeout};

use crate::answer::RETRY_AFTER;

/// How long an answer waits for the position that its reader asks for.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Why an answer cannot be as fresh as its reader asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FreshnessError {
    /// The header is no position.
    #[error(transparent)]
    NotAPosition(#[from] ParameterError),
    /// The views did not come so far in time.
    #[error(transparent)]
    Timeout(#[from] WaitTimeout),
}

/// Waits until the views have reached the position that the request asks for, if it asks for one.
pub(crate) async fn wait_for_min_position(views: &ReadModel, headers: &HeaderMap) -> Result<(), FreshnessError> {
    let Some(value) = headers.get(LEDGER_MIN_POSITION) else { return Ok(()) };
    let wanted = integer("Ledger-Min-Position", value.to_str().unwrap_or_default(), 0..=u64::MAX)?;
    Ok(views.reached(Position::new(wanted), WAIT_MAX).await?)
}

impl From<FreshnessError> for Problem {
    fn from(error: FreshnessError) -> Self {
        match error {
            FreshnessError::NotAPosition(error) => error.into(),
            FreshnessError::Timeout(_) => Self::unavailable(error.to_string(), RETRY_AFTER),
        }
    }
}

/// The header that names the position of an answer.
pub(crate) fn position_header(position: Position) -> [(HeaderName, HeaderValue); 1] {
    [(LEDGER_POSITION, HeaderValue::from(position.get()))]
}
