//! Every answer of the documented endpoints, held against the contracts' own documents.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const HISTORY_PATH: &str = "/api/webhookSubscriptions.deliveries";
const STATS_PATH: &str = "/api/v1/workspace/webhooks/{webhook_id}/stats";

static HISTORY: LazyLock<Contract> = LazyLock::new(|| {
    Contract::read(include_str!("../../../proto-schemas/openapi/history.contract.json"), HISTORY_PATH)
});
static STATS: LazyLock<Contract> =
    LazyLock::new(|| Contract::read(include_str!("../../../proto-schemas/openapi/stats.contract.json"), STATS_PATH));

/// What a document says of the answers of its endpoint, by status.
struct Contract {
    answers: Vec<(u16, Validator)>,
}

/// Checks an answer, if it is one of a documented endpoint's, with a status that its document knows.
pub(crate) fn check(path: &str, status: u16, body: &str) {
    let Some(contract) = contract_of(path) else { return };
    let Some((_, validator)) = contract.answers.iter().find(|(documented, _)| *documented == status) else { return };
    if body.is_empty() {
        // The answer to a HEAD.
        return;
    }
    let body: Value = serde_json::from_str(body).expect("a documented answer is JSON");
    let faults: Vec<String> = validator.iter_errors(&body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{path} {status} is not as documented: {faults:?} in {body}");
}

fn contract_of(path: &str) -> Option<&'static Contract> {
    let (before, after) = STATS_PATH.split_once("{webhook_id}").expect("it has the parameter");
    if path == HISTORY_PATH {
        Some(&HISTORY)
    } else if path.starts_with(before) && path.ends_with(after) {
        Some(&STATS)
    } else {
        None
    }
}

impl Contract {
    fn read(document: &str, path: &str) -> Self {
        let document: Value = serde_json::from_str(document).expect("the document is JSON");
        let components = as_json_schema(&document["components"]);
        let responses = document["paths"][path]["get"]["responses"].as_object().expect("it documents answers");
        let answers = responses.iter().map(|(status, response)| {
            let mut schema = as_json_schema(&response["content"]["application/json"]["schema"]);
            schema["components"] = components.clone();
            let validator = jsonschema::options().should_validate_formats(true).build(&schema);
            (status.parse().expect("it is a status"), validator.expect("it is a schema"))
        });
        Self { answers: answers.collect() }
    }
}

/// OpenAPI 3.0 says `nullable` where JSON Schema lists `null` among the types and the values of an enumeration.
fn as_json_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut members: Map<String, Value> =
                members.iter().map(|(name, member)| (name.clone(), as_json_schema(member))).collect();
            if members.remove("nullable") == Some(Value::Bool(true)) {
                let named = members["type"].clone();
                members.insert("type".to_owned(), json!([named, "null"]));
            }
            Value::Object(members)
        }
        Value::Array(items) => items.iter().map(as_json_schema).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

#[test]
fn the_contracts_refuse_what_they_do_not_document() {
    let of = |contract: &Contract, status: u16, body: Value| {
        let (_, validator) = contract.answers.iter().find(|(known, _)| *known == status).expect("it is documented");
        validator.is_valid(&body)
    };
    let page = |delivery: Value| json!({"deliveries": [delivery], "total": 1, "limit": 20, "offset": 0});
    assert!(of(&HISTORY, 200, page(json!({"status": "failed", "next_attempt_at": null}))));
    assert!(!of(&HISTORY, 200, page(json!({"status": "retrying"}))));
    assert!(!of(&HISTORY, 200, page(json!({"created_at": null}))));
    assert!(!of(&HISTORY, 200, page(json!({"delivered_at": "yesterday"}))));
    assert!(!of(&HISTORY, 401, json!({"detail": "no"})));
    assert!(!of(&STATS, 200, json!({"total": 1})));
    assert!(!of(&STATS, 422, json!({"detail": [{"loc": ["path"], "msg": "m"}]})));
}
