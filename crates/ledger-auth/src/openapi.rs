//! What the parts of the OpenAPI document are made with, by every crate that answers HTTP.
//!
//! An operation is described beside its handler (`#[utoipa::path]`), a schema is made from the type that is written
//! or read ([`Schemas`]), and a refusal is its own example ([`Refusals`]): nothing is described twice.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::body::{Body, to_bytes};
use axum::response::IntoResponse;
use http::HeaderName;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use utoipa::IntoResponses;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Required, Response, Type};

use crate::caller::Forbidden;
use crate::error::AuthError;
use crate::headers::LEDGER_MIN_POSITION;
use crate::problem::Problem;
use crate::scope::Scope;

/// What a 401 is for.
pub const NO_TOKEN: &str = "There is no token, or it is not valid.";
/// What a 403 is for.
pub const FORBIDDEN: &str = "The token may not: it lacks the scope, or is for another workspace or subscription.";
/// What a 500 is for.
pub const FAULT: &str = "It is the ledger's fault; its log says more.";
/// What a 503 of the views is for.
pub const NOT_FRESH: &str = "Not now: the views have not come so far, or too many answers are under way.";

/// Longest refusal that is shown as an example, in bytes.
const REFUSAL_MAX_BYTES: usize = 64 * 1024;

/// Where the schemas stand in the document.
const SCHEMAS: &str = "/components/schemas";

/// The answers of an operation, by status.
pub type Answers = BTreeMap<String, RefOr<Response>>;

/// The reference to the schema of a type.
#[must_use]
pub fn reference<T: JsonSchema>() -> String {
    format!("#{SCHEMAS}/{}", T::schema_name())
}

/// The schemas of the document: of what requests hold, and of what answers hold.
#[derive(Debug)]
pub struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
        let [read, written] = [settings().for_deserialize(), settings().for_serialize()];
        Self { read: read.into_generator(), written: written.into_generator() }
    }
}

impl Schemas {
    /// Adds what requests hold.
    pub fn add_read<T: JsonSchema>(&mut self) {
        self.read.subschema_for::<T>();
    }

    /// Adds what answers hold.
    pub fn add_written<T: JsonSchema>(&mut self) {
        self.written.subschema_for::<T>();
    }

    /// The schemas by name.
    ///
    /// # Panics
    ///
    /// When a type is read in one form and written in another: each form then needs a name of its own.
    #[must_use]
    pub fn into_json(mut self) -> Map<String, Value> {
        let mut schemas = self.read.take_definitions(true);
        for (name, schema) in self.written.take_definitions(true) {
            let read = schemas.entry(&name).or_insert_with(|| schema.clone());
            assert_eq!(*read, schema, "{name} is read in one form and written in another: give them two names");
        }
        schemas
    }
}

/// A query parameter, which may be left out.
pub fn query(name: &str, description: &str) -> ParameterBuilder {
    optional(name, ParameterIn::Query, description)
}

/// A header of the request, which may be left out.
pub fn header(name: &str, description: &str) -> ParameterBuilder {
    optional(name, ParameterIn::Header, description)
}

fn optional(name: &str, place: ParameterIn, description: &str) -> ParameterBuilder {
    let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(Required::False);
    parameter.description(Some(description))
}

/// An integer within bounds, with what it is when it is left out.
pub fn integer_schema(bounds: RangeInclusive<u64>, default: Option<u64>) -> ObjectBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(*bounds.start()));
    schema.maximum(Some(*bounds.end())).default(default.map(Value::from))
}

/// An id in the query, which may be left out; an empty one counts as left out.
#[must_use]
pub fn query_id<T: JsonSchema>(name: &str, description: &str) -> Parameter {
    let id = T::json_schema(&mut SchemaGenerator::default());
    let max_length = id.get("maxLength").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let pattern = id.get("pattern").and_then(Value::as_str);
    let schema = ObjectBuilder::new().schema_type(Type::String).max_length(max_length).pattern(pattern);
    query(name, description).schema(Some(schema)).build()
}

/// The header by which a reader asks for its own writes.
#[must_use]
pub fn min_position() -> Parameter {
    let description = "Waits until the answer holds this position, at most 10 s: send the `Ledger-Position` of an append \
                       to read what it wrote.";
    let parameter = header(&title_case(&LEDGER_MIN_POSITION), description);
    // What it is at most is where the log ends.
    let position = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    parameter.schema(Some(position)).example(Some(Value::from(3))).build()
}

/// Refusals as the answers of an operation: each is told by what is really sent, in the form of `T`.
pub struct Refusals<T>(Answers, PhantomData<T>);

impl<T> Default for Refusals<T> {
    fn default() -> Self {
        Self(Answers::new(), PhantomData)
    }
}

impl Refusals<Problem> {
    /// Those that every operation with a token has: 401, and 403 for want of that scope or of a reach.
    #[must_use]
    pub fn of_caller(scope: Scope) -> Self {
        Self::of_token(Forbidden::Scope(scope), Forbidden::Workspace)
    }

