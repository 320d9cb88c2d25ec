//! Why an event is refused, by field.

use std::borrow::Cow;

/// Most bytes of a sender's own text in a refusal.
const ECHO_MAX_BYTES: usize = 120;

/// A field that is out of its bounds, missing, or not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{problem}", field, if field.is_empty() { "" } else { " " })]
pub struct FieldError {
    /// The path of the field, such as `data.attempt`; empty for the event itself.
    pub field: Cow<'static, str>,
    /// What is wrong with it, with the bound: a phrase that goes on from the field's name.
    pub problem: String,
    /// What the field must be, where that can be said by itself.
    pub bound: Option<String>,
}

impl FieldError {
    /// The refusal of that field.
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into(), bound: None }
    }

    /// The same, with what the field must be.
    #[must_use]
    pub fn with_bound(self, bound: impl Into<String>) -> Self {
        Self { bound: Some(bound.into()), ..self }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }
}

/// Turns serde's words, and those of our own visitors, into the field and a phrase that goes on from its name.
///
/// What comes last in them is always ours: `invalid value: …, expected BOUND`, or `PROBLEM: BOUND`.
pub(crate) fn field_error(path: &str, text: &str) -> FieldError {
    for (prefix, problem) in [
        ("missing field `", "is missing"),
        ("unknown field `", "is not a known field"),
        ("duplicate field `", "appears twice"),
    ] {
        let Some((name, _)) = text.strip_prefix(prefix).and_then(|rest| rest.split_once('`')) else { continue };
        return FieldError::new(path_of(path, name), problem);
    }
    let (path, inside) = split_at_payload(path);
    let field = if path == "." { String::new() } else { cut(path).to_owned() };
    if let Some((got, bound)) = text.rsplit_once(", expected ") {
        let got = got.split_once(": ").map_or(got, |(_, got)| got);
        let got = got.strip_prefix("unknown variant ").unwrap_or(got);
        return FieldError::new(field, format!("must be {bound}, not {}{inside}", cut(got))).with_bound(bound);
    }
    match text.rsplit_once(": ") {
        Some((problem, bound)) => FieldError::new(field, format!("{problem}{inside}: {bound}")).with_bound(bound),
        None => FieldError::new(field, format!("{text}{inside}")),
    }
}

/// Parts the path of our field from the place inside a payload, where there is one: ` at tags[2]`.
///
/// What is inside a payload are the sender's own names; `field` is always a name of ours.
fn split_at_payload(path: &str) -> (&str, String) {
    for payload in ["data.payload", "data.delivery.payload"] {
        let Some(inside) = path.strip_prefix(payload) else { continue };
        if !inside.starts_with(['.', '[']) {
            continue;
        }
        let inside = inside.strip_prefix('.').unwrap_or(inside);
        let shown = if inside.len() > ECHO_MAX_BYTES { String::new() } else { format!(" at {inside}") };
        return (payload, shown);
    }
    (path, String::new())
}

/// The path of a field of that name. It ends with the name already where the fault was met after the name was read.
fn path_of(path: &str, name: &str) -> String {
    let name = cut(name);
    match path {
        "" | "." => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => cut(path).to_owned(),
        path => format!("{}.{name}", cut(path)),
    }
}

/// The start of a text that may be the sender's.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(ECHO_MAX_BYTES)]
}

#[cfg(test)]
mod tests {
    use crate::{EventDraft, ParseError, parse_json};

    fn refusal(json: &str) -> String {
        parse_json::<EventDraft>(json.as_bytes()).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_refusal_names_the_field_and_the_bound() {
        let start = r#""kind":"attempt.started","subscription_id":"s","delivery_id":"d""#;
        let refusals = [
            (
                format!(r#"{{{start},"data":{{"attempt":0}}}}"#),
                "data.attempt must be an integer from 1 to 1000, not integer `0`",
            ),
            (format!(r#"{{{start},"data":{{"attemp":1}}}}"#), "data.attemp is not a known field"),
            (format!(r#"{{{start},"extra":1}}"#), "extra is not a known field"),
            (format!(r#"{{{start},"kind":"attempt.failed"}}"#), "kind appears twice"),
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
                "data.request_headers.a must be a string, not integer `1`",
            ),
            (r#"["e","attempt.started"]"#.to_owned(), "must be an object that is an event, not sequence"),
            (format!(r#"{{{start},"data":[1]}}"#), "data must be an object, not sequence"),
            (
                format!(r#"{{{start},"data":{{"attempt":1,"delivery":[1]}}}}"#),
                "data.delivery must be an object that describes the delivery, not sequence",
            ),
            (r#"{"kind":{"attempt.started":null}}"#.to_owned(), "kind must be a string, not map"),
            ("7".to_owned(), "must be an object that is an event, not integer `7`"),
        ];
        for (json, expected) in refusals {
            assert_eq!(refusal(&json), expected, "{json}");
        }
        assert!(refusal(r#"{"kind":"attempt.begun"}"#).starts_with("kind must be one of `delivery.created`, "));
    }

    #[test]
    fn the_bound_stands_by_itself_where_there_is_one() {
        let start = r#"{"kind":"attempt.started","subscription_id":"s""#;
        let bound = |json: &str| match parse_json::<EventDraft>(json.as_bytes()) {
            Err(ParseError::Field(error)) => error.bound,
            other => panic!("it is refused by field: {other:?}"),
        };
        let of = |field: &str| bound(&format!("{start},{field}}}"));
        assert_eq!(of(r#""data":{"attempt":0}"#).as_deref(), Some("an integer from 1 to 1000"));
        assert_eq!(of(r#""id":"""#).as_deref(), Some("an id is 1 to 255 bytes"));
        assert_eq!(of(r#""other":1"#), None);
    }

    #[test]
    fn a_senders_own_text_comes_back_only_in_part() {
        let long = "x".repeat(100_000);
        let start = r#"{"kind":"attempt.started","subscription_id":"s""#;
        for field in [format!(r#""data":{{"attempt":"{long}"}}"#), format!(r#""{long}":1"#)] {
            assert!(refusal(&format!("{start},{field}}}")).len() < 400);
        }
        let misleading = r#""data":{"attempt":"a at line 9, expected nothing: at all"}"#;
        let expected =
            "data.attempt must be an integer from 1 to 1000, not string \"a at line 9, expected nothing: at all\"";
        assert_eq!(refusal(&format!("{start},{misleading}}}")), expected);
    }

    #[test]
    fn what_is_not_json_is_told_apart() {
        assert!(refusal("{\"kind\":").starts_with("not JSON: EOF while parsing"));
    }
}
