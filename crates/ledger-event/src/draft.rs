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
use crate::json_text::JsonText;
use crate::limits::CLOCK_AHEAD_MAX_US;
use crate::number::{AttemptNumber, DurationMs, MaxAttempts, ResponseStatus};
use crate::strict::{self, Named};
use crate::text::{self, Headers, Url};
use crate::time::Timestamp;

/// An event as a sender gives it: every field is within its own bounds, but some may be missing.
#[derive(Debug)]
pub struct EventDraft(EventFields);

impl<'de> Deserialize<'de> for EventDraft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        strict::map(deserializer).map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFields {
    id: Option<EventId>,
    #[serde(deserialize_with = "strict::name")]
    kind: Kind,
    workspace_id: Option<WorkspaceId>,
    subscription_id: SubscriptionId,
    delivery_id: DeliveryId,
    occurred_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "strict::map")]
    data: DataDraft,
    /// Reads and exports show it; it is ours to give.
    #[serde(default, rename = "position")]
    _position: IgnoredAny,
    /// Reads and exports show it; it is ours to give.
    #[serde(default, rename = "recorded_at")]
    _recorded_at: IgnoredAny,
}

/// The fields of every kind's data.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DataDraft {
    attempt: Option<AttemptNumber>,
    event_type: Option<EventType>,
    payload: Option<JsonText>,
    max_attempts: Option<MaxAttempts>,
    next_attempt_at: Option<Timestamp>,
    url: Option<Url>,
    source_event_id: Option<SourceEventId>,
    request_headers: Option<Headers>,
    duration_ms: Option<DurationMs>,
    response_status: Option<ResponseStatus>,
    response_headers: Option<Headers>,
    response_body: Option<String>,
    error: Option<String>,
    reason: Option<String>,
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
    payload: Option<JsonText>,
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
    /// The workspace that the sender named.
    #[must_use]
    pub fn workspace_id(&self) -> Option<&WorkspaceId> {
        self.0.workspace_id.as_ref()
    }

    /// The subscription that the sender named.
    #[must_use]
    pub fn subscription_id(&self) -> &SubscriptionId {
        &self.0.subscription_id
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
        let fields = self.0;
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
        check_sent(&event, completion.received_at)?;
        cut_texts(&mut event.data, completion.text_cut_bytes);
        Ok(CompletedEvent { event, occurred_at_given })
    }

    /// The event as it was stored: all was completed then, and bodies may be gone.
    ///
    /// # Errors
    ///
    /// When a field is missing that the log always has, or one is there that its kind does not have.
    pub(crate) fn into_stored(self) -> Result<Event, FieldError> {
        let fields = self.0;
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
                payload: self.payload.take(),
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
                response_body: self.response_body.take(),
                delivery: self.delivery.take().map(DeliveryDraft::into_embedded),
            }),
            Kind::AttemptFailed => EventData::AttemptFailed(AttemptFailed {
                attempt: need(&mut self.attempt, "data.attempt")?,
                error: self.error.take(),
                duration_ms: self.duration_ms.take(),
                response_status: self.response_status.take(),
                response_headers: self.response_headers.take(),
                response_body: self.response_body.take(),
                next_attempt_at: self.next_attempt_at.take(),
                delivery: self.delivery.take().map(DeliveryDraft::into_embedded),
            }),
            Kind::DeliveryRetryScheduled => EventData::DeliveryRetryScheduled(DeliveryRetryScheduled {
                next_attempt_at: need(&mut self.next_attempt_at, "data.next_attempt_at")?,
                reason: self.reason.take(),
            }),
            Kind::DeliveryCancelled => EventData::DeliveryCancelled(DeliveryCancelled { reason: self.reason.take() }),
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
                payload: self.payload,
                max_attempts: self.max_attempts.unwrap_or_default(),
                next_attempt_at: self.next_attempt_at,
                url: self.url,
                source_event_id: self.source_event_id,
            },
        }
    }
}

fn need<T>(slot: &mut Option<T>, field: &'static str) -> Result<T, FieldError> {
    slot.take().ok_or(FieldError::missing(field))
}

