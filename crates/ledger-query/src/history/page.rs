//! The answer, as the contract writes it.

use ledger_event::Timestamp;
use ledger_views::{DeliveryPage, DeliveryRow};
use serde::{Serialize, Serializer};

/// `ListWebhookDeliveriesResponse` of the contract.
#[derive(Serialize)]
pub struct PageBody<'a> {
    deliveries: Vec<DeliveryBody<'a>>,
    total: u64,
    limit: u64,
    offset: u64,
}

/// `WebhookDelivery` of the contract: all fields always, `null` for what is not known.
#[derive(Serialize)]
struct DeliveryBody<'a> {
    id: &'a str,
    subscription_id: &'a str,
    event_type: &'a str,
    #[serde(serialize_with = "payload_or_empty")]
    payload: &'a DeliveryRow,
    status: &'static str,
    attempts: u32,
    max_attempts: u32,
    next_attempt_at: Option<Timestamp>,
    last_attempt_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    last_response_status: Option<u32>,
    last_response_body: Option<&'a str>,
    last_error: Option<&'a str>,
    created_at: Timestamp,
}

impl<'a> PageBody<'a> {
    /// The answer to a request with that limit and offset.
    #[must_use]
    pub fn new(page: &'a DeliveryPage, limit: u64, offset: u64) -> Self {
        Self { deliveries: page.rows.iter().map(DeliveryBody::new).collect(), total: page.total, limit, offset }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("rows are plain text and numbers, and payloads are JSON")
    }
}

impl<'a> DeliveryBody<'a> {
    fn new(row: &'a DeliveryRow) -> Self {
        Self {
            id: row.id.as_str(),
            subscription_id: row.subscription_id.as_str(),
            event_type: row.event_type.as_str(),
            payload: row,
            status: row.outcome.status().as_str(),
            attempts: row.attempts,
            max_attempts: row.max_attempts.get(),
            next_attempt_at: row.next_attempt_at,
            last_attempt_at: row.last_attempt_at,
            delivered_at: row.delivered_at,
            last_response_status: row.last_response_status.map(|status| status.get()),
            last_response_body: row.last_response_body.as_deref(),
            last_error: row.last_error.as_deref(),
            created_at: row.created_at,
        }
    }
}

/// The payload as it came; `{}` for one that is absent.
fn payload_or_empty<S: Serializer>(row: &&DeliveryRow, serializer: S) -> Result<S::Ok, S::Error> {
    match &row.payload {
        Some(payload) => payload.serialize(serializer),
        None => serializer.collect_map(std::iter::empty::<((), ())>()),
    }
}
