//! Every answer of every story, held against our own OpenAPI document.
//!
//! Its operation, its status, its media type and its body must be as documented. HEAD is answered as GET is, without
//! the body. Two statuses stand in no operation, and are checked by their own rule: 404 of an address that the document
//! does not name, and 405 of one that it names with other methods, in the form of its other refusals.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    Document::read(include_str!("../../../proto-schemas/openapi/hookledger.openapi.json")).expect("it is whole")
});

/// The addresses by their segments, where `{name}` stands for any.
struct Document {
    paths: Vec<(Vec<String>, Path)>,
    problem: MediaTypes,
}

/// The operations by method, and the answers of each by status.
type Path = BTreeMap<String, BTreeMap<u16, MediaTypes>>;

/// What an answer may be, by media type.
type MediaTypes = BTreeMap<String, Body>;

/// What a body must be.
struct Body {
    whole: Validator,
    /// What each line must be, or the data of each event of a stream.
    items: Option<Validator>,
}

/// Checks an answer, whatever it is.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, status: u16, headers: &HeaderMap, body: &str) {
    if let Err(fault) = DOCUMENT.check(method, path, status, headers, body) {
        panic!("{method} {path} {status} is not as documented: {fault} in {body}");
    }
}

impl Document {
    fn read(text: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(text).ok()?;
        let components = closed(&document["components"]);
        let mut paths = Vec::new();
        for (path, item) in document["paths"].as_object()? {
            let mut operations = BTreeMap::new();
            for (method, operation) in item.as_object()? {
                let mut answers = BTreeMap::new();
                for (status, answer) in operation["responses"].as_object()? {
                    answers.insert(status.parse().ok()?, media_types(&answer["content"], &components)?);
                }
                operations.insert(method.to_ascii_uppercase(), answers);
            }
            paths.push((path.split('/').map(str::to_owned).collect(), operations));
        }
        let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        Some(Self { paths, problem: media_types(&problem, &components)? })
    }

    fn check(&self, method: &Method, path: &str, status: u16, headers: &HeaderMap, body: &str) -> Result<(), String> {
        if !headers.contains_key("x-request-id") {
            return Err("there is no X-Request-Id".to_owned());
        }
        let Some(operations) = self.path(path) else {
            let is_told = status == 404;
            return if is_told { check_body(&self.problem, headers, body) } else { Err("no such path".to_owned()) };
        };
        let is_head = *method == Method::HEAD;
        let Some(answers) = operations.get(if is_head { "GET" } else { method.as_str() }) else {
            return self.check_not_allowed(operations, status, headers, body);
        };
        let media_types = answers.get(&status).ok_or("no such status")?;
        if is_head { media_type(media_types, headers).map(drop) } else { check_body(media_types, headers, body) }
    }

    /// The answer to a method that the address does not have: it names those that it has.
    fn check_not_allowed(&self, known: &Path, status: u16, headers: &HeaderMap, body: &str) -> Result<(), String> {
        let allow = headers.get("allow").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if status != 405 || !known.keys().all(|method| allow.contains(method)) {
            return Err("no such method".to_owned());
        }
        let refusals = known.values().find_map(|answers| answers.get(&401)).unwrap_or(&self.problem);
        check_body(refusals, headers, body)
    }

    fn path(&self, path: &str) -> Option<&Path> {
        let segments: Vec<_> = path.split('/').collect();
        let is_of = |known: &[String]| {
            let mut pairs = known.iter().zip(&segments);
            known.len() == segments.len() && pairs.all(|(known, segment)| known.starts_with('{') || known == segment)
        };
        self.paths.iter().find(|(known, _)| is_of(known)).map(|(_, operations)| operations)
    }
}