/// Checks what a sender must give although the log can be without it, and its clock.
fn check_sent(event: &Event, received_at: Timestamp) -> Result<(), FieldError> {
    check_clock("occurred_at", event.occurred_at, received_at)?;
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
mod tests {
    use super::*;

    const NOW: &str = "2026-01-15T10:30:00Z";

    fn complete(json: &str) -> Result<Event, FieldError> {
        let completion = Completion {
            workspace_id: None,
            received_at: Timestamp::parse(NOW).expect("it is a time"),
            text_cut_bytes: 8,
        };
        let draft: EventDraft = serde_json::from_str(json).expect("it is within its bounds");
        draft.complete(&completion, || EventId::parse("new").expect("it is an id")).map(|completed| completed.event)
    }

    fn event(kind: &str, data: &str) -> String {
        format!(
            r#"{{"data":{data},"kind":"{kind}","workspace_id":"ws","subscription_id":"sub","delivery_id":"del","position":7,"recorded_at":null}}"#
        )
    }

    #[test]
    fn what_a_sender_leaves_out_is_filled_in() {
        let event =
            complete(&event("delivery.created", r#"{"event_type":"a.b","payload":{}}"#)).expect("it is complete");
        assert_eq!(event.id.as_str(), "new");
        assert_eq!(event.occurred_at.to_string(), NOW);
        let EventData::DeliveryCreated(description) = event.data else { panic!("it is of the kind that was sent") };
        assert_eq!(description.max_attempts.get(), 10);
    }

    #[test]
    fn a_missing_field_is_named() {
        let refusals = [
            ("delivery.created", r#"{"event_type":"a"}"#, "data.payload"),
            ("delivery.created", r#"{"payload":{}}"#, "data.event_type"),
            ("attempt.started", "{}", "data.attempt"),
            ("attempt.succeeded", r#"{"attempt":1,"response_status":200}"#, "data.duration_ms"),
            ("attempt.succeeded", r#"{"attempt":1,"duration_ms":1}"#, "data.response_status"),
            ("attempt.failed", r#"{"attempt":1}"#, "data.error"),
            ("delivery.retry_scheduled", "{}", "data.next_attempt_at"),
            ("delivery.cancelled", "{}", "data.reason"),
            (
                "attempt.started",
                r#"{"attempt":1,"delivery":{"created_at":"2026-01-01T00:00:00Z","event_type":"a"}}"#,
                "data.delivery.payload",
            ),
        ];
        for (kind, data, field) in refusals {
            let error = complete(&event(kind, data)).expect_err("a field is missing");
            assert_eq!(error.field, field, "{kind} {data}");
        }
    }

    #[test]
    fn a_field_of_another_kind_is_refused_by_name() {
        let error = complete(&event("attempt.started", r#"{"attempt":1,"error":"x"}"#)).expect_err("it has no error");
        assert_eq!((error.field.as_ref(), error.problem.as_str()), ("data.error", "is not a field of attempt.started"));
    }

    #[test]
    fn a_clock_more_than_a_day_ahead_is_refused() {
        let at = |time: &str| {
            event("delivery.cancelled", r#"{"reason":"r"}"#).replacen('{', &format!(r#"{{"occurred_at":"{time}","#), 1)
        };
        assert!(complete(&at("2026-01-16T10:30:00Z")).is_ok());
        assert_eq!(complete(&at("2026-01-16T10:30:00.000001Z")).expect_err("it is too far ahead").field, "occurred_at");
        let embedded =
            r#"{"attempt":1,"delivery":{"created_at":"2027-01-01T00:00:00Z","event_type":"a","payload":{}}}"#;
        let error = complete(&event("attempt.started", embedded)).expect_err("it is too far ahead");
        assert_eq!(error.field, "data.delivery.created_at");
    }

    #[test]
    fn long_texts_are_cut_and_payloads_are_not() {
        let data = r#"{"attempt":1,"error":"0123456789","response_body":"žžžžž"}"#;
        let EventData::AttemptFailed(failed) = complete(&event("attempt.failed", data)).expect("it is complete").data
        else {
            panic!("it is of the kind that was sent")
        };
        assert_eq!(failed.error.as_deref(), Some("01234567"));
        assert_eq!(failed.response_body.as_deref(), Some("žžžž"));
    }
}
