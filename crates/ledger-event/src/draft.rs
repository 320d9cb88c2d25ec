//! An event as a sender gives it, and as the log keeps it: parsed, then completed and checked.
//!
//! The fields of all kinds have one type wherever they stand, so `data` is read into one wide struct
//! whatever order `kind` and `data` come in, and then narrowed by kind. That keeps serde's tagged
//! enums, which would buffer payloads into trees, out of the way, and lets a refusal name its field.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::event::{
    AttemptFailed, AttemptStarted, AttemptSucceeded, DeliveryCancelled, DeliveryDescription, DeliveryRetryScheduled,
    EmbeddedDelivery, Event, EventData, Kind,
};
use crate::field_error::FieldError;
use crate::id::{DeliveryId, EventId, EventType, SourceEventId, SubscriptionId, WorkspaceId};
use crate::limits::CLOCK_AHEAD_MAX_US;
use crate::number::{AttemptNumber, DurationMs, MaxAttempts, ResponseStatus};
use crate::sent_payload::SentPayload;
use crate::strict::{self, Named, Text};
use crate::text::{self, Headers, Url};
use crate::time::Timestamp;

/// An event as a sender gives it: every field is within its own bounds, but some may be missing.
///
/// In MessagePack its payloads are maps, which are kept as JSON text; its times are RFC 3339 or microseconds.
#[derive(Debug)]
pub struct EventDraft {
    fields: EventFields,
    /// What the sender calls the time of occurrence.
    occurred_at_name: &'static str,
}

impl<'de> Deserialize<'de> for EventDraft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        strict::map(deserializer).map(|fields| Self::new(fields, "occurred_at"))
    }
}

/// What stands around the data of every kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct EventFields {
    /// The sender's idempotency key, unique within the workspace. The ledger makes one for an event without.
    pub(crate) id: Option<EventId>,
    /// What happened.
    #[serde(deserialize_with = "strict::name")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(crate) kind: Kind,
    /// The tenant. It may be left out with a token that is for one workspace.
    pub(crate) workspace_id: Option<WorkspaceId>,
    /// The configured receiver, which the stats call `webhook_id`.
    pub(crate) subscription_id: SubscriptionId,
    /// The delivery it happened to.
    pub(crate) delivery_id: DeliveryId,
    /// When it happened by the sender's clock, at most 24 h ahead of the ledger's; of an attempt that ended, when it
    /// ended. The time of receipt when absent.
    pub(crate) occurred_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "strict::map")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub(crate) data: DataDraft,
    /// Where it stands in the log: reads and exports show it, ingest passes over it.
    #[serde(default, rename = "position")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::Position>"))]
    pub(crate) _position: IgnoredAny,
    /// When it was made durable by the ledger's clock, which never goes back: reads and exports show it, ingest passes
    /// over it.
    #[serde(default, rename = "recorded_at")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Timestamp>"))]
    pub(crate) _recorded_at: IgnoredAny,
}

/// The fields of every kind's data.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataDraft {
    attempt: Option<AttemptNumber>,
    event_type: Option<EventType>,
    payload: Option<SentPayload>,
    max_attempts: Option<MaxAttempts>,
    next_attempt_at: Option<Timestamp>,
    url: Option<Url>,
    source_event_id: Option<SourceEventId>,
    request_headers: Option<Headers>,
    duration_ms: Option<DurationMs>,
    response_status: Option<ResponseStatus>,
    response_headers: Option<Headers>,
    response_body: Option<Text>,
    error: Option<Text>,
    reason: Option<Text>,
    #[serde(default, deserialize_with = "strict::optional_map")]
    delivery: Option<DeliveryDraft>,
}

impl Named for EventFields {
    const NAME: &'static str = "an object that is an event";
}

impl Named for DataDraft {
    const NAME: &'static str = "an object";
}

impl Named for DeliveryDraft {
    const NAME: &'static str = "an object that describes the delivery";
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveryDraft {
    created_at: Timestamp,
    event_type: EventType,
    payload: Option<SentPayload>,
    max_attempts: Option<MaxAttempts>,
    next_attempt_at: Option<Timestamp>,
    url: Option<Url>,
    source_event_id: Option<SourceEventId>,
}

/// What an event is completed and checked with.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The workspace of the sender's token, when it is bound to one.
    pub workspace_id: Option<WorkspaceId>,
    /// The time of receipt.
    pub received_at: Timestamp,
    /// Where response bodies, errors and reasons are cut, in bytes.
    pub text_cut_bytes: usize,
}

impl EventDraft {
    pub(crate) fn new(fields: EventFields, occurred_at_name: &'static str) -> Self {
        Self { fields, occurred_at_name }
    }

