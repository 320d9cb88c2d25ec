//! Requests in MessagePack: one event, or an array.
//!
//! The array is taken apart here and its events are read one by one, so that a refusal knows which it is, and nothing
//! is made ready for a number of events that was only claimed.

use ledger_event::limits::{REQUEST_MAX_BYTES, REQUEST_MAX_EVENTS};
use ledger_event::{EventDraft, ParseError, parse_msgpack};

use super::RequestError;

/// Reads one event or an array of them.
pub(super) fn one_or_array(body: &[u8], take: &mut dyn FnMut(EventDraft)) -> Result<(), RequestError> {
    let Some((events, mut rest)) = array_header(body) else {
        let mut rest = body;
        let draft = event(&mut rest, 0)?;
        take(draft);
        return refuse_rest(rest);
    };
    let mut payload_bytes = 0;
    for index in 0..events {
        if index == REQUEST_MAX_EVENTS {
            return Err(RequestError::TooManyEvents);
        }
        let draft = event(&mut rest, index)?;
        payload_bytes += draft.payload_bytes();
        if payload_bytes > REQUEST_MAX_BYTES {
            return Err(RequestError::PayloadsTooLarge);
        }
        take(draft);
    }
    refuse_rest(rest)
}

fn event(rest: &mut &[u8], index: usize) -> Result<EventDraft, RequestError> {
    parse_msgpack(rest).map_err(|source| match source {
        ParseError::Syntax { .. } => RequestError::Body(source),
        ParseError::Field(_) => RequestError::Event { index, line: None, source },
    })
}

fn refuse_rest(rest: &[u8]) -> Result<(), RequestError> {
    if rest.is_empty() {
        return Ok(());
    }
    let reason = format!("it goes on for {} bytes after its end", rest.len());
    Err(RequestError::Body(ParseError::not_msgpack(reason)))
}

/// How many elements the array has that begins here, and what follows its header; `None` where there is no array.
///
/// See the [specification](https://github.com/msgpack/msgpack/blob/master/spec.md#array-format-family).
fn array_header(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [marker @ 0x90..=0x9f, rest @ ..] => Some((usize::from(marker & 0x0f), rest)),
        [0xdc, a, b, rest @ ..] => Some((usize::from(u16::from_be_bytes([*a, *b])), rest)),
        [0xdd, a, b, c, d, rest @ ..] => {
            Some((usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX), rest))
        }
        _ => None,
    }
}
