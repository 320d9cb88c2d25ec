//! An event as the log keeps it: a skeleton that stays for ever, and bodies that can be erased.
//!
//! The skeleton is the event in MessagePack without its bodies. It is kept, hashed and handed on as
//! these bytes and never encoded again, so a later version that encodes differently still verifies
//! what an earlier one wrote.

use std::ops::Range;

use crate::draft::EventDraft;
use crate::event::{DeliveryDescription, EmbeddedDelivery, Event, EventData};
use crate::field_error::FieldError;
use crate::json_text::JsonText;
use crate::text::{Headers, Url};

/// A part of an event that may hold personal data and can be erased: payload, headers, response
/// body, `error`, `reason`, `url`. The numbers are part of the log's format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BodySlot {
    /// `data.payload`: JSON text.
    Payload = 0,
    /// `data.url`: UTF-8.
    Url = 1,
    /// `data.request_headers`: a JSON object.
    RequestHeaders = 2,
    /// `data.response_headers`: a JSON object.
    ResponseHeaders = 3,
    /// `data.response_body`: UTF-8.
    ResponseBody = 4,
    /// `data.error`: UTF-8.
    Error = 5,
    /// `data.reason`: UTF-8.
    Reason = 6,
    /// `data.delivery.payload`: JSON text.
    DeliveryPayload = 7,
    /// `data.delivery.url`: UTF-8.
    DeliveryUrl = 8,
}

impl BodySlot {
    /// The slot of that number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Payload,
            1 => Self::Url,
            2 => Self::RequestHeaders,
            3 => Self::ResponseHeaders,
            4 => Self::ResponseBody,
            5 => Self::Error,
            6 => Self::Reason,
            7 => Self::DeliveryPayload,
            8 => Self::DeliveryUrl,
            _ => return None,
        })
    }
}

/// One body, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Which part of the event it is.
    pub slot: BodySlot,
    /// Its bytes, as the slot says.
    pub bytes: Vec<u8>,
}

/// An event as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event without its bodies, in MessagePack.
    pub skeleton: Vec<u8>,
    /// The bodies it has, by rising slot.
    pub bodies: Vec<Body>,
}

/// Why stored bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum StoredEventError {
    /// The skeleton is not MessagePack of an event.
    #[error("the skeleton of an event cannot be decoded")]
    Skeleton(#[source] rmp_serde::decode::Error),
    /// The skeleton lacks a field that every stored event has.
    #[error("the skeleton of an event is not whole")]
    Field(#[source] FieldError),
    /// The bytes of a body are not what its slot says, or events of this kind have no such slot.
    #[error("the body {slot:?} does not fit its event")]
    Body {
        /// Which body.
        slot: BodySlot,
    },
}

/// Encodes one event after the other, and keeps its memory from one to the next.
#[derive(Debug, Default)]
pub struct EventEncoder {
    skeleton: Vec<u8>,
    bodies: Vec<Body>,
}

/// An event as the log will keep it, in the memory of its encoder.
#[derive(Clone, Copy, Debug)]
pub struct EncodedEvent<'a> {
    /// The event without its bodies, in MessagePack.
    pub skeleton: &'a [u8],
    /// The bodies it has, by rising slot.
    pub bodies: &'a [Body],
}

impl EventEncoder {
    /// Encodes an event.
    pub fn encode(&mut self, mut event: Event) -> EncodedEvent<'_> {
        self.skeleton.clear();
        self.bodies.clear();
        take_bodies(&mut event.data, &mut self.bodies);
        rmp_serde::encode::write_named(&mut self.skeleton, &event)
            .expect("an event without bodies is plain maps, text and integers");
        EncodedEvent { skeleton: &self.skeleton, bodies: &self.bodies }
    }
}

impl EncodedEvent<'_> {
    /// The skeleton before and after the time of occurrence.
    #[must_use]
    pub fn skeleton_without_time(&self) -> (&[u8], &[u8]) {
        let time = find_time(self.skeleton).expect("this version encoded it");
        (&self.skeleton[..time.start], &self.skeleton[time.end..])
    }
}

impl StoredEvent {
    /// Encodes an event.
    #[must_use]
    pub fn encode(event: Event) -> Self {
        let mut encoder = EventEncoder::default();
        encoder.encode(event);
        Self { skeleton: encoder.skeleton, bodies: encoder.bodies }
    }

    /// Decodes the event, with the bodies that are still there.
    ///
    /// # Errors
    ///
    /// When the bytes are not what [`StoredEvent::encode`] makes.
    pub fn decode(&self) -> Result<Event, StoredEventError> {
        self.clone().into_event()
    }

