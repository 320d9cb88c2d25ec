//! Why an event is refused, by field.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// A field that is out of its bounds, missing, or not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct FieldError {
    /// The path of the field, such as `data.attempt`.
    pub field: Cow<'static, str>,
    /// What is wrong with it, with the bound: a phrase that goes on from the field's name.
    pub problem: String,
}

impl FieldError {
    /// The refusal of that field.
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The bound that the field crossed, in words, where the problem states one.
    #[must_use]
    pub fn bound(&self) -> Option<&str> {
        let (_, bound) = self.problem.split_once(", expected ").or_else(|| self.problem.split_once(": "))?;
        Some(bound)
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }
}

/// Why a JSON text could not be read as a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text is not JSON.
    #[error("not JSON: {reason}")]
    Syntax {
        /// What the parser said, with line and column.
        reason: String,
    },
    /// The text is JSON, but a field is not what it must be.
    #[error(transparent)]
    Field(FieldError),
}

/// Reads a value from JSON text.
///
/// The path of a refused field is looked for in a second reading, so that good input pays nothing for it.
///
/// # Errors
///
/// When the text is not JSON, or a field is out of its bounds, missing or unknown.
pub fn parse_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, ParseError> {
    serde_json::from_slice(json).map_err(|error| explain::<T>(json, &error))
}

fn explain<T: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> ParseError {
    if !error.is_data() {
        return ParseError::Syntax { reason: error.to_string() };
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => String::new(),
        Err(error) => error.path().to_string(),
    };
    let text = error.to_string();
    let text = text.split_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    ParseError::Field(field_error(&path, text))
}

/// Turns serde's words into the field and a phrase that goes on from its name.
fn field_error(path: &str, text: &str) -> FieldError {
    let inner = |name: &str| match path {
        "" | "." => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let named = |prefix: &str| {
        let (name, _) = text.strip_prefix(prefix)?.split_once('`')?;
        Some(name)
    };
    if let Some(name) = named("missing field `") {
        return FieldError::new(inner(name), "is missing");
    }
    for (prefix, problem) in [("unknown field `", "is not a known field"), ("duplicate field `", "stands twice")] {
        let Some(name) = named(prefix) else { continue };
        // The path ends with the field's own name where the fault was met after its name was read.
        let field = if path == name || path.ends_with(&format!(".{name}")) { path.to_owned() } else { inner(name) };
        return FieldError::new(field, problem);
    }
    let field = if path == "." { String::new() } else { path.to_owned() };
    let article = match text.starts_with("invalid ") || text.starts_with("unknown ") {
        true => "is an ",
        false => "",
    };
    FieldError::new(field, format!("{article}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventDraft;

    fn refusal(json: &str) -> String {
        parse_json::<EventDraft>(json.as_bytes()).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_refusal_names_the_field_and_the_bound() {
        let start = r#""kind":"attempt.started","subscription_id":"s","delivery_id":"d""#;
        let refusals = [
            (
                format!(r#"{{{start},"data":{{"attempt":0}}}}"#),
                "data.attempt is an invalid value: integer `0`, expected an integer from 1 to 1000",
            ),
            (format!(r#"{{{start},"data":{{"attemp":1}}}}"#), "data.attemp is not a known field"),
            (format!(r#"{{{start},"extra":1}}"#), "extra is not a known field"),
            (format!(r#"{{{start},"kind":"attempt.failed"}}"#), "kind stands twice"),
            (r#"{"kind":"attempt.started","delivery_id":"d"}"#.to_owned(), "subscription_id is missing"),
            (format!(r#"{{{start},"id":""}}"#), "id is empty: an id is 1 to 255 bytes"),
            (
                format!(r#"{{{start},"occurred_at":"now"}}"#),
                "occurred_at is not an RFC 3339 date and time of the years 1 to 9999, such as 2026-01-15T10:30:00Z",
            ),
            (
                format!(r#"{{{start},"data":{{"attempt":1,"delivery":{{"event_type":"e"}}}}}}"#),
                "data.delivery.created_at is missing",
            ),
            (format!(r#"{{{start},"data":{{"payload":[]}}}}"#), "data.payload is not a JSON object"),
            (
                format!(r#"{{{start},"data":{{"request_headers":{{"a":1}}}}}}"#),
                "data.request_headers.a is an invalid type: integer `1`, expected a string",
            ),
            ("7".to_owned(), " is an invalid type: integer `7`, expected an object that is an event"),
        ];
        for (json, expected) in refusals {
            assert_eq!(refusal(&json), expected, "{json}");
        }
        assert!(
            refusal(r#"{"kind":"attempt.begun"}"#)
                .starts_with("kind is an unknown variant `attempt.begun`, expected one of")
        );
    }

    #[test]
    fn the_bound_stands_by_itself_where_there_is_one() {
        let start = r#"{"kind":"attempt.started","subscription_id":"s""#;
        let bound = |json: &str| match parse_json::<EventDraft>(json.as_bytes()) {
            Err(ParseError::Field(error)) => error.bound().map(str::to_owned),
            other => panic!("it is refused by field: {other:?}"),
        };
        let of = |field: &str| bound(&format!("{start},{field}}}"));
        assert_eq!(of(r#""data":{"attempt":0}"#).as_deref(), Some("an integer from 1 to 1000"));
        assert_eq!(of(r#""id":"""#).as_deref(), Some("an id is 1 to 255 bytes"));
        assert_eq!(of(r#""other":1"#), None);
    }

    #[test]
    fn what_is_not_json_is_told_apart() {
        assert!(refusal("{\"kind\":").starts_with("not JSON: EOF while parsing"));
    }
}
