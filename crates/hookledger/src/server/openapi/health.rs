//! Health and readiness in the document.

use std::borrow::Cow;

use ledger_auth::openapi::{Schemas, reference};
use ledger_event::Position;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathsBuilder};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{ContentBuilder, Info, ObjectBuilder, OpenApi, Ref, RefOr, Response, SecurityRequirement, Type};

pub(super) fn operations() -> OpenApi {
    let ok = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    let up =
        ResponseBuilder::new().description("It is up.").content("text/plain", ok.example(Some("ok\n".into())).build());
    let health = operation("getHealth", "Tells that the process is up.").response("200", up.build());

    let ready = readiness("It is ready.", json!({"status": "ready", "log_position": 7, "views_position": 7}));
    let reason = "the views stand at position 3 of 7";
    let not_ready = json!({"status": "not ready", "reason": reason, "log_position": 7, "views_position": 3});
    let not_ready = readiness("It is not ready, and why.", not_ready);
    let description = "The views have caught up with the log that was found at the start, and the log can be written.";
    let readiness = operation("getReadiness", "Tells whether the ledger is ready for requests.")
        .description(Some(description))
        .response("200", ready)
        .response("503", not_ready);

    let paths = PathsBuilder::new()
        .path("/healthz", PathItem::new(HttpMethod::Get, health))
        .path("/readyz", PathItem::new(HttpMethod::Get, readiness));
    OpenApi::new(Info::default(), paths)
}

pub(super) fn add_schemas(schemas: &mut Schemas) {
    schemas.add_written::<ReadinessSchema>();
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
    operation.tag("Operations").security(SecurityRequirement::default())
}

fn readiness(description: &str, example: Value) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::new(reference::<ReadinessSchema>()))).example(Some(example));
    ResponseBuilder::new().description(description).content("application/json", content.build()).build().into()
}

/// The body of `/readyz`.
enum ReadinessSchema {}

impl JsonSchema for ReadinessSchema {
    fn schema_name() -> Cow<'static, str> {
        "Readiness".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let position = generator.subschema_for::<Position>();
        json_schema!({
            "description": "Whether the ledger is ready, and how far log and views are.",
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": ["ready", "not ready"]},
                "reason": {"type": "string", "description": "Why it is not ready."},
                "log_position": position,
                "views_position": position,
            },
            "required": ["status", "log_position", "views_position"],
        })
    }
}
