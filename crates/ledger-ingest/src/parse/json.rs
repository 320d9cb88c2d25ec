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
pub(super) fn one<T: DeserializeOwned + Into<EventDraft>>(
    body: &[u8],
    take: &mut dyn FnMut(EventDraft),
) -> Result<(), RequestError> {
    match parse_json::<T>(body) {
        Ok(event) => {
            take(event.into());
            Ok(())
        }
        Err(source @ ParseError::Syntax { .. }) => Err(RequestError::Body(source)),
        Err(source) => Err(RequestError::Event { index: 0, line: None, source }),
    }
}

/// Reads an array of events.
pub(super) fn array<T: DeserializeOwned + Into<EventDraft>>(
    body: &[u8],
    take: &mut dyn FnMut(EventDraft),
) -> Result<(), RequestError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut take_item = |item: T| take(item.into());
    let read = reader.deserialize_seq(AtMostVisitor { take: &mut take_item, of: PhantomData });
    match read.and_then(|is_cut| reader.end().map(|()| is_cut)) {
        Ok(false) => Ok(()),
        Ok(true) => Err(RequestError::TooManyEvents),
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
    for (index, element) in elements.0.into_iter().enumerate() {
        if let Err(source) = parse_json::<T>(element.get().as_bytes()) {
            return RequestError::Event { index, line: None, source };
        }
    }
    RequestError::Body(ParseError::not_json(error))
}

/// Reads an event a line.
pub(super) fn lines(body: &[u8], take: &mut dyn FnMut(EventDraft)) -> Result<(), RequestError> {
    let (mut index, mut start) = (0, 0);
    for (number, end) in memchr::memchr_iter(b'\n', body).chain([body.len()]).enumerate() {
        let line = body[start..end].trim_ascii();
        start = end + 1;
        if line.is_empty() {
            continue;
        }
        if index == REQUEST_MAX_EVENTS {
            return Err(RequestError::TooManyEvents);
        }
        take(parse_json(line).map_err(|source| RequestError::Event { index, line: Some(number + 1), source })?);
        index += 1;
    }
    Ok(())
}

/// The first elements of an array, [`REQUEST_MAX_EVENTS`] at most.
struct AtMost<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AtMost<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut items = Vec::new();
        let mut take = |item| items.push(item);
        deserializer.deserialize_seq(AtMostVisitor { take: &mut take, of: PhantomData })?;
        Ok(Self(items))
    }
}

/// Takes the elements of an array, [`REQUEST_MAX_EVENTS`] at most, and says whether there are more.
struct AtMostVisitor<'a, T, F> {
    take: &'a mut F,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for AtMostVisitor<'_, T, F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        for _ in 0..REQUEST_MAX_EVENTS {
            match seq.next_element()? {
                Some(item) => (self.take)(item),
                None => return Ok(false),
            }
        }
        let mut is_cut = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(is_cut)
    }
}