    /// The same, without a copy of the bodies.
    ///
    /// # Errors
    ///
    /// As [`StoredEvent::decode`].
    pub fn into_event(self) -> Result<Event, StoredEventError> {
        let draft: EventDraft = rmp_serde::from_slice(&self.skeleton).map_err(StoredEventError::Skeleton)?;
        let mut event = draft.into_stored().map_err(StoredEventError::Field)?;
        for body in self.bodies {
            let slot = body.slot;
            put_body(&mut event.data, body).ok_or(StoredEventError::Body { slot })?;
        }
        Ok(event)
    }
}

/// Where the value of `occurred_at` stands: a map of MessagePack in which only text comes before it.
fn find_time(skeleton: &[u8]) -> Option<Range<usize>> {
    let (map, mut rest) = skeleton.split_first()?;
    if map & 0xf0 != 0x80 {
        return None;
    }
    loop {
        let name;
        (name, rest) = split_text(rest)?;
        if name == b"occurred_at" {
            let length = match *rest.first()? {
                0x00..=0x7f | 0xe0..=0xff => 1,
                0xcc | 0xd0 => 2,
                0xcd | 0xd1 => 3,
                0xce | 0xd2 => 5,
                0xcf | 0xd3 => 9,
                _ => return None,
            };
            let start = skeleton.len() - rest.len();
            return (length <= rest.len()).then_some(start..start + length);
        }
        (_, rest) = split_text(rest)?;
    }
}

