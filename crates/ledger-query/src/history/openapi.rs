//! The history endpoint in the OpenAPI document.

use ledger_auth::openapi::{self, Answers, FAULT, FORBIDDEN, NO_TOKEN, NOT_FRESH, Refusals};
use ledger_auth::{AuthError, Forbidden, Scope, integer};
use ledger_event::{SubscriptionId, WorkspaceId};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{Ref, Required};
use utoipa::{IntoParams, IntoResponses};

use super::error::{ErrorBody, HistoryError, fault};
use super::request::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::answer::AnswerError;
use crate::openapi::{not_fresh, paging};

/// What the history is asked for with.
pub(crate) struct HistoryParameters;

impl IntoParams for HistoryParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let workspace = openapi::query("workspace_id", "The workspace.").required(Required::True);
        let workspace = workspace.schema(Some(Ref::new(openapi::reference::<WorkspaceId>()))).build();
        let subscription = "The subscription; without it the deliveries of the whole workspace are listed, which a \
                            token for one subscription may not see.";
        let subscription = openapi::query_id::<SubscriptionId>("subscription_id", subscription);
        let [limit, offset] = paging(LIMIT_MAX, LIMIT_DEFAULT);
        vec![workspace, subscription, limit, offset, openapi::min_position()]
    }
}

/// Why there is no page.
pub(crate) struct HistoryRefusals;

impl IntoResponses for HistoryRefusals {
    fn responses() -> Answers {
        let limit = integer("limit", "0", 1..=LIMIT_MAX).expect_err("it is not within the bounds");
        Refusals::<ErrorBody>::default()
            .with(
                "A parameter is missing or not within its bounds.",
                [("workspace", HistoryError::NoWorkspace), ("limit", limit.into())],
            )
            .with(NO_TOKEN, [("no_token", HistoryError::Auth(AuthError::Missing))])
            .with(FORBIDDEN, [("scope", HistoryError::Forbidden(Forbidden::Scope(Scope::Read)))])
            .with(FAULT, [("fault", fault())])
            .with(
                NOT_FRESH,
                [("not_fresh", HistoryError::Freshness(not_fresh())), ("no_room", AnswerError::NoRoom.into())],
            )
            .into_answers()
    }
}

/// A page with the delivery of the README.
pub(super) fn page() -> Value {
    json!({
        "deliveries": [{
            "id": "whdel_1", "subscription_id": "whsub_1", "event_type": "contact.created",
            "payload": {"email": "ada@example.com", "score": 12.5}, "status": "delivered", "attempts": 2,
            "max_attempts": 10, "next_attempt_at": null, "last_attempt_at": "2026-01-15T10:31:00Z",
            "delivered_at": "2026-01-15T10:31:00Z", "last_response_status": 200,
            "last_response_body": "{\"received\": true}", "last_error": null, "created_at": "2026-01-15T10:30:00Z",
        }],
        "total": 1, "limit": 20, "offset": 0,
    })
}
