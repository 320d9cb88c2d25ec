//! The document is whole, is the committed one, and its examples are what it says they are.

use jsonschema::Validator;
use ledger_event::testing::assert_committed;

use super::*;

#[test]
fn the_committed_document_is_that_of_the_code() {
    let text = serde_json::to_string_pretty(&document()).expect("it is JSON") + "\n";
    assert_committed("openapi/hookledger.openapi.json", &text);
}

#[test]
fn the_events_are_those_of_the_json_schemas() {
    let document = document();
    for schema in [ledger_event::schema::sent_event(), ledger_event::schema::recorded_event()] {
        let text = schema.to_value().to_string().replace("#/$defs/", "#/components/schemas/");
        let schema: Value = serde_json::from_str(&text).expect("it is JSON");
        let name = schema["title"].as_str().expect("it has a name");
        assert_eq!(document["components"]["schemas"][name]["oneOf"], schema["oneOf"]);
        for (name, part) in schema["$defs"].as_object().expect("it has parts") {
            assert_eq!(document["components"]["schemas"][name], *part, "{name}");
        }
    }
}

/// Walks through every value of the document.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    walk(&document, &mut |value| {
        let Some(reference) = value["$ref"].as_str() else { return };
        let path = reference.strip_prefix('#').expect("nothing stands elsewhere");
        assert!(document.pointer(path).is_some(), "{reference} is not there");
    });
}

#[test]
fn every_schema_is_one_and_is_named_by_an_operation() {
    let document = document();
    let mut named = std::collections::BTreeSet::new();
    walk(&document, &mut |value| {
        named.extend(value["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/")));
    });
    for (name, schema) in document["components"]["schemas"].as_object().expect("there are schemas") {
        jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(named.contains(name.as_str()), "nothing has the schema {name}");
    }
}

#[test]
fn every_operation_has_words_and_a_name_of_its_own() {
    let document = document();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("there are paths") {
        for (method, operation) in item.as_object().expect("it is an object") {
            let text = |member: &str| operation[member].as_str().unwrap_or_default();
            assert!(!text("summary").is_empty(), "{method} {path}");
            assert!(names.insert(text("operationId").to_owned()), "{method} {path}");
            let tag = &operation["tags"][0];
            let is_known = tags().iter().any(|known| *tag == *known.name);
            assert!(is_known && operation["tags"][1].is_null(), "{method} {path} {tag}");
        }
    }
}

fn validator(schema: &Value, document: &Value) -> Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&schema).expect("it is a schema")
}

/// Every media type of the document: of what is sent, and of what is answered.
fn contents(document: &Value) -> Vec<(String, &Value)> {
    let mut contents = Vec::new();
    walk(document, &mut |value| {
        let media_types = value["content"].as_object().into_iter().flatten();
        contents.extend(media_types.map(|(media_type, content)| (media_type.clone(), content)));
    });
    contents
}

#[test]
fn every_example_is_of_its_schema() {
    let document = document();
    let mut checked = 0;
    for (media_type, content) in contents(&document) {
        let validator = validator(&content["schema"], &document);
        let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        for example in content.get("example").into_iter().chain(named) {
            let faults: Vec<_> = validator.iter_errors(example).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{media_type}: {faults:?} in {example}");
            checked += 1;
        }
        let Some(item) = content.get("x-item-schema") else { continue };
        let validator = self::validator(item, &document);
        let text = content["example"].as_str().expect("lines are text");
        let data = text.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        for line in data.filter(|line| line.starts_with('{')) {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            assert!(validator.is_valid(&line), "{media_type}: {line}");
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} examples");
}
