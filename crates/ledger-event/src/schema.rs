//! JSON Schemas (2020-12) of the events, made from the types that read and write them.
//!
//! There is one schema per kind, and one for any of them. What a schema cannot say is left to the parser, and stands
//! in the words of the fields: JSON Schema counts characters where our bounds are in bytes, takes `1.0` for an
//! integer, and knows nothing of the sum of some headers, the size and depth of a payload, the clock, or a field that
//! stands twice.

use schemars::generate::{Contract, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::cloud_event::Attributes;
use crate::draft::EventFields;
use crate::{
    AttemptFailed, AttemptStarted, AttemptSucceeded, CloudEvent, DeliveryCancelled, DeliveryDescription,
    DeliveryRetryScheduled, EventDraft, Kind, RecordedEvent,
};

/// The schema of an event as a sender gives it.
#[must_use]
pub fn sent_event() -> Schema {
    SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<EventDraft>()
}

/// The schema of an event as reads and exports show it.
#[must_use]
pub fn recorded_event() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<RecordedEvent<'_>>()
}

impl JsonSchema for EventDraft {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        assert_eq!(generator.contract(), &Contract::Deserialize, "a draft is only read");
        let description = "A fact about one delivery, as a sender gives it. Text is bounded in bytes of UTF-8, where a \
                           schema can only count characters.";
        any_kind(generator, description, |generator, kind| {
            let mut fields = EventFields::json_schema(generator);
            pass_over(&mut fields, ["position", "recorded_at"]);
            (kind_name("", kind), of_kind(fields, "kind", kind, generator))
        })
    }
}

impl JsonSchema for CloudEvent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CloudEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        assert_eq!(generator.contract(), &Contract::Deserialize, "a CloudEvent is only read");
        let description = "The same fact in the JSON format of CloudEvents 1.0. Extension attributes are allowed and not \
                           kept; `data_base64` is refused.";
        any_kind(generator, description, |generator, kind| {
            let attributes = Attributes::json_schema(generator);
            let mut schema = of_kind(attributes, "type", kind, generator);
            schema.insert("propertyNames".to_owned(), json!({"pattern": "^[a-z0-9]+$"}));
            (kind_name("Cloud", kind), schema)
        })
    }
}

impl JsonSchema for RecordedEvent<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RecordedEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        assert_eq!(generator.contract(), &Contract::Serialize, "a recorded event is only written");
        let description = "A fact about one delivery, complete, with its place in the log. Fields may be added to a kind: \
                           pass over those that you do not know.";
        any_kind(generator, description, |generator, kind| {
            let fields = EventFields::json_schema(generator);
            let mut schema = of_kind(fields, "kind", kind, generator);
            RecursiveTransform(as_written).transform(&mut schema);
            (kind_name("Recorded", kind), schema)
        })
    }
}

/// Takes any value in fields that are passed over: of what they are only the description is left.
fn pass_over(fields: &mut Schema, names: [&str; 2]) {
    let properties = fields.get_mut("properties").expect("a struct has properties");
    for name in names {
        properties[name] = json!({"description": properties[name]["description"]});
    }
}

fn kind_name(prefix: &str, kind: Kind) -> String {
    format!("{prefix}{kind:?}")
}

/// One of the kinds, each of which is a definition of its own.
fn any_kind(
    generator: &mut SchemaGenerator,
    description: &str,
    mut of_kind: impl FnMut(&mut SchemaGenerator, Kind) -> (String, Schema),
) -> Schema {
    let mut references = Vec::new();
    for kind in Kind::ALL {
        let (name, schema) = of_kind(generator, kind);
        references.push(Schema::new_ref(format!("#{}/{name}", generator.settings().definitions_path)));
        generator.definitions_mut().insert(name, schema.to_value());
    }
    json_schema!({"description": description, "oneOf": references})
}

/// The fields around the data, with the kind and its data.
fn of_kind(mut fields: Schema, kind_field: &str, kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    let data = match kind {
        Kind::DeliveryCreated => DeliveryDescription::json_schema(generator),
        Kind::AttemptStarted => AttemptStarted::json_schema(generator),
        Kind::AttemptSucceeded => AttemptSucceeded::json_schema(generator),
        Kind::AttemptFailed => AttemptFailed::json_schema(generator),
        Kind::DeliveryRetryScheduled => DeliveryRetryScheduled::json_schema(generator),
        Kind::DeliveryCancelled => DeliveryCancelled::json_schema(generator),
    };
    fields.insert("description".to_owned(), description_of(kind, generator));
    let properties = fields.get_mut("properties").expect("a struct has properties");
    properties[kind_field] = json!({"type": "string", "const": kind.as_str()});
    properties["data"] = data.to_value();
    let required = fields.get_mut("required").and_then(Value::as_array_mut).expect("some fields are required");
    // Every kind has a field that must be there.
    if !required.contains(&json!("data")) {
        required.push(json!("data"));
    }
    fields
}

/// The first words of the kind.
fn description_of(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    let kinds = Kind::json_schema(generator);
    let kinds = kinds.get("oneOf").and_then(Value::as_array).expect("it is one of its variants");
    let of_kind = kinds.iter().find(|schema| schema["const"] == kind.as_str());
    of_kind.expect("every kind is a variant")["description"].clone()
}

/// What is written is complete: what is absent is left out, never null, and there may be more some day.
fn as_written(schema: &mut Schema) {
    let Some(members) = schema.as_object_mut() else { return };
    members.remove("default");
    if members.get("additionalProperties") == Some(&json!(false)) {
        members.remove("additionalProperties");
    }
    if let Some(Value::Array(types)) = members.get("type") {
        let not_null = types.iter().find(|name| *name != "null").expect("something can be written").clone();
        members.insert("type".to_owned(), not_null);
    }
    if let Some(Value::Array(choices)) = members.remove("anyOf") {
        let not_null = choices.into_iter().find(|choice| choice["type"] != "null");
        let Some(Value::Object(not_null)) = not_null else { unreachable!("something can be written") };
        for (name, member) in not_null {
            members.entry(name).or_insert(member);
        }
    }
}
