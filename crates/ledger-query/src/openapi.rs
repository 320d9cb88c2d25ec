//! The read side in the OpenAPI document.

use ledger_auth::openapi::{self, Answers, NOT_FRESH, Refusals, Schemas};
use ledger_auth::{Forbidden, ParameterError, Problem, Scope, WorkspaceError, integer};
use ledger_event::{Position, SubscriptionId, WorkspaceId};
use ledger_views::WaitTimeout;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, IntoResponses, OpenApi as _};

use crate::answer::AnswerError;
use crate::freshness::FreshnessError;
use crate::{history, stats, waiting};

/// The operations of the read side.
#[must_use]
pub fn operations() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(history::list_deliveries, stats::get_stats, waiting::list_waiting))]
    struct ReadSide;

    ReadSide::openapi()
}

/// Adds the schemas that the operations name.
pub fn add_schemas(schemas: &mut Schemas) {
    schemas.add_read::<WorkspaceId>();
    schemas.add_read::<SubscriptionId>();
    schemas.add_written::<history::PageBody<'_>>();
    schemas.add_written::<history::ErrorBody>();
    schemas.add_written::<stats::StatsBody>();
    schemas.add_written::<stats::DetailBody>();
    schemas.add_written::<stats::FaultsBody>();
    schemas.add_written::<waiting::PageBody<'_>>();
    schemas.add_written::<Problem>();
}

/// What a page is asked for with.
pub(crate) fn paging(limit_max: u64, limit_default: u64) -> [Parameter; 2] {
    let limit = openapi::integer_schema(1..=limit_max, Some(limit_default));
    let offset = openapi::integer_schema(0..=u64::MAX, Some(0));
    [
        openapi::query("limit", "Most deliveries of the page.").schema(Some(limit)).build(),
        openapi::query("offset", "How many deliveries to pass over; any depth costs about the same.")
            .schema(Some(offset))
            .build(),
    ]
}

/// An answer that did not become fresh enough in time.
pub(crate) fn not_fresh() -> FreshnessError {
    FreshnessError::Timeout(WaitTimeout { reached: Position::new(2), wanted: Position::new(3) })
}

/// What the list of waiting deliveries is asked for with.
pub(crate) struct WaitingParameters;

impl IntoParams for WaitingParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let workspace = openapi::query_id::<WorkspaceId>(
            "workspace_id",
            "The workspace. It may be left out with a token that is for one.",
        );
        let [limit, offset] = paging(waiting::LIMIT_MAX, waiting::LIMIT_DEFAULT);
        vec![workspace, limit, offset, openapi::min_position()]
    }
}

/// Why there is no list of waiting deliveries.
pub(crate) struct WaitingRefusals;

impl IntoResponses for WaitingRefusals {
    fn responses() -> Answers {
        let limit = integer("limit", "0", 1..=waiting::LIMIT_MAX).expect_err("it is not within the bounds");
        let twice = ParameterError::Repeated { name: "limit" };
        let only = "whsub_1".parse().expect("it is an id");
        Refusals::of_caller(Scope::Read)
            .with(
                "The token may not: it lacks the scope, or does not see the whole workspace.",
                [
                    ("scope", Problem::from(Forbidden::Scope(Scope::Read))),
                    ("subscription", Forbidden::WholeWorkspace { only }.into()),
                ],
            )
            .with(
                "A parameter is missing or not within its bounds: which, and the bound.",
                [
                    ("limit", Problem::from(limit)),
                    ("twice", twice.into()),
                    ("workspace", WorkspaceError::Missing.into()),
                ],
            )
            .with(NOT_FRESH, [("not_fresh", Problem::from(not_fresh())), ("no_room", AnswerError::NoRoom.into())])
            .with_fault()
            .into_answers()
    }
}
