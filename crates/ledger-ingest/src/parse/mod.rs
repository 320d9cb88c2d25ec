//! From the bytes of a request to drafts.
//!
//! Good input is read once. Only when it is refused is it read again, to name the event and the field.

mod json;
mod msgpack;

use ledger_event::limits::{REQUEST_MAX_BYTES, REQUEST_MAX_EVENTS};
use ledger_event::{CloudEvent, EventDraft, ParseError};

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFormat {
    /// One JSON object, or an array of them.
    Json,
    /// A JSON object a line; blank lines are passed over.
    NdJson,
    /// One MessagePack map, or an array of them. A payload is a map too, never a string of JSON.
    MsgPack,
    /// One [`CloudEvent`].
    CloudEvent,
    /// An array of [`CloudEvent`]s.
    CloudEvents,
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
    /// The body is JSON, but no array where there must be one.
    #[error("the body must be an array of events")]
    NoArray,
    /// There are more than [`REQUEST_MAX_EVENTS`].
    #[error("the request has more than {REQUEST_MAX_EVENTS} events")]
    TooManyEvents,
    /// The payloads are more than [`REQUEST_MAX_BYTES`] of JSON, however small they came.
    #[error(
        "the payloads of the request are more than {REQUEST_MAX_BYTES} bytes of JSON: send fewer events in a request"
    )]
    PayloadsTooLarge,
}

impl RequestFormat {
    /// The formats and what each is for, in words.
    pub(crate) const CHOICES: &str = "application/json (an event or an array of events), \
         application/x-ndjson (an event a line), application/msgpack (an event or an array of events), \
         application/cloudevents+json or application/cloudevents-batch+json";

    /// The format of a media type, with any parameters, in any case.
    ///
    /// `application/vnd.msgpack` is the registered name of MessagePack; the others are older and common.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" => Some(Self::NdJson),
            "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => Some(Self::MsgPack),
            "application/cloudevents+json" => Some(Self::CloudEvent),
            "application/cloudevents-batch+json" => Some(Self::CloudEvents),
            _ => None,
        }
    }
}

/// Reads the events of a request, at most [`REQUEST_MAX_EVENTS`].
///
/// # Errors
///
/// When the bytes are not what the format says, or a field of an event is unknown or out of its bounds.
pub fn parse_request(format: RequestFormat, body: &[u8]) -> Result<Vec<EventDraft>, RequestError> {
    let mut drafts = Vec::new();
    each_event(format, body, &mut |draft| drafts.push(draft))?;
    Ok(drafts)
}

/// Reads the same events one by one: each is taken while its text is at hand. When it fails, what was taken counts for
/// nothing.
///
/// # Errors
///
/// As [`parse_request`].
pub(crate) fn each_event(
    format: RequestFormat,
    body: &[u8],
    take: &mut dyn FnMut(EventDraft),
) -> Result<(), RequestError> {
    match format {
        RequestFormat::Json if json::is_array(body) => json::array::<EventDraft>(body, take),
        RequestFormat::Json => json::one::<EventDraft>(body, take),
        RequestFormat::NdJson => json::lines(body, take),
        RequestFormat::MsgPack => msgpack::one_or_array(body, take),
        RequestFormat::CloudEvent => json::one::<CloudEvent>(body, take),
        RequestFormat::CloudEvents => json::array::<CloudEvent>(body, take),
    }
}

#[cfg(test)]
mod tests;
