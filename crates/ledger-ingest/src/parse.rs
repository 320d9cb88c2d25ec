//! From the bytes of a request to drafts.
//!
//! Good input is read once. Only when it is refused is it read again, to name the event and the field.

use std::fmt;
use std::marker::PhantomData;

use ledger_event::limits::REQUEST_MAX_EVENTS;
use ledger_event::{EventDraft, ParseError, parse_json};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFormat {
    /// One JSON object, or an array of them.
    Json,
    /// A JSON object a line; blank lines are passed over.
    NdJson,
}

/// Why the bytes of a request are no events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body as a whole cannot be read.
    #[error("the body is {0}")]
    Body(ParseError),
    /// An event cannot be read.
    #[error("event {index}: {source}")]
    Event {
        /// Which, from 0.
        index: usize,
        /// The line it stands in, from 1, where lines tell events apart.
        line: Option<usize>,
        /// Why.
        source: ParseError,
    },
    /// There are more than [`REQUEST_MAX_EVENTS`].
    #[error("the request has more than {REQUEST_MAX_EVENTS} events")]
    TooManyEvents,
}

/// Reads the events of a request, at most [`REQUEST_MAX_EVENTS`].
///
/// # Errors
///
/// When the bytes are not what the format says, or a field of an event is unknown or out of its bounds.
pub fn parse_request(format: RequestFormat, body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
    match format {
        RequestFormat::Json if body.trim_ascii_start().starts_with(b"[") => parse_array(body),
        RequestFormat::Json => match parse_json(body) {
            Ok(draft) => Ok(vec![draft]),
            Err(source @ ParseError::Syntax { .. }) => Err(RequestError::Body(source)),
            Err(source) => Err(RequestError::Event { index: 0, line: None, source }),
        },
        RequestFormat::NdJson => parse_lines(body),
    }
}

fn parse_array(body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
    match serde_json::from_slice::<AtMost<EventDraft>>(body) {
        Ok(AtMost { items, is_cut: false }) => Ok(items),
        Ok(_) => Err(RequestError::TooManyEvents),
        Err(error) => Err(explain_array(body, &error)),
    }
}

/// Finds the element that the array was refused for.
fn explain_array(body: &[u8], error: &serde_json::Error) -> RequestError {
    let elements = match parse_json_borrowed(body) {
        Ok(elements) => elements.items,
        Err(source) => return RequestError::Body(source),
    };
    for (index, element) in elements.into_iter().enumerate() {
        if let Err(source) = parse_json::<EventDraft>(element.get().as_bytes()) {
            return RequestError::Event { index, line: None, source };
        }
    }
    RequestError::Body(ParseError::Syntax { reason: error.to_string() })
}

fn parse_json_borrowed(body: &[u8]) -> Result<AtMost<&RawValue>, ParseError> {
    serde_json::from_slice(body).map_err(|error| ParseError::Syntax { reason: error.to_string() })
}

fn parse_lines(body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
    let mut drafts = Vec::new();
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if drafts.len() == REQUEST_MAX_EVENTS {
            return Err(RequestError::TooManyEvents);
        }
        let index = drafts.len();
        let draft = parse_json(line).map_err(|source| RequestError::Event { index, line: Some(number + 1), source })?;
        drafts.push(draft);
    }
    Ok(drafts)
}

/// An array of which at most [`REQUEST_MAX_EVENTS`] elements are kept.
struct AtMost<T> {
    items: Vec<T>,
    is_cut: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AtMost<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AtMostVisitor(PhantomData))
    }
}

struct AtMostVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtMostVisitor<T> {
    type Value = AtMost<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AtMost<T>, A::Error> {
        let mut items = Vec::new();
        while items.len() < REQUEST_MAX_EVENTS {
            match seq.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(AtMost { items, is_cut: false }),
            }
        }
        let mut is_cut = false;
        while seq.next_element::<de::IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(AtMost { items, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"kind":"attempt.started","subscription_id":"s","delivery_id":"d","data":{"attempt":1}}"#;

    fn refusal(format: RequestFormat, body: &str) -> String {
        parse_request(format, body.as_bytes()).expect_err("it is refused").to_string()
    }

    #[test]
    fn one_object_an_array_and_lines_are_read() {
        let count = |format, body: &str| parse_request(format, body.as_bytes()).map(|drafts| drafts.len());
        assert_eq!(count(RequestFormat::Json, EVENT), Ok(1));
        assert_eq!(count(RequestFormat::Json, &format!(" [{EVENT},\n{EVENT}]")), Ok(2));
        assert_eq!(count(RequestFormat::Json, "[]"), Ok(0));
        assert_eq!(count(RequestFormat::NdJson, &format!("\n{EVENT}\r\n\n  {EVENT}")), Ok(2));
        assert_eq!(count(RequestFormat::NdJson, ""), Ok(0));
    }

    #[test]
    fn a_refusal_names_the_event_and_the_field() {
        let bad = EVENT.replace("\"attempt\":1", "\"attempt\":0");
        let array = refusal(RequestFormat::Json, &format!("[{EVENT},{bad}]"));
        assert!(array.starts_with("event 1: data.attempt must be an integer from 1 to 1000"), "{array}");
        let one = refusal(RequestFormat::Json, &bad);
        assert!(one.starts_with("event 0: data.attempt must"), "{one}");
        let lines = parse_request(RequestFormat::NdJson, format!("{EVENT}\n\n{bad}").as_bytes());
        assert!(matches!(lines, Err(RequestError::Event { index: 1, line: Some(3), .. })), "{lines:?}");
    }

    #[test]
    fn what_is_not_json_is_the_bodys_fault_or_the_lines() {
        assert!(refusal(RequestFormat::Json, "{").starts_with("the body is not JSON: EOF"));
        assert!(refusal(RequestFormat::Json, &format!("[{EVENT}")).starts_with("the body is not JSON: EOF"));
        assert!(refusal(RequestFormat::Json, &format!("{EVENT}{EVENT}")).contains("trailing characters"));
        assert!(refusal(RequestFormat::NdJson, &format!("{EVENT}\nnot")).starts_with("event 1: not JSON"));
    }

    #[test]
    fn more_events_than_the_bound_are_refused_in_every_format() {
        let many = vec![EVENT; REQUEST_MAX_EVENTS + 1];
        let too_many = Err(RequestError::TooManyEvents);
        let parse = |format, body: String| parse_request(format, body.as_bytes()).map(|drafts| drafts.len());
        assert_eq!(parse(RequestFormat::Json, format!("[{}]", many.join(","))), too_many);
        assert_eq!(parse(RequestFormat::NdJson, many.join("\n")), too_many);
        assert_eq!(parse(RequestFormat::NdJson, many[1..].join("\n")), Ok(REQUEST_MAX_EVENTS));
    }
}
