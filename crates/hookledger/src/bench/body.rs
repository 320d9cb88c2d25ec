//! Bodies of requests, prepared before the clock starts.
//!
//! What a body of so many events holds does not change from one use to the next, except what must: ids, and times.
//! Their places are known, so a body is made anew by writing a few dozen bytes over each event.

use std::ops::Range;

use clap::ValueEnum;

use super::event::{DeliveryId, Event, EventId};
use super::moment::MomentWriter;

/// How the events of a request are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An event a line, as JSON
    Ndjson,
    /// A JSON array
    Json,
    /// A MessagePack array
    Msgpack,
}

/// A body, and where in it stands what is new at each use.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    events: usize,
    changes: Vec<Change>,
}

/// A use of the bodies: the first one sends them as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lap {
    /// What the ids of the first lap are changed by; all ids of a delivery alike.
    pub(super) mask: u64,
    /// How much later than in the first lap everything happens, in milliseconds.
    pub(super) later_ms: i64,
}

#[derive(Debug)]
struct Change {
    at: u32,
    value: Value,
}

#[derive(Debug)]
enum Value {
    EventId(EventId),
    DeliveryId(DeliveryId),
    /// In microseconds since 1970.
    Moment(i64),
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Msgpack => "application/msgpack",
        }
    }

    /// As it is called on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Msgpack => "msgpack",
        }
    }
}

impl Body {
    pub(super) fn new(format: Format, events: impl ExactSizeIterator<Item = Event>) -> Self {
        let count = events.len();
        let mut body = Self { bytes: Vec::new(), events: count, changes: Vec::new() };
        match format {
            Format::Ndjson => {}
            Format::Json => body.bytes.push(b'['),
            Format::Msgpack => {
                let count = u16::try_from(count).expect("a request has at most 10000 events");
                // array 16
                body.bytes.push(0xdc);
                body.bytes.extend_from_slice(&count.to_be_bytes());
            }
        }
        for event in events {
            body.push(format, &event);
        }
        if format == Format::Json {
            // In the place of the last comma.
            *body.bytes.last_mut().expect("it was begun") = b']';
        }
        body
    }

    pub(super) fn events(&self) -> usize {
        self.events
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How much memory it takes, about.
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes.len() + self.changes.len() * size_of::<Change>()
    }

    fn push(&mut self, format: Format, event: &Event) {
        let start = self.bytes.len();
        match format {
            Format::Ndjson | Format::Json => {
                serde_json::to_writer(&mut self.bytes, event).expect("an event is JSON, and memory takes it");
                self.bytes.push(if format == Format::Json { b',' } else { b'\n' });
            }
            Format::Msgpack => {
                rmp_serde::encode::write_named(&mut self.bytes, event).expect("an event is MessagePack");
            }
        }
        let own = start..self.bytes.len();
        self.note(&own, &event.id.text(), Value::EventId(event.id));
        self.note(&own, &event.delivery_id.text(), Value::DeliveryId(event.delivery_id));
        self.note(&own, &event.occurred_at, Value::Moment(event.occurred_us));
        if let Some((text, moment_us)) = event.data.next_attempt() {
            self.note(&own, text, Value::Moment(moment_us));
        }
    }

    /// Notes where in these bytes a text stands.
    fn note(&mut self, own: &Range<usize>, text: &str, value: Value) {
        let mut windows = self.bytes[own.clone()].windows(text.len());
        let offset = windows.position(|window| window == text.as_bytes()).expect("both forms keep plain text as it is");
        let at = u32::try_from(own.start + offset).expect("a body is far below 4 GiB");
        self.changes.push(Change { at, value });
    }

    /// Writes it as that lap sends it, behind what is there.
    pub(super) fn write(&self, lap: Lap, moments: &mut MomentWriter, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        if lap.mask == 0 && lap.later_ms == 0 {
            return;
        }
        let body = &mut out[start..];
        for change in &self.changes {
            let place = &mut body[change.at as usize..];
            match change.value {
                // Behind `evt_`.
                Value::EventId(id) => write_hex(id.0 ^ lap.mask, &mut place[4..20]),
                // Behind `whdel_`.
                Value::DeliveryId(id) => {
                    write_hex((id.created_ms + lap.later_ms).unsigned_abs(), &mut place[6..17]);
                    write_hex(id.random ^ lap.mask, &mut place[17..33]);
                }
                Value::Moment(moment_us) => {
                    let later_us = lap.later_ms * 1_000;
                    moments.write(moment_us + later_us, &mut place[..super::moment::TEXT_BYTES]);
                }
            }
        }
    }
}

fn write_hex(mut number: u64, text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::generator::Generator;

    const FORMATS: [Format; 3] = [Format::Ndjson, Format::Json, Format::Msgpack];

    fn body(format: Format) -> Body {
        let mut generator = Generator::new(1, 0);
        Body::new(format, (0..2_000).map(|_| generator.next_event()))
    }

    fn events(format: Format, bytes: &[u8]) -> Vec<serde_json::Value> {
        match format {
            Format::Json => serde_json::from_slice(bytes).expect("it is JSON"),
            Format::Msgpack => rmp_serde::from_slice(bytes).expect("it is MessagePack"),
            Format::Ndjson => {
                let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                lines.map(|line| serde_json::from_slice(line).expect("it is JSON")).collect()
            }
        }
    }

    #[test]
    fn the_events_are_the_same_in_every_format() {
        let of = |format| events(format, body(format).bytes());
        assert_eq!(of(Format::Ndjson).len(), 2_000);
        assert_eq!(of(Format::Ndjson), of(Format::Json));
        assert_eq!(of(Format::Ndjson), of(Format::Msgpack));
    }

    #[test]
    fn a_later_lap_has_other_ids_and_later_times_and_is_otherwise_the_same() {
        const LATER_MS: i64 = 86_400_000;
        for format in FORMATS {
            let (body, mut moments, mut out) = (body(format), MomentWriter::new(), Vec::new());
            body.write(Lap { mask: 0x0123_4567_89ab_cdef, later_ms: LATER_MS }, &mut moments, &mut out);
            let (first, later) = (events(format, body.bytes()), events(format, &out));
            for (mut first, mut later) in first.into_iter().zip(later) {
                for field in ["id", "delivery_id", "occurred_at"] {
                    assert_ne!(first[field], later[field], "{format:?}");
                }
                // A day later, at the same time of it.
                for event in [&mut first, &mut later] {
                    let at = event["occurred_at"].as_str().expect("it is text")[11..].to_owned();
                    event["occurred_at"] = at.into();
                    let next = event["data"]["next_attempt_at"].as_str().map(|text| text[11..].to_owned());
                    event["data"]["next_attempt_at"] = next.into();
                    event["id"].take();
                    event["delivery_id"].take();
                }
                assert_eq!(first, later, "{format:?}");
            }
        }
    }

    #[test]
    fn the_events_of_a_delivery_keep_its_id_in_every_lap() {
        let (body, mut moments, mut out) = (body(Format::Json), MomentWriter::new(), Vec::new());
        body.write(Lap { mask: u64::MAX, later_ms: 1 }, &mut moments, &mut out);
        let (first, later) = (events(Format::Json, body.bytes()), events(Format::Json, &out));
        let mut renamed = std::collections::HashMap::new();
        for (first, later) in first.iter().zip(&later) {
            let name =
                renamed.entry(first["delivery_id"].to_string()).or_insert_with(|| later["delivery_id"].to_string());
            assert_eq!(*name, later["delivery_id"].to_string());
        }
    }
}
