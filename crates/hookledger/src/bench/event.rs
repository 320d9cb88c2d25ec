//! A generated event, as a sender writes it: in JSON and in MessagePack.
//!
//! A sender needs nothing of the ledger's code for this, so the bench uses none.

use serde::{Serialize, Serializer};

use super::payload::Payload;

/// An event of `POST /v1/events`.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    pub(super) id: EventId,
    pub(super) kind: &'static str,
    pub(super) workspace_id: String,
    pub(super) subscription_id: SubscriptionId,
    pub(super) delivery_id: DeliveryId,
    pub(super) occurred_at: String,
    /// The same in microseconds since 1970.
    #[serde(skip)]
    pub(super) occurred_us: i64,
    pub(super) data: Data,
}

/// `evt_` and 64 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventId(pub(super) u64);

/// `whdel_`, the time in milliseconds, and 64 random bits: in the order of time, as today's ids are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeliveryId {
    pub(super) created_ms: i64,
    pub(super) random: u64,
}

/// `whsub_` and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SubscriptionId(pub(super) u16);

/// What is said about a delivery or an attempt.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Data {
    Created {
        event_type: &'static str,
        max_attempts: u8,
        payload: Box<Payload>,
    },
    Succeeded {
        attempt: u8,
        duration_ms: u32,
        response_status: u16,
        response_body: String,
    },
    Failed {
        attempt: u8,
        error: &'static str,
        duration_ms: u32,
        response_status: u16,
        response_body: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_attempt_at: Option<String>,
        /// The same in microseconds since 1970.
        #[serde(skip)]
        next_attempt_us: i64,
    },
}

impl DeliveryId {
    pub(super) fn new(created_us: i64, random: u64) -> Self {
        Self { created_ms: created_us / 1_000, random }
    }

    pub(super) fn text(self) -> String {
        format!("whdel_{:011x}{:016x}", self.created_ms, self.random)
    }
}

impl EventId {
    pub(super) fn text(self) -> String {
        format!("evt_{:016x}", self.0)
    }
}

impl Data {
    /// The receiver answered with an id of its own.
    pub(super) fn succeeded(attempt: u8, duration_ms: u32, answered: u64) -> Self {
        let response_body = format!(r#"{{"id":"{answered:016x}","received":true}}"#);
        Self::Succeeded { attempt, duration_ms, response_status: 200, response_body }
    }

    /// It is tried again at that time, as text and in microseconds since 1970, or given up.
    pub(super) fn failed(attempt: u8, duration_ms: u32, next_attempt: Option<(String, i64)>) -> Self {
        let (next_attempt_at, next_attempt_us) = next_attempt.unzip();
        Self::Failed {
            attempt,
            error: "HTTP 503",
            duration_ms,
            response_status: 503,
            response_body: "busy",
            next_attempt_at,
            next_attempt_us: next_attempt_us.unwrap_or_default(),
        }
    }

    /// When the next attempt is to come, as text and in microseconds since 1970.
    pub(super) fn next_attempt(&self) -> Option<(&str, i64)> {
        match self {
            Self::Failed { next_attempt_at, next_attempt_us, .. } => {
                Some((next_attempt_at.as_deref()?, *next_attempt_us))
            }
            Self::Created { .. } | Self::Succeeded { .. } => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Created { .. } => "delivery.created",
            Self::Succeeded { .. } => "attempt.succeeded",
            Self::Failed { .. } => "attempt.failed",
        }
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl Serialize for SubscriptionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("whsub_{:03}", self.0))
    }
}
