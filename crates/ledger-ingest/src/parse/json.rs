//! Requests in JSON: one event, an array, lines.

use std::fmt;
use std::marker::PhantomData;

use ledger_event::limits::REQUEST_MAX_EVENTS;
use ledger_event::{EventDraft, ParseError, parse_json};
use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::RequestError;

/// Whether it begins as an array does.
pub(super) fn is_array(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"[")
}

/// Reads one event.
pub(super) fn one<T: DeserializeOwned + Into<EventDraft>>(body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
    match parse_json::<T>(body) {
        Ok(event) => Ok(vec![event.into()]),
        Err(source @ ParseError::Syntax { .. }) => Err(RequestError::Body(source)),
        Err(source) => Err(RequestError::Event { index: 0, line: None, source }),
    }
}

/// Reads an array of events.
pub(super) fn array<T: DeserializeOwned + Into<EventDraft>>(body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
    match serde_json::from_slice::<AtMost<T>>(body) {
        Ok(AtMost { items, is_cut: false }) => Ok(items.into_iter().map(T::into).collect()),
        Ok(_) => Err(RequestError::TooManyEvents),
        Err(error) => Err(explain_array::<T>(body, &error)),
    }
}

/// Finds the element that the array was refused for.
fn explain_array<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> RequestError {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return RequestError::Body(ParseError::not_json(&error));
    }
    let Ok(elements) = serde_json::from_slice::<AtMost<&RawValue>>(body) else {
        return RequestError::NoArray;
    };
    for (index, element) in elements.items.into_iter().enumerate() {
        if let Err(source) = parse_json::<T>(element.get().as_bytes()) {
            return RequestError::Event { index, line: None, source };
        }
    }
    RequestError::Body(ParseError::not_json(error))
}

/// Reads an event a line.
pub(super) fn lines(body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
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
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(AtMost { items, is_cut })
    }
}
