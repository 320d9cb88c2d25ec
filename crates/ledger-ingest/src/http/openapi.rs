//! `POST /v1/events` in the OpenAPI document.

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use ledger_auth::openapi::{self, Answers, Refusals, Schemas};
use ledger_auth::{Forbidden, Problem, Scope};
use ledger_event::limits::REQUEST_MAX_EVENTS;
use ledger_event::{CloudEvent, EventDraft, ParseError, parse_json};
use ledger_log::AppendError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{ObjectBuilder, OpenApi, Required, Type};
use utoipa::{IntoParams, IntoResponses, OpenApi as _};

use super::{
    AppendAnswer, append_timed_out, body_timed_out, held_too_long, no_room, problem_of, problem_of_request,
    problem_of_unpack, request_encoding, request_format, stopped, too_large,
};
use crate::decode::{Encoding, UnpackError};
use crate::ingest::IngestError;
use crate::parse::RequestError;

/// The operation of the write side.
#[must_use]
pub fn operations() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(super::append_events))]
    struct WriteSide;

    let mut document = WriteSide::openapi();
    let append = document.paths.paths.get_mut("/v1/events").and_then(|path| path.post.as_mut());
    let body = append.and_then(|append| append.request_body.as_mut()).expect("an append has a body");
    let utoipa::openapi::RefOr::T(body) = body else { unreachable!("it stands where it is used") };
    // The macro takes a body whose schema it does not know for one that may be left out.
    body.required = Some(Required::True);
    document
}

/// Adds the schemas that the operation names.
pub fn add_schemas(schemas: &mut Schemas) {
    schemas.add_read::<Events>();
    schemas.add_read::<CloudEvent>();
    schemas.add_read::<CloudEvents>();
    schemas.add_written::<AppendAnswer>();
    schemas.add_written::<Problem>();
}

/// The body of a request in JSON or MessagePack.
pub(super) enum Events {}

impl JsonSchema for Events {
    fn schema_name() -> Cow<'static, str> {
        "Events".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One event, or an array of them.",
            "anyOf": [generator.subschema_for::<EventDraft>(), array_of::<EventDraft>(generator)],
        })
    }
}

/// The body of a request of several CloudEvents.
pub(super) enum CloudEvents {}

impl JsonSchema for CloudEvents {
    fn schema_name() -> Cow<'static, str> {
        "CloudEvents".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        array_of::<CloudEvent>(generator)
    }
}

fn array_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let items = generator.subschema_for::<T>();
    json_schema!({"type": "array", "items": items, "minItems": 1, "maxItems": REQUEST_MAX_EVENTS})
}

/// The headers of a request.
pub(super) struct AppendHeaders;

impl IntoParams for AppendHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "How the body is packed, in any of the media types: at most 16 MiB packed, and 16 MiB \
                           unpacked; a zstd window is at most 8 MiB.";
        let encodings = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["gzip", "zstd", "identity"]));
        vec![openapi::header("Content-Encoding", description).schema(Some(encodings)).build()]
    }
}

/// Why an append is refused.
pub(super) struct AppendRefusals;

impl IntoResponses for AppendRefusals {
    fn responses() -> Answers {
        let line = RequestError::Event { index: 1, line: Some(3), source: not_json() };
        let field = RequestError::Event { index: 0, line: None, source: out_of_bounds() };
        let reused = AppendError::IdReused { index: 1, id: "evt_02".parse().expect("it is an id") };
        let other_reach = Problem::from(Forbidden::Subscription).at_index(1);
        let caller = Refusals::of_caller(Scope::Append);
        let forbidden =
            [("scope", Problem::from(Forbidden::Scope(Scope::Append))), ("subscription_of_an_event", other_reach)];
        let unavailable = [
            ("no_room", no_room()),
            ("views_behind", held_too_long()),
            ("no_answer_in_time", append_timed_out()),
            ("stopped", stopped()),
        ];
        caller
            .with("The token may not: it lacks the scope, or an event is for what it does not reach.", forbidden)
            .with(
                "The body cannot be read: it is no JSON or MessagePack, is damaged, or ended early.",
                [("line", problem_of_request(line)), ("packed", damaged())],
            )
            .with("The body did not arrive in time. Send it again.", [("late", body_timed_out())])
            .with(
                "An id was used for other content. What was stored under it stays, and nothing of this request is.",
                [("id_reused", problem_of(reused.into()))],
            )
            .with(
                "The request has too many bytes or events: send fewer.",
                [("bytes", too_large()), ("events", problem_of_request(RequestError::TooManyEvents))],
            )
            .with(
                "The body is of a media type or an encoding that is not read.",
                [("media_type", media_type()), ("encoding", encoding())],
            )
            .with(
                "An event is not within its bounds: which, in which field, and the bound.",
                [("field", problem_of_request(field)), ("no_events", problem_of(IngestError::NoEvents))],
            )
            .with("Not now: send the same events again under the same ids.", unavailable)
            .with_fault()
            .into_answers()
    }
}