fn media_types(content: &Value, components: &Value) -> Option<MediaTypes> {
    let validator = |schema: &Value| {
        let mut schema = closed(schema);
        schema["components"] = components.clone();
        jsonschema::options().should_validate_formats(true).build(&schema).ok()
    };
    let mut media_types = MediaTypes::new();
    for (media_type, content) in content.as_object()? {
        let items = content.get("x-item-schema").map(|schema| validator(schema).expect("it is a schema"));
        media_types.insert(media_type.clone(), Body { whole: validator(&content["schema"])?, items });
    }
    Some(media_types)
}

/// The schema for a server that documents all it says: readers must let more members pass, but none may come unnamed.
fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("type").is_some_and(|kind| kind == "object") && members.contains_key("properties") {
                members.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn media_type<'a>(documented: &'a MediaTypes, headers: &HeaderMap) -> Result<(&'a str, &'a Body), String> {
    let sent = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    let found = documented.get_key_value(essence).ok_or_else(|| format!("the content type is {sent:?}"))?;
    Ok((found.0, found.1))
}

fn check_body(documented: &MediaTypes, headers: &HeaderMap, body: &str) -> Result<(), String> {
    let (media_type, schema) = media_type(documented, headers)?;
    let value = if media_type == "application/json" || media_type.ends_with("+json") {
        parse(body)?
    } else {
        Value::String(body.to_owned())
    };
    faults(&schema.whole, &value)?;
    let Some(items) = &schema.items else { return Ok(()) };
    let data = body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    for line in data.filter(|line| line.starts_with('{')) {
        faults(items, &parse(line)?)?;
    }
    Ok(())
}

fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn faults(validator: &Validator, value: &Value) -> Result<(), String> {
    let faults: Vec<_> = validator.iter_errors(value).map(|fault| fault.to_string()).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

#[test]
fn the_document_refuses_what_it_does_not_say() {
    let headers = |media_type: &str| {
        let header =
            |name: &str, value: &str| (name.parse().expect("it is a name"), value.parse().expect("it is a value"));
        HeaderMap::from_iter([
            header("content-type", media_type),
            header("x-request-id", "1"),
            header("allow", "GET,HEAD"),
        ])
    };
    let check = |method: Method, path: &str, status: u16, media_type: &str, body: &str| {
        DOCUMENT.check(&method, path, status, &headers(media_type), body)
    };
    let (json, problem) = ("application/json", "application/problem+json");
    let appended = r#"{"appended":1,"duplicates":0,"first_position":1,"last_position":1}"#;
    assert_eq!(check(Method::POST, "/v1/events", 200, json, appended), Ok(()));
    assert!(check(Method::POST, "/v1/events", 201, json, appended).is_err(), "no such status");
    assert!(check(Method::POST, "/v1/events", 200, problem, appended).is_err(), "no such media type");
    let more = appended.replace('}', r#","unnamed":1}"#);
    assert!(check(Method::POST, "/v1/events", 200, json, &more).is_err(), "no such member");
    assert!(check(Method::POST, "/v1/waiting", 200, json, "{}").is_err(), "no such method");
    assert!(check(Method::GET, "/v1/nowhere", 200, json, "{}").is_err(), "no such path");
    let lines = |line: &str| check(Method::GET, "/v1/events", 200, "application/x-ndjson", line);
    assert_eq!(lines(""), Ok(()));
    assert!(lines("{\"position\":1}\n").is_err(), "a line is an event");
    let told = |status: u16| format!(r#"{{"type":"about:blank","title":"t","status":{status},"detail":"d"}}"#);
    assert_eq!(check(Method::GET, "/nowhere", 404, problem, &told(404)), Ok(()));
    assert_eq!(check(Method::POST, "/readyz", 405, problem, &told(405)), Ok(()));
    let stats = "/api/v1/workspace/webhooks//stats";
    assert_eq!(check(Method::PUT, stats, 405, json, r#"{"detail":"no"}"#), Ok(()));
    assert!(check(Method::PUT, stats, 405, problem, &told(405)).is_err(), "it is not the form of the endpoint");
}