    /// How many bytes of JSON its payloads are.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let data = &self.fields.data;
        let embedded = data.delivery.as_ref().and_then(|delivery| delivery.payload.as_ref());
        [data.payload.as_ref(), embedded].into_iter().flatten().map(|payload| payload.as_str().len()).sum()
    }

    /// The payload of its own, not that of an embedded delivery.
    #[cfg(test)]
    pub(crate) fn payload_text(&self) -> Option<&str> {
        self.fields.data.payload.as_ref().map(SentPayload::as_str)
    }

    /// The workspace that the sender named.
    #[must_use]
    pub fn workspace_id(&self) -> Option<&WorkspaceId> {
        self.fields.workspace_id.as_ref()
    }

    /// The subscription that the sender named.
    #[must_use]
    pub fn subscription_id(&self) -> &SubscriptionId {
        &self.fields.subscription_id
    }

    /// Completes a sender's event: workspace, id, time of occurrence, cuts.
    ///
    /// # Errors
    ///
    /// When a field that its kind requires is missing, one that its kind does not have is there, or a
    /// time is more than 24 h ahead of the time of receipt.
    pub fn complete(
        self,
        completion: &Completion,
        new_id: impl FnOnce() -> EventId,
    ) -> Result<CompletedEvent, FieldError> {
        let Self { fields, occurred_at_name } = self;
        let workspace_id = fields
            .workspace_id
            .or_else(|| completion.workspace_id.clone())
            .ok_or(FieldError::missing("workspace_id"))?;
        let occurred_at_given = fields.occurred_at.is_some();
        let mut event = Event {
            id: fields.id.unwrap_or_else(new_id),
            workspace_id,
            subscription_id: fields.subscription_id,
            delivery_id: fields.delivery_id,
            occurred_at: fields.occurred_at.unwrap_or(completion.received_at),
            data: fields.data.into_data(fields.kind)?,
        };
        check_sent(&event, completion.received_at, occurred_at_name)?;
        cut_texts(&mut event.data, completion.text_cut_bytes);
        Ok(CompletedEvent { event, occurred_at_given })
    }

    /// The event as it was stored: all was completed then, and bodies may be gone.
    ///
    /// # Errors
    ///
    /// When a field is missing that the log always has, or one is there that its kind does not have.
    pub(crate) fn into_stored(self) -> Result<Event, FieldError> {
        let fields = self.fields;
        Ok(Event {
            id: fields.id.ok_or(FieldError::missing("id"))?,
            workspace_id: fields.workspace_id.ok_or(FieldError::missing("workspace_id"))?,
            subscription_id: fields.subscription_id,
            delivery_id: fields.delivery_id,
            occurred_at: fields.occurred_at.ok_or(FieldError::missing("occurred_at"))?,
            data: fields.data.into_data(fields.kind)?,
        })
    }
}

/// A sender's event, complete, and whether the sender said when it happened.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletedEvent {
    /// The event.
    pub event: Event,
    /// Whether `occurred_at` is the sender's. One of ours differs each time the sender tries again, so
    /// it does not tell two contents apart.
    pub occurred_at_given: bool,
}

impl DataDraft {
    fn into_data(mut self, kind: Kind) -> Result<EventData, FieldError> {
        let data = match kind {
            Kind::DeliveryCreated => EventData::DeliveryCreated(DeliveryDescription {
                event_type: need(&mut self.event_type, "data.event_type")?,
                payload: self.payload.take().map(SentPayload::into_text),
                max_attempts: self.max_attempts.take().unwrap_or_default(),
                next_attempt_at: self.next_attempt_at.take(),
                url: self.url.take(),
                source_event_id: self.source_event_id.take(),
            }),
            Kind::AttemptStarted => EventData::AttemptStarted(AttemptStarted {
                attempt: need(&mut self.attempt, "data.attempt")?,
                url: self.url.take(),
                request_headers: self.request_headers.take(),
                delivery: self.delivery.take().map(DeliveryDraft::into_embedded),
            }),
            Kind::AttemptSucceeded => EventData::AttemptSucceeded(AttemptSucceeded {
                attempt: need(&mut self.attempt, "data.attempt")?,
                duration_ms: need(&mut self.duration_ms, "data.duration_ms")?,
                response_status: need(&mut self.response_status, "data.response_status")?,
                response_headers: self.response_headers.take(),
                response_body: text_of(&mut self.response_body),
                delivery: self.delivery.take().map(DeliveryDraft::into_embedded),
            }),
            Kind::AttemptFailed => EventData::AttemptFailed(AttemptFailed {
                attempt: need(&mut self.attempt, "data.attempt")?,
                error: text_of(&mut self.error),
                duration_ms: self.duration_ms.take(),
                response_status: self.response_status.take(),
                response_headers: self.response_headers.take(),
                response_body: text_of(&mut self.response_body),
                next_attempt_at: self.next_attempt_at.take(),
                delivery: self.delivery.take().map(DeliveryDraft::into_embedded),
            }),
            Kind::DeliveryRetryScheduled => EventData::DeliveryRetryScheduled(DeliveryRetryScheduled {
                next_attempt_at: need(&mut self.next_attempt_at, "data.next_attempt_at")?,
                reason: text_of(&mut self.reason),
            }),
            Kind::DeliveryCancelled => {
                EventData::DeliveryCancelled(DeliveryCancelled { reason: text_of(&mut self.reason) })
            }
        };
        self.refuse_rest(kind)?;
        Ok(data)
    }