/// The text at the beginning of MessagePack, and what follows it.
fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (marker, rest) = bytes.split_first()?;
    let (length, rest) = match *marker {
        0xa0..=0xbf => (usize::from(marker & 0x1f), rest),
        0xd9 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0xda => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn take_bodies(data: &mut EventData, bodies: &mut Vec<Body>) {
    match data {
        EventData::DeliveryCreated(data) => {
            take_description(bodies, data, BodySlot::Payload, BodySlot::Url);
        }
        EventData::AttemptStarted(data) => {
            take_text(bodies, BodySlot::Url, data.url.take().map(Url::into_string));
            take_headers(bodies, BodySlot::RequestHeaders, &mut data.request_headers);
            take_embedded(bodies, &mut data.delivery);
        }
        EventData::AttemptSucceeded(data) => {
            take_headers(bodies, BodySlot::ResponseHeaders, &mut data.response_headers);
            take_text(bodies, BodySlot::ResponseBody, data.response_body.take());
            take_embedded(bodies, &mut data.delivery);
        }
        EventData::AttemptFailed(data) => {
            take_headers(bodies, BodySlot::ResponseHeaders, &mut data.response_headers);
            take_text(bodies, BodySlot::ResponseBody, data.response_body.take());
            take_text(bodies, BodySlot::Error, data.error.take());
            take_embedded(bodies, &mut data.delivery);
        }
        EventData::DeliveryRetryScheduled(data) => take_text(bodies, BodySlot::Reason, data.reason.take()),
        EventData::DeliveryCancelled(data) => take_text(bodies, BodySlot::Reason, data.reason.take()),
    }
}

fn take_text(bodies: &mut Vec<Body>, slot: BodySlot, text: Option<String>) {
    bodies.extend(text.map(|text| Body { slot, bytes: text.into_bytes() }));
}

fn take_headers(bodies: &mut Vec<Body>, slot: BodySlot, headers: &mut Option<Headers>) {
    let Some(headers) = headers.take() else { return };
    let bytes = serde_json::to_vec(&headers).expect("a map of text to text is JSON");
    bodies.push(Body { slot, bytes });
}

fn take_embedded(bodies: &mut Vec<Body>, delivery: &mut Option<EmbeddedDelivery>) {
    let Some(delivery) = delivery else { return };
    take_description(bodies, &mut delivery.description, BodySlot::DeliveryPayload, BodySlot::DeliveryUrl);
}

fn take_description(bodies: &mut Vec<Body>, data: &mut DeliveryDescription, payload: BodySlot, url: BodySlot) {
    take_text(bodies, payload, data.payload.take().map(JsonText::into_string));
    take_text(bodies, url, data.url.take().map(Url::into_string));
}

/// Puts a body back; `None` where it does not fit.
fn put_body(data: &mut EventData, body: Body) -> Option<()> {
    match (body.slot, data) {
        (BodySlot::Payload, EventData::DeliveryCreated(data)) => data.payload = Some(json_text(body)?),
        (BodySlot::Url, EventData::DeliveryCreated(data)) => data.url = Some(url(body)?),
        (BodySlot::Url, EventData::AttemptStarted(data)) => data.url = Some(url(body)?),
        (BodySlot::RequestHeaders, EventData::AttemptStarted(data)) => data.request_headers = Some(headers(body)?),
        (BodySlot::ResponseHeaders, EventData::AttemptSucceeded(data)) => data.response_headers = Some(headers(body)?),
        (BodySlot::ResponseHeaders, EventData::AttemptFailed(data)) => data.response_headers = Some(headers(body)?),
        (BodySlot::ResponseBody, EventData::AttemptSucceeded(data)) => data.response_body = Some(text(body)?),
        (BodySlot::ResponseBody, EventData::AttemptFailed(data)) => data.response_body = Some(text(body)?),
        (BodySlot::Error, EventData::AttemptFailed(data)) => data.error = Some(text(body)?),
        (BodySlot::Reason, EventData::DeliveryRetryScheduled(data)) => data.reason = Some(text(body)?),
        (BodySlot::Reason, EventData::DeliveryCancelled(data)) => data.reason = Some(text(body)?),
        (BodySlot::DeliveryPayload, data) => embedded(data)?.payload = Some(json_text(body)?),
        (BodySlot::DeliveryUrl, data) => embedded(data)?.url = Some(url(body)?),
        (_, _) => return None,
    }
    Some(())
}

fn embedded(data: &mut EventData) -> Option<&mut DeliveryDescription> {
    let delivery = match data {
        EventData::AttemptStarted(data) => &mut data.delivery,
        EventData::AttemptSucceeded(data) => &mut data.delivery,
        EventData::AttemptFailed(data) => &mut data.delivery,
        EventData::DeliveryCreated(_) | EventData::DeliveryRetryScheduled(_) | EventData::DeliveryCancelled(_) => {
            return None;
        }
    };
    delivery.as_mut().map(|delivery| &mut delivery.description)
}

fn text(body: Body) -> Option<String> {
    String::from_utf8(body.bytes).ok()
}

fn json_text(body: Body) -> Option<JsonText> {
    text(body).map(JsonText::of_stored)
}

fn url(body: Body) -> Option<Url> {
    Url::parse(&text(body)?).ok()
}

fn headers(body: Body) -> Option<Headers> {
    serde_json::from_slice(&body.bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    proptest! {
        #[test]
        fn an_event_reads_back_from_the_log_and_from_json_as_it_was(event in testing::event()) {
            let stored = StoredEvent::encode(event.clone());
            prop_assert_eq!(&stored.decode().expect("it was just encoded"), &event);
            let json = serde_json::to_vec(&event).expect("it is JSON");
            let draft: EventDraft = serde_json::from_slice(&json).expect("it is an event");
            prop_assert_eq!(draft.into_stored().expect("it is whole"), event);
        }

        #[test]
        fn the_skeleton_is_parted_at_the_time_alone(event in testing::event(), later in testing::event()) {
            let (mut encoder, mut other) = (EventEncoder::default(), EventEncoder::default());
            let encoded = encoder.encode(event.clone());
            let moved = other.encode(Event { occurred_at: later.occurred_at, ..event });
            let (before, after) = encoded.skeleton_without_time();
            prop_assert_eq!(moved.skeleton_without_time(), (before, after));
            let time = &encoded.skeleton[before.len()..encoded.skeleton.len() - after.len()];
            prop_assert!(before.ends_with(b"\xaboccurred_at") && after.starts_with(b"\xa4data") && time.len() <= 9);
        }

        #[test]
        fn one_encoder_encodes_each_event_as_if_it_were_the_first(history in testing::history(10)) {
            let mut encoder = EventEncoder::default();
            for event in history {
                let stored = StoredEvent::encode(event.clone());
                let encoded = encoder.encode(event);
                prop_assert_eq!((encoded.skeleton, encoded.bodies), (&stored.skeleton[..], &stored.bodies[..]));
            }
        }

        #[test]
        fn no_body_is_left_in_the_skeleton(event in testing::event()) {
            let stored = StoredEvent::encode(event.clone());
            for body in &stored.bodies {
                prop_assert!(body.bytes.len() < 4 || !stored.skeleton.windows(body.bytes.len()).any(|at| at == body.bytes));
            }
            let bare = StoredEvent { bodies: Vec::new(), ..stored };
            prop_assert_eq!(bare.decode().expect("a skeleton stands alone").id, event.id);
        }
    }
}
