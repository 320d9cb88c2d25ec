//! What can happen to a delivery.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::id::{DeliveryId, EventId, EventType, SourceEventId, SubscriptionId, WorkspaceId};
use crate::json_text::JsonText;
use crate::number::{AttemptNumber, DurationMs, MaxAttempts, ResponseStatus};
use crate::text::{Headers, Url};
use crate::time::Timestamp;

/// A fact about one delivery, complete: what a sender left out has been filled in.
///
/// In JSON and in MessagePack it is a map of `id`, `kind`, `workspace_id`, `subscription_id`,
/// `delivery_id`, `occurred_at` and `data`; what is absent in `data` is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The producer's idempotency key within the workspace.
    pub id: EventId,
    /// The tenant.
    pub workspace_id: WorkspaceId,
    /// The receiver's configuration.
    pub subscription_id: SubscriptionId,
    /// The delivery it happened to.
    pub delivery_id: DeliveryId,
    /// When it happened by the sender's clock; of a finished attempt, the finish.
    pub occurred_at: Timestamp,
    /// What happened.
    pub data: EventData,
}

/// The discriminator of an event, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// A delivery was made from a source event.
    #[serde(rename = "delivery.created")]
    DeliveryCreated,
    /// An attempt was begun.
    #[serde(rename = "attempt.started")]
    AttemptStarted,
    /// An attempt was accepted by the receiver.
    #[serde(rename = "attempt.succeeded")]
    AttemptSucceeded,
    /// An attempt was refused, or got no answer.
    #[serde(rename = "attempt.failed")]
    AttemptFailed,
    /// Another attempt was asked for, beyond the sender's own backoff.
    #[serde(rename = "delivery.retry_scheduled")]
    DeliveryRetryScheduled,
    /// The delivery was given up.
    #[serde(rename = "delivery.cancelled")]
    DeliveryCancelled,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::DeliveryCreated,
        Kind::AttemptStarted,
        Kind::AttemptSucceeded,
        Kind::AttemptFailed,
        Kind::DeliveryRetryScheduled,
        Kind::DeliveryCancelled,
    ];

    /// The kind as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DeliveryCreated => "delivery.created",
            Kind::AttemptStarted => "attempt.started",
            Kind::AttemptSucceeded => "attempt.succeeded",
            Kind::AttemptFailed => "attempt.failed",
            Kind::DeliveryRetryScheduled => "delivery.retry_scheduled",
            Kind::DeliveryCancelled => "delivery.cancelled",
        }
    }
}

/// What happened, by kind. Kinds are added, never changed.
#[derive(Clone, Debug, PartialEq)]
pub enum EventData {
    /// `delivery.created`
    DeliveryCreated(DeliveryDescription),
    /// `attempt.started`
    AttemptStarted(AttemptStarted),
    /// `attempt.succeeded`
    AttemptSucceeded(AttemptSucceeded),
    /// `attempt.failed`
    AttemptFailed(AttemptFailed),
    /// `delivery.retry_scheduled`
    DeliveryRetryScheduled(DeliveryRetryScheduled),
    /// `delivery.cancelled`
    DeliveryCancelled(DeliveryCancelled),
}

impl EventData {
    /// The discriminator.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            EventData::DeliveryCreated(_) => Kind::DeliveryCreated,
            EventData::AttemptStarted(_) => Kind::AttemptStarted,
            EventData::AttemptSucceeded(_) => Kind::AttemptSucceeded,
            EventData::AttemptFailed(_) => Kind::AttemptFailed,
            EventData::DeliveryRetryScheduled(_) => Kind::DeliveryRetryScheduled,
            EventData::DeliveryCancelled(_) => Kind::DeliveryCancelled,
        }
    }
}

/// What a delivery is: the data of `delivery.created`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct DeliveryDescription {
    /// What the sender's own event was.
    pub event_type: EventType,
    /// The object that is sent: at most 256 KiB of JSON without white space, nested at most 100 deep. Senders must
    /// give it; it is absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(required))]
    pub payload: Option<JsonText>,
    /// How many attempts the sender means to make at most.
    #[cfg_attr(feature = "schema", schemars(default, with = "Option<MaxAttempts>"))]
    pub max_attempts: MaxAttempts,
    /// When the first attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Where it is to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// The sender's own event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_event_id: Option<SourceEventId>,
}

/// The description of a delivery inside an attempt's event, for senders that record nothing else.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct EmbeddedDelivery {
    /// When the delivery was created.
    pub created_at: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub description: DeliveryDescription,
}

/// The data of `attempt.started`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct AttemptStarted {
    /// Its number within the delivery.
    pub attempt: AttemptNumber,
    /// Where it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// The headers it was sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_headers: Option<Headers>,
    /// The delivery's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<EmbeddedDelivery>,
}

/// The data of `attempt.succeeded`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct AttemptSucceeded {
    /// Its number within the delivery.
    pub attempt: AttemptNumber,
    /// How long it took, in milliseconds.
    pub duration_ms: DurationMs,
    /// The status of the response.
    pub response_status: ResponseStatus,
    /// The headers of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Headers>,
    /// The body of the response, cut: after 1 KiB, unless the server is set otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// The delivery's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<EmbeddedDelivery>,
}

/// The data of `attempt.failed`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct AttemptFailed {
    /// Its number within the delivery.
    pub attempt: AttemptNumber,
    /// What went wrong, cut as bodies are. Senders must give it; it is absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(required))]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<DurationMs>,
    /// The status of the response, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_status: Option<ResponseStatus>,
    /// The headers of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Headers>,
    /// The body of the response, cut: after 1 KiB, unless the server is set otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// When the next attempt is due; absent when there will be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// The delivery's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<EmbeddedDelivery>,
}

/// The data of `delivery.retry_scheduled`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct DeliveryRetryScheduled {
    /// When the next attempt is due.
    pub next_attempt_at: Timestamp,
    /// Why, cut as bodies are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The data of `delivery.cancelled`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline, deny_unknown_fields))]
pub struct DeliveryCancelled {
    /// Why, cut as bodies are. Senders must give it; it is absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(required))]
    pub reason: Option<String>,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Event", 7)?;
        fields.serialize_field("id", &self.id)?;
        fields.serialize_field("kind", &self.data.kind())?;
        fields.serialize_field("workspace_id", &self.workspace_id)?;
        fields.serialize_field("subscription_id", &self.subscription_id)?;
        fields.serialize_field("delivery_id", &self.delivery_id)?;
        fields.serialize_field("occurred_at", &self.occurred_at)?;
        match &self.data {
            EventData::DeliveryCreated(data) => fields.serialize_field("data", data)?,
            EventData::AttemptStarted(data) => fields.serialize_field("data", data)?,
            EventData::AttemptSucceeded(data) => fields.serialize_field("data", data)?,
            EventData::AttemptFailed(data) => fields.serialize_field("data", data)?,
            EventData::DeliveryRetryScheduled(data) => fields.serialize_field("data", data)?,
            EventData::DeliveryCancelled(data) => fields.serialize_field("data", data)?,
        }
        fields.end()
    }
}
