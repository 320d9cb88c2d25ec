//! Attempts as the rows of a spreadsheet.
//!
//! A row is an `attempt.*` event, in the order of the log; a finished attempt that was reported as started has two.
//! `event_type` and `url` are properties of the delivery: they are taken from the event itself where it has them,
//! else from what was seen of the delivery before. So much is remembered as fits into [`REMEMBERED_MAX_BYTES`], the
//! oldest is forgotten first.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};

use ledger_event::{DeliveryDescription, Event, EventData, Timestamp};

use super::source::Recorded;

/// The columns, in their order.
const COLUMNS: [&str; 16] = [
    "workspace_id",
    "subscription_id",
    "delivery_id",
    "event_type",
    "url",
    "attempt",
    "kind",
    "started_at",
    "finished_at",
    "duration_ms",
    "response_status",
    "error",
    "next_attempt_at",
    "id",
    "position",
    "recorded_at",
];

/// How much is remembered of deliveries, in bytes: some hundred thousand of them.
const REMEMBERED_MAX_BYTES: usize = 64 * 1024 * 1024;

/// About what a remembered delivery takes beside its texts, in bytes.
const REMEMBERED_FIXED_BYTES: usize = 200;

/// Writes the rows.
pub(super) struct AttemptRows<W: Write> {
    csv: csv::Writer<W>,
    has_header: bool,
    remembered: HashMap<Box<str>, Described>,
    oldest_first: VecDeque<Box<str>>,
    remembered_bytes: usize,
}

/// What is remembered of a delivery.
struct Described {
    event_type: Box<str>,
    url: Box<str>,
}

/// What the kinds of attempt events have, as text.
#[derive(Default)]
struct Attempt {
    number: u32,
    url: Option<String>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    duration_ms: Option<u32>,
    response_status: Option<u32>,
    error: Option<String>,
    next_attempt_at: Option<Timestamp>,
}

impl<W: Write> AttemptRows<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            csv: csv::Writer::from_writer(to),
            has_header: false,
            remembered: HashMap::new(),
            oldest_first: VecDeque::new(),
            remembered_bytes: 0,
        }
    }

    /// Writes the row of an event, if it has one.
    pub(super) fn write(&mut self, recorded: &Recorded) -> io::Result<()> {
        self.write_header()?;
        let event = &recorded.event;
        if let Some(description) = description(event) {
            self.remember(key(event), description);
        }
        let Some(attempt) = attempt(event) else { return Ok(()) };
        let described = self.remembered.get(key(event).as_str());
        let text = |text: &str| safe(text).into_owned();
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
        let url = attempt.url.as_deref().or(described.map(|described| described.url.as_ref()));
        let row: [String; COLUMNS.len()] = [
            text(event.workspace_id.as_str()),
            text(event.subscription_id.as_str()),
            text(event.delivery_id.as_str()),
            described.map(|described| text(&described.event_type)).unwrap_or_default(),
            url.map(text).unwrap_or_default(),
            attempt.number.to_string(),
            event.data.kind().as_str().to_owned(),
            time(attempt.started_at),
            time(attempt.finished_at),
            number(attempt.duration_ms),
            number(attempt.response_status),
            attempt.error.as_deref().map(text).unwrap_or_default(),
            time(attempt.next_attempt_at),
            text(event.id.as_str()),
            recorded.position.to_string(),
            recorded.recorded_at.to_string(),
        ];
        self.csv.write_record(&row).map_err(io_error)
    }

    /// Writes what is left, and gives back where it was written.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_header()?;
        self.csv.into_inner().map_err(|error| io::Error::new(error.error().kind(), error.error().to_string()))
    }

    /// The header, which an export without attempts has too.
    fn write_header(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_header, true) {
            self.csv.write_record(COLUMNS).map_err(io_error)?;
        }
        Ok(())
    }

    fn remember(&mut self, key: String, description: &DeliveryDescription) {
        let described = Described {
            event_type: description.event_type.as_str().into(),
            url: description.url.as_ref().map_or("", |url| url.as_str()).into(),
        };
        let key = key.into_boxed_str();
        if self.remembered.contains_key(&key) {
            return;
        }
        self.remembered_bytes += size(&key, &described);
        self.oldest_first.push_back(key.clone());
        self.remembered.insert(key, described);
        while self.remembered_bytes > REMEMBERED_MAX_BYTES {
            let Some(oldest) = self.oldest_first.pop_front() else { return };
            if let Some(forgotten) = self.remembered.remove(&oldest) {
                self.remembered_bytes -= size(&oldest, &forgotten);
            }
        }
    }
}

fn size(key: &str, described: &Described) -> usize {
    REMEMBERED_FIXED_BYTES + 2 * key.len() + described.event_type.len() + described.url.len()
}

/// A delivery's key; ids have no control characters.
fn key(event: &Event) -> String {
    format!("{}\n{}\n{}", event.workspace_id, event.subscription_id, event.delivery_id)
}

fn description(event: &Event) -> Option<&DeliveryDescription> {
    match &event.data {
        EventData::DeliveryCreated(data) => Some(data),
        EventData::AttemptStarted(data) => data.delivery.as_ref().map(|delivery| &delivery.description),
        EventData::AttemptSucceeded(data) => data.delivery.as_ref().map(|delivery| &delivery.description),
        EventData::AttemptFailed(data) => data.delivery.as_ref().map(|delivery| &delivery.description),
        EventData::DeliveryRetryScheduled(_) | EventData::DeliveryCancelled(_) => None,
    }
}

fn attempt(event: &Event) -> Option<Attempt> {
    let at = Some(event.occurred_at);
    Some(match &event.data {
        EventData::AttemptStarted(data) => Attempt {
            number: data.attempt.get(),
            url: data.url.as_ref().map(|url| url.as_str().to_owned()),
            started_at: at,
            ..Attempt::default()
        },
        EventData::AttemptSucceeded(data) => Attempt {
            number: data.attempt.get(),
            finished_at: at,
            duration_ms: Some(data.duration_ms.get()),
            response_status: Some(data.response_status.get()),
            ..Attempt::default()
        },
        EventData::AttemptFailed(data) => Attempt {
            number: data.attempt.get(),
            finished_at: at,
            duration_ms: data.duration_ms.map(|duration| duration.get()),
            response_status: data.response_status.map(|status| status.get()),
            error: data.error.clone(),
            next_attempt_at: data.next_attempt_at,
            ..Attempt::default()
        },
        EventData::DeliveryCreated(_) | EventData::DeliveryRetryScheduled(_) | EventData::DeliveryCancelled(_) => {
            return None;
        }
    })
}

/// A text that no spreadsheet takes for a formula: one that begins like one gets a `'` before it, as OWASP advises
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn safe(text: &str) -> std::borrow::Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

fn io_error(error: csv::Error) -> io::Error {
    if error.is_io_error()
        && let csv::ErrorKind::Io(error) = error.into_kind()
    {
        return error;
    }
    io::Error::other("a row is not of the form of the others")
}