    /// Those that every operation on the ledger itself has: 401, and 403 for want of the scope `admin` or of all
    /// workspaces.
    #[must_use]
    pub fn of_administrator() -> Self {
        Self::of_token(Forbidden::Scope(Scope::Admin), Forbidden::AllWorkspaces)
    }

    fn of_token(scope: Forbidden, workspace: Forbidden) -> Self {
        let forbidden = [("scope", scope), ("workspace", workspace)];
        Self::default()
            .with(NO_TOKEN, [("no_token", Problem::from(AuthError::Missing))])
            .with(FORBIDDEN, forbidden.map(|(name, forbidden)| (name, Problem::from(forbidden))))
    }

    /// The one that every operation has: 500.
    #[must_use]
    pub fn with_fault(self) -> Self {
        self.with(FAULT, [("fault", Problem::internal())])
    }
}

impl<T: JsonSchema> Refusals<T> {
    /// Adds a status, with the refusals that have it by name.
    ///
    /// # Panics
    ///
    /// When they differ in status or media type.
    #[must_use]
    pub fn with<R: IntoResponse, const N: usize>(mut self, description: &str, refusals: [(&str, R); N]) -> Self {
        let mut answer = ResponseBuilder::new().description(description);
        let (mut told, mut examples) = (None, Vec::new());
        for (name, refusal) in refusals {
            let (parts, body) = refusal.into_response().into_parts();
            let is = (parts.status, parts.headers.get(CONTENT_TYPE).cloned());
            assert_eq!(*told.get_or_insert_with(|| is.clone()), is, "the refusals of one status are of one form");
            for header in parts.headers.keys().filter(|name| !matches!(**name, CONTENT_TYPE | CONTENT_LENGTH)) {
                answer = answer.header(title_case(header), refusal_header(header));
            }
            examples.push((name.to_owned(), ExampleBuilder::new().value(Some(json_of(body))).build()));
        }
        let (status, media_type) = told.expect("there is one");
        let media_type = media_type.expect("a refusal has a body").to_str().expect("it is plain text").to_owned();
        let schema = Ref::new(reference::<T>());
        let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
        self.0.insert(status.as_str().to_owned(), answer.content(media_type, content).build().into());
        self
    }

    /// The answers by status.
    #[must_use]
    pub fn into_answers(self) -> Answers {
        self.0
    }
}

/// The refusal of an operation without a token that has no other: 500.
pub struct Fault;

impl IntoResponses for Fault {
    fn responses() -> Answers {
        Refusals::<Problem>::default().with_fault().into_answers()
    }
}

/// The JSON of a body that is in memory.
fn json_of(body: Body) -> Value {
    let mut bytes = pin!(to_bytes(body, REFUSAL_MAX_BYTES));
    match bytes.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(bytes)) => serde_json::from_slice(&bytes).expect("refusals are JSON"),
        Poll::Ready(Err(_)) | Poll::Pending => unreachable!("a refusal is small, and in memory"),
    }
}

/// A header of a refusal.
fn refusal_header(name: &HeaderName) -> Header {
    let (schema, description) = match *name {
        RETRY_AFTER => (Type::Integer, "After how many seconds to come back."),
        WWW_AUTHENTICATE => {
            (Type::String, "The scheme `Bearer`; with `error=\"invalid_token\"` when a token was sent.")
        }
        ACCEPT_ENCODING => (Type::String, "The encodings that are read, when it is the encoding that is not."),
        _ => unreachable!("{name} stands on no refusal"),
    };
    let schema = ObjectBuilder::new().schema_type(schema);
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// The name of a header as people write it.
fn title_case(name: &HeaderName) -> String {
    let part = |part: &str| match part {
        "www" => "WWW".to_owned(),
        part => part[..1].to_ascii_uppercase() + &part[1..],
    };
    name.as_str().split('-').map(part).collect::<Vec<_>>().join("-")
}

impl JsonSchema for Problem {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A refusal, as RFC 9457 problem details. The status tells problems apart; what a program acts \
                            upon stands beside `detail`.",
            "type": "object",
            "properties": {
                "type": {"type": "string", "const": "about:blank"},
                "title": {"type": "string", "description": "The status in words."},
                "status": {"type": "integer", "description": "The status of the answer."},
                "detail": {"type": "string", "description": "What is wrong, in words, with the bound."},
                "index": {"type": "integer", "minimum": 0, "description": "Which event of the request is meant, from 0."},
                "line": {"type": "integer", "minimum": 1, "description": "The line it stands in, from 1, in NDJSON."},
                "field": {"type": "string", "description": "The field, parameter or header that is meant, such as \
                          `data.attempt`."},
                "bound": {"type": "string", "description": "What it must be."},
                "id": {"type": "string", "description": "The id that was used before, of a 409."},
            },
            "required": ["type", "title", "status", "detail"],
        })
    }
}
