//! `GET /v1/events` in the OpenAPI document.

use std::borrow::Cow;

use ledger_auth::openapi::{self, Answers, Refusals, Schemas};
use ledger_auth::{ParameterError, Problem, Scope, integer};
use ledger_event::{IdError, Kind, Position, RecordedEvent, SubscriptionId, WorkspaceId};
use ledger_log::{ChainHash, Head, HeadSigner, LedgerId, LogIdentity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{ObjectBuilder, OpenApi, Ref, Required, Type};
use utoipa::{IntoParams, IntoResponses, OpenApi as _};

use crate::DEFAULT_FOLLOWERS_MAX;
use crate::accept::NotAcceptable;
use crate::error::FeedError;
use crate::request::{LIMIT_DEFAULT, LIMIT_MAX, POSITION_MAX};
use crate::segments::{SegmentList, no_segment, no_turn};

/// The log of the examples, and where it ends.
const IDENTITY: LogIdentity = LogIdentity { ledger_id: LedgerId([0x5e; 16]), partition: 0 };
const HEAD: Head = Head { position: Position::new(970), hash: ChainHash([7; 32]) };

/// The operations of the feed.
#[must_use]
pub fn operations() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(
        crate::get_events,
        crate::checkpoint::get_checkpoint,
        crate::segments::list_segments,
        crate::segments::get_segment
    ))]
    struct FeedSide;

    FeedSide::openapi()
}

/// Adds the schemas that the operation names.
pub fn add_schemas(schemas: &mut Schemas) {
    schemas.add_read::<WorkspaceId>();
    schemas.add_read::<SubscriptionId>();
    schemas.add_read::<Kind>();
    schemas.add_written::<RecordedEvent<'_>>();
    schemas.add_written::<LogPage>();
    schemas.add_written::<SegmentList>();
    schemas.add_written::<Problem>();
}

/// A page in JSON, which is written event by event.
pub(crate) enum LogPage {}

impl JsonSchema for LogPage {
    fn schema_name() -> Cow<'static, str> {
        "LogPage".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (event, position) =
            (generator.subschema_for::<RecordedEvent<'_>>(), generator.subschema_for::<Position>().to_value());
        let with = |description: &str| {
            let mut position = position.clone();
            position["description"] = description.into();
            position
        };
        json_schema!({
            "description": "A page of the log.",
            "type": "object",
            "properties": {
                "events": {"type": "array", "items": event},
                "next_position": with("Where to go on: send it as `from`. Beyond `head` when nothing is left."),
                "head": with("Where the log ended when it was read."),
            },
            "required": ["events", "next_position", "head"],
        })
    }
}

/// What is asked for.
pub(crate) struct FeedParameters;

impl IntoParams for FeedParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let reach = "Only events of this one; that of the token, when the token is for one.";
        let from = "The first position that is wanted. A follower that does not say begins after what is there.";
        let last_seen = "Of a follower: the position of the last event that it has seen, which browsers send by \
                         themselves. It wins over `from`, and cannot be beyond the end of the log. A page passes over it.";
        let limit = "Most events of a page. A page also ends after about 4 MiB, or when much of the log was looked \
                     through for few events. It does not bound a follower.";
        let positions = |min: u64| openapi::integer_schema(min..=POSITION_MAX, None);
        vec![
            openapi::query("from", from).schema(Some(positions(1))).build(),
            openapi::query("limit", limit)
                .schema(Some(openapi::integer_schema(1..=LIMIT_MAX, Some(LIMIT_DEFAULT))))
                .build(),
            openapi::query_id::<WorkspaceId>("workspace_id", reach),
            openapi::query_id::<SubscriptionId>("subscription_id", reach),
            openapi::query("kind", "Only events of this kind.")
                .schema(Some(Ref::new(openapi::reference::<Kind>())))
                .build(),
            openapi::header("Last-Event-ID", last_seen)
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .build(),
        ]
    }
}

/// Why there is no answer.
pub(crate) struct FeedRefusals;

impl IntoResponses for FeedRefusals {
    fn responses() -> Answers {
        let out_of_bounds = integer("limit", "0", 1..=LIMIT_MAX).expect_err("it is not within the bounds");
        let no_id = ParameterError::NoId { name: "workspace_id", source: IdError::Empty };
        let followers = FeedError::TooManyFollowers { max: DEFAULT_FOLLOWERS_MAX };
        Refusals::of_caller(Scope::Read)
            .with(
                "Events are not answered in the form that `Accept` asks for.",
                [("accept", FeedError::NotAcceptable(NotAcceptable))],
            )
            .with(
                "A parameter is not within its bounds: which, and the bound.",
                [("limit", FeedError::Parameter(out_of_bounds)), ("workspace", no_id.into())],
            )
            .with(
                "Not now: too many reads or followers are under way.",
                [("no_room", FeedError::NoRoom), ("followers", followers)],
            )
            .with_fault()
            .into_answers()
    }
}

/// Why there is no checkpoint.
pub(crate) struct CheckpointRefusals;

impl IntoResponses for CheckpointRefusals {
    fn responses() -> Answers {
        Refusals::of_caller(Scope::Read).with_fault().into_answers()
    }
}

/// Why there is no list of segments.
pub(crate) struct AdministrationRefusals;

impl IntoResponses for AdministrationRefusals {
    fn responses() -> Answers {
        Refusals::of_administrator().with_fault().into_answers()
    }
}

/// Which segment is asked for.
pub(crate) struct SegmentParameters;

impl IntoParams for SegmentParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let first = openapi::query("first", "The position of its first event.").parameter_in(ParameterIn::Path);
        let first = first.required(Required::True).schema(Some(openapi::integer_schema(1..=POSITION_MAX, None)));
        vec![first.build()]
    }
}

/// Why there is no segment.
pub(crate) struct SegmentRefusals;

impl IntoResponses for SegmentRefusals {
    fn responses() -> Answers {
        let out_of_bounds = integer("first", "x", 1..=POSITION_MAX).expect_err("it is no number");
        Refusals::of_administrator()
            .with("No segment begins there.", [("none", no_segment(Position::new(7)))])
            .with("It is no position.", [("first", Problem::from(out_of_bounds))])
            .with("Not now: too many segments are being handed over.", [("no_turn", no_turn())])
            .with_fault()
            .into_answers()
    }
}

/// A log of which half is sealed.
pub(crate) fn segment_list() -> Value {
    let LogIdentity { ledger_id, .. } = IDENTITY;
    json!({
        "ledger_id": ledger_id.to_string(), "head": HEAD.to_string(), "first_unsealed": 486,
        "segments": [{"first": 1, "last": 485, "hash": HEAD.hash.to_string(), "bytes": 60_217}],
    })
}

/// A signed head.
pub(crate) fn checkpoint() -> String {
    HeadSigner::new(&[1; 32], &IDENTITY).sign(HEAD)
}

/// A recorded event.
pub(crate) fn event() -> Value {
    json!({
        "position": 1, "recorded_at": "2026-01-15T10:30:00.004211Z", "id": "evt_01", "kind": "delivery.created",
        "workspace_id": "ws_1", "subscription_id": "whsub_1", "delivery_id": "whdel_1",
        "occurred_at": "2026-01-15T10:30:00Z",
        "data": {
            "event_type": "contact.created", "payload": {"email": "ada@example.com", "score": 12.5}, "max_attempts": 10,
        },
    })
}

/// The beginning of a stream, and an event.
pub(crate) fn stream() -> String {
    format!("retry: 1000\nid: 0\n\nid: 1\nevent: delivery.created\ndata: {}\n\n", event())
}
