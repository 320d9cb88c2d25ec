//! `/openapi.json`: every address of the ledger, for programs and for those who write them.
//!
//! Each crate describes what it answers; here it is joined. A new operation is listed in [`Operations`] when its
//! handler stands in the server, and its schemas are added in [`schemas`].

use std::sync::LazyLock;

use axum::body::Bytes;
use http::HeaderName;
use http::header::CONTENT_TYPE;
use ledger_auth::API_KEY_HEADER;
use ledger_auth::openapi::Schemas;
use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, SecurityRequirement, Tag,
};

use super::{health, metrics, rebuild};

/// What the whole says of itself; the operations say the rest.
const DESCRIPTION: &str = include_str!("openapi/description.md");

/// The document as it is sent, made once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// The operations whose handlers stand in the server itself.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    health::get_health,
    health::get_readiness,
    metrics::get_metrics,
    rebuild::start_rebuild,
    rebuild::get_rebuild,
    get_openapi
))]
struct Operations;

/// Describes every address of the ledger, as OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Operations", operation_id = "getOpenApi",
    responses((status = 200, description = "This document.",
        content((inline(serde_json::Map<String, Value>) = "application/json")))),
    security(()),
)]
pub(super) async fn get_openapi() -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// The whole document.
fn document() -> Value {
    let mut whole = frame();
    for part in [
        ledger_ingest::http::openapi::operations(),
        ledger_feed::openapi::operations(),
        ledger_query::openapi::operations(),
        Operations::openapi(),
    ] {
        whole.merge(part);
    }
    let mut whole = serde_json::to_value(whole).expect("a document is JSON");
    let mut schemas = schemas().into_json();
    for (name, kind_field) in [("Event", "kind"), ("RecordedEvent", "kind"), ("CloudEvent", "type")] {
        let discriminator = discriminator(&schemas, name, kind_field);
        schemas[name]["discriminator"] = discriminator;
    }
    whole["components"]["schemas"] = schemas.into();
    name_request_ids(&mut whole);
    whole
}

/// The schemas that the operations name.
fn schemas() -> Schemas {
    let mut schemas = Schemas::default();
    ledger_ingest::http::openapi::add_schemas(&mut schemas);
    ledger_feed::openapi::add_schemas(&mut schemas);
    ledger_query::openapi::add_schemas(&mut schemas);
    schemas.add_written::<health::Readiness>();
    schemas.add_written::<rebuild::RebuildBody>();
    schemas
}

/// What the operations stand in.
fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Hookledger")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).identifier(Some(env!("CARGO_PKG_LICENSE"))).build(),
        ));
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of `hookledger token create`."));
    let api_key = ApiKeyValue::with_description(API_KEY_HEADER, "The same token, in a header of its own.");
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(api_key)));
    OpenApiBuilder::new()
        .info(info)
        .tags(Some(tags()))
        .components(Some(components.build()))
        .security(Some(["bearer", "api_key"].map(|scheme| SecurityRequirement::new(scheme, [""; 0]))))
        .build()
}

fn tags() -> [Tag; 4] {
    [
        ("Events", "What happened to deliveries: append it, read it, follow it."),
        ("Webhooks", "How webhooks are doing, and what happened to each delivery."),
        ("Administration", "The ledger itself, with a token of all workspaces and the scope `admin`."),
        ("Operations", "Health, readiness, metrics and this document. Open to all, without a token."),
    ]
    .map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
}

/// Tells code generators which kind is which of the schemas that one is chosen from.
fn discriminator(schemas: &Map<String, Value>, name: &str, kind_field: &str) -> Value {
    let choices = schemas[name]["oneOf"].as_array().expect("it is one of several");
    let mapping = choices.iter().map(|choice| {
        let reference = choice["$ref"].as_str().expect("each has a name");
        let chosen = reference.rsplit_once('/').expect("it is a path").1;
        let kind = schemas[chosen]["properties"][kind_field]["const"].as_str().expect("each is of one kind");
        (kind.to_owned(), json!(reference))
    });
    json!({"propertyName": kind_field, "mapping": mapping.collect::<Map<_, _>>()})
}

/// Adds the header that stands on every answer.
fn name_request_ids(document: &mut Value) {
    document["components"]["headers"]["RequestId"] = json!({
        "description": "The id of the request: the caller's `X-Request-Id`, or one of the ledger's. It stands in its log.",
        "schema": {"type": "string"},
    });
    let paths = document["paths"].as_object_mut().expect("there are paths");
    for operation in paths.values_mut().flat_map(|path| path.as_object_mut().expect("it is an object").values_mut()) {
        let answers = operation["responses"].as_object_mut().expect("every operation has answers");
        for answer in answers.values_mut() {
            answer["headers"]["X-Request-Id"] = json!({"$ref": "#/components/headers/RequestId"});
        }
    }
}

#[cfg(test)]
mod tests;
