//! What is asked for.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use ledger_auth::{Caller, ParameterError, Parameters, Scope};
use ledger_event::{IdError, SubscriptionId, WorkspaceId};
use ledger_views::SubscriptionKey;

use super::error::{FieldFault, Location, StatsError};

/// Reads and checks the parameters: bounds, then rights.
pub(super) fn parse(
    webhook_id: Result<Path<String>, PathRejection>,
    query: Option<&str>,
    caller: &Caller,
) -> Result<SubscriptionKey, StatsError> {
    let subscription_id = parse_webhook_id(webhook_id)?;
    let workspace_id = parse_workspace_id(query)?;
    caller.require(Scope::Read)?;
    let workspace_id = caller.workspace_or(workspace_id.as_ref())?;
    caller.may_see_subscription(&subscription_id)?;
    Ok(SubscriptionKey { workspace_id, subscription_id })
}

pub(super) fn parse_webhook_id(webhook_id: Result<Path<String>, PathRejection>) -> Result<SubscriptionId, StatsError> {
    let refuse = |kind, problem: String| {
        StatsError::Field(FieldFault { location: Location::Path, name: "webhook_id", kind, problem })
    };
    match webhook_id {
        Ok(Path(text)) => SubscriptionId::parse(&text).map_err(|error| refuse(kind_of(error), error.to_string())),
        Err(_) => Err(refuse("string_unicode", "is not UTF-8: an id is 1 to 255 bytes of UTF-8".to_owned())),
    }
}

fn parse_workspace_id(query: Option<&str>) -> Result<Option<WorkspaceId>, StatsError> {
    let refuse = |kind, problem: String| {
        StatsError::Field(FieldFault { location: Location::Query, name: "workspace_id", kind, problem })
    };
    let refuse_parameter = |error: ParameterError| match error {
        ParameterError::NotUtf8 => {
            refuse("string_unicode", "is not UTF-8: an id is 1 to 255 bytes of UTF-8".to_owned())
        }
        ParameterError::Repeated { .. } => refuse("value_error", "appears in the query more than once".to_owned()),
        ParameterError::OutOfBounds { bound, .. } => refuse("value_error", format!("must be {bound}")),
        ParameterError::NoId { source, .. } => refuse(kind_of(source), source.to_string()),
    };
    let parameters = Parameters::parse(query).map_err(refuse_parameter)?;
    parameters.non_empty_id("workspace_id").map_err(refuse_parameter)
}

/// The name that this contract's framework gives to the fault.
fn kind_of(error: IdError) -> &'static str {
    match error {
        IdError::Empty => "string_too_short",
        IdError::TooLong { .. } => "string_too_long",
        IdError::ControlCharacter => "string_pattern_mismatch",
    }
}