    /// Refuses fields that the kind did not take.
    fn refuse_rest(&self, kind: Kind) -> Result<(), FieldError> {
        let rest = [
            ("data.attempt", self.attempt.is_some()),
            ("data.event_type", self.event_type.is_some()),
            ("data.payload", self.payload.is_some()),
            ("data.max_attempts", self.max_attempts.is_some()),
            ("data.next_attempt_at", self.next_attempt_at.is_some()),
            ("data.url", self.url.is_some()),
            ("data.source_event_id", self.source_event_id.is_some()),
            ("data.request_headers", self.request_headers.is_some()),
            ("data.duration_ms", self.duration_ms.is_some()),
            ("data.response_status", self.response_status.is_some()),
            ("data.response_headers", self.response_headers.is_some()),
            ("data.response_body", self.response_body.is_some()),
            ("data.error", self.error.is_some()),
            ("data.reason", self.reason.is_some()),
            ("data.delivery", self.delivery.is_some()),
        ];
        match rest.iter().find(|(_, there)| *there) {
            Some((field, _)) => Err(FieldError::new(*field, format!("is not a field of {}", kind.as_str()))),
            None => Ok(()),
        }
    }
}

impl DeliveryDraft {
    fn into_embedded(self) -> EmbeddedDelivery {
        EmbeddedDelivery {
            created_at: self.created_at,
            description: DeliveryDescription {
                event_type: self.event_type,
                payload: self.payload.map(SentPayload::into_text),
                max_attempts: self.max_attempts.unwrap_or_default(),
                next_attempt_at: self.next_attempt_at,
                url: self.url,
                source_event_id: self.source_event_id,
            },
        }
    }
}

fn text_of(slot: &mut Option<Text>) -> Option<String> {
    slot.take().map(|text| text.0)
}

fn need<T>(slot: &mut Option<T>, field: &'static str) -> Result<T, FieldError> {
    slot.take().ok_or(FieldError::missing(field))
}

/// Checks what a sender must give although the log can be without it, and its clock.
fn check_sent(event: &Event, received_at: Timestamp, occurred_at_name: &'static str) -> Result<(), FieldError> {
    check_clock(occurred_at_name, event.occurred_at, received_at)?;
    let embedded = match &event.data {
        EventData::DeliveryCreated(data) => return given(data.payload.as_ref(), "data.payload"),
        EventData::DeliveryCancelled(data) => return given(data.reason.as_ref(), "data.reason"),
        EventData::DeliveryRetryScheduled(_) => return Ok(()),
        EventData::AttemptStarted(data) => &data.delivery,
        EventData::AttemptSucceeded(data) => &data.delivery,
        EventData::AttemptFailed(data) => {
            given(data.error.as_ref(), "data.error")?;
            &data.delivery
        }
    };
    let Some(delivery) = embedded else { return Ok(()) };
    given(delivery.description.payload.as_ref(), "data.delivery.payload")?;
    check_clock("data.delivery.created_at", delivery.created_at, received_at)
}

fn given<T>(value: Option<&T>, field: &'static str) -> Result<(), FieldError> {
    value.map(|_| ()).ok_or(FieldError::missing(field))
}

fn check_clock(field: &'static str, moment: Timestamp, received_at: Timestamp) -> Result<(), FieldError> {
    if moment.as_micros() <= received_at.as_micros() + CLOCK_AHEAD_MAX_US {
        return Ok(());
    }
    let bound = format!("at most 24 h ahead of the ledger's clock, {received_at}");
    Err(FieldError::new(field, format!("must be {bound}, not {moment}")).with_bound(bound))
}

fn cut_texts(data: &mut EventData, max_bytes: usize) {
    let (first, second) = match data {
        EventData::AttemptSucceeded(data) => (&mut data.response_body, None),
        EventData::AttemptFailed(data) => (&mut data.response_body, Some(&mut data.error)),
        EventData::DeliveryRetryScheduled(data) => (&mut data.reason, None),
        EventData::DeliveryCancelled(data) => (&mut data.reason, None),
        EventData::DeliveryCreated(_) | EventData::AttemptStarted(_) => return,
    };
    for text in [Some(first), second].into_iter().flatten().flatten() {
        text::cut(text, max_bytes);
    }
}

#[cfg(test)]
mod tests;