fn not_json() -> ParseError {
    parse_json::<EventDraft>(br#"{"id""#).expect_err("it ends early")
}

fn out_of_bounds() -> ParseError {
    let event =
        br#"{"kind":"attempt.started","subscription_id":"whsub_1","delivery_id":"whdel_1","data":{"attempt":0}}"#;
    parse_json::<EventDraft>(event).expect_err("attempts are counted from 1")
}

fn damaged() -> Problem {
    problem_of_unpack(UnpackError::EndsEarly(Encoding::Gzip))
}

fn media_type() -> Problem {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    request_format(&headers).expect_err("it is not read")
}

fn encoding() -> Problem {
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("br"))]);
    request_encoding(&headers).expect_err("it is not read")
}

/// `delivery.created` and an attempt of it, as the README sends them.
pub(super) fn created() -> Value {
    json!({
        "id": "evt_01", "kind": "delivery.created", "subscription_id": "whsub_1", "delivery_id": "whdel_1",
        "occurred_at": "2026-01-15T10:30:00Z",
        "data": {"event_type": "contact.created", "payload": {"email": "ada@example.com", "score": 12.5}},
    })
}

/// Attempts of it.
pub(super) fn attempts() -> [Value; 2] {
    let around = |id: &str, kind: &str, occurred_at: &str, data: Value| {
        json!({
            "id": id, "kind": kind, "subscription_id": "whsub_1", "delivery_id": "whdel_1",
            "occurred_at": occurred_at, "data": data,
        })
    };
    let failed = json!({
        "attempt": 1, "duration_ms": 312, "response_status": 503, "response_body": "busy", "error": "HTTP 503",
        "next_attempt_at": "2026-01-15T10:31:00Z",
    });
    let succeeded = json!({"attempt": 2, "duration_ms": 48, "response_status": 200});
    [
        around("evt_02", "attempt.failed", "2026-01-15T10:30:01Z", failed),
        around("evt_03", "attempt.succeeded", "2026-01-15T10:31:00Z", succeeded),
    ]
}

/// The least that works: an attempt that describes its delivery.
pub(super) fn described() -> Value {
    json!({
        "id": "evt_04", "kind": "attempt.succeeded", "subscription_id": "whsub_1", "delivery_id": "whdel_2",
        "occurred_at": "2026-01-15T10:32:01Z",
        "data": {
            "attempt": 1, "duration_ms": 51, "response_status": 204,
            "delivery": {
                "created_at": "2026-01-15T10:32:00Z", "event_type": "contact.created",
                "payload": {"email": "grace@example.com"},
            },
        },
    })
}

/// An event a line.
pub(super) fn lines() -> String {
    attempts().map(|event| event.to_string() + "\n").concat()
}

/// The second attempt, as a CloudEvent.
pub(super) fn cloud_event() -> Value {
    json!({
        "specversion": "1.0", "id": "evt_05", "type": "attempt.succeeded", "subject": "whdel_2",
        "source": "https://dispatcher.example/workspaces/ws_1/subscriptions/whsub_1", "time": "2026-01-15T10:32:01Z",
        "data": {"attempt": 1, "duration_ms": 51, "response_status": 204},
    })
}
