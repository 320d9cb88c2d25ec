//! The stats endpoint in the OpenAPI document.

use axum::extract::Path;
use ledger_auth::openapi::{self, Answers, FAULT, FORBIDDEN, NO_TOKEN, NOT_FRESH, Refusals};
use ledger_auth::{AuthError, Forbidden, Scope, WorkspaceError};
use ledger_event::limits::ID_MAX_BYTES;
use ledger_event::{SubscriptionId, WorkspaceId};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{Ref, Required};
use utoipa::{IntoParams, IntoResponses};

use super::error::{DetailBody, FaultsBody, StatsError, fault};
use super::request::parse_webhook_id;
use crate::answer::AnswerError;
use crate::openapi::not_fresh;

/// What the stats are asked for with.
pub(crate) struct StatsParameters;

impl IntoParams for StatsParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let webhook = openapi::query("webhook_id", "The webhook: what events call the subscription.");
        let webhook = webhook.parameter_in(ParameterIn::Path).required(Required::True);
        let webhook = webhook.schema(Some(Ref::new(openapi::reference::<SubscriptionId>()))).build();
        let workspace = "The workspace. It may be left out with a token that is for one.";
        vec![webhook, openapi::query_id::<WorkspaceId>("workspace_id", workspace), openapi::min_position()]
    }
}

/// Why there are no stats.
pub(crate) struct StatsRefusals;

impl IntoResponses for StatsRefusals {
    fn responses() -> Answers {
        let too_long = parse_webhook_id(Ok(Path("x".repeat(ID_MAX_BYTES + 1)))).expect_err("it is too long");
        let mut answers = Refusals::<DetailBody>::default()
            .with(NO_TOKEN, [("no_token", StatsError::Auth(AuthError::Missing))])
            .with(FORBIDDEN, [("scope", StatsError::Forbidden(Forbidden::Scope(Scope::Read)))])
            .with(FAULT, [("fault", fault())])
            .with(
                NOT_FRESH,
                [("not_fresh", StatsError::Freshness(not_fresh())), ("no_room", AnswerError::NoRoom.into())],
            )
            .into_answers();
        let faults = Refusals::<FaultsBody>::default().with(
            "A parameter is missing or not within its bounds.",
            [("webhook", too_long), ("workspace", WorkspaceError::Missing.into())],
        );
        answers.append(&mut faults.into_answers());
        answers
    }
}
