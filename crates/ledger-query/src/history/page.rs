//! The answer, as the contract writes it.

use ledger_event::{DeliveryId, EventType, JsonText, MaxAttempts, ResponseStatus, SubscriptionId, Timestamp};
use ledger_views::{DeliveryPage, DeliveryRow};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// About what the names of a row's fields take as JSON, its numbers and its times.
const ROW_BYTES: usize = 512;
/// About what stands around the rows.
const ENDS_BYTES: usize = 128;

/// `ListWebhookDeliveriesResponse` of the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListWebhookDeliveriesResponse", description = "A page of deliveries, newest first.")]
pub struct PageBody<'a> {
    /// The deliveries of the page.
    deliveries: Vec<DeliveryBody<'a>>,
    /// How many there are on all pages, exactly.
    total: u64,
    /// The `limit` that was asked for.
    limit: u64,
    /// The `offset` that was asked for.
    offset: u64,
}

/// `WebhookDelivery` of the contract: all fields always, `null` for what is not known.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery", description = "One delivery, by all that was reported of it.")]
struct DeliveryBody<'a> {
    /// The delivery.
    #[schemars(with = "DeliveryId")]
    id: &'a str,
    /// Its subscription.
    #[schemars(with = "SubscriptionId")]
    subscription_id: &'a str,
    /// What the sender's own event was.
    #[schemars(with = "EventType")]
    event_type: &'a str,
    /// The object that is sent: number forms, key order and escapes as they came. `{}` when it is gone.
    #[serde(serialize_with = "payload_or_empty")]
    #[schemars(with = "JsonText")]
    payload: &'a DeliveryRow,
    /// `delivered` once any attempt was accepted; `failed` when the last attempt failed or the delivery was cancelled
    /// (a `next_attempt_at` tells that another try is due); `delivering` while the highest-numbered attempt has not
    /// ended; else `pending`.
    #[schemars(extend("enum" = ["pending", "delivering", "delivered", "failed"]))]
    status: &'static str,
    /// How many attempt numbers were reported, started ones too.
    attempts: u32,
    /// How many attempts the sender means to make at most.
    #[schemars(with = "MaxAttempts")]
    max_attempts: u32,
    /// When the next attempt is due.
    next_attempt_at: Option<Timestamp>,
    /// When the highest-numbered attempt that ended did.
    last_attempt_at: Option<Timestamp>,
    /// When the first accepted attempt ended.
    delivered_at: Option<Timestamp>,
    /// The status of the response to the highest-numbered attempt that ended.
    #[schemars(with = "Option<ResponseStatus>")]
    last_response_status: Option<u32>,
    /// The body of that response, cut.
    last_response_body: Option<&'a str>,
    /// What that attempt failed of; null when it was accepted; the reason, once the delivery was cancelled.
    last_error: Option<&'a str>,
    /// When the delivery was created.
    created_at: Timestamp,
}

impl<'a> PageBody<'a> {
    /// The answer to a request with that limit and offset.
    #[must_use]
    pub fn new(page: &'a DeliveryPage, limit: u64, offset: u64) -> Self {
        Self { deliveries: page.rows.iter().map(DeliveryBody::new).collect(), total: page.total, limit, offset }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json =
            Vec::with_capacity(self.deliveries.iter().map(DeliveryBody::size_bytes).sum::<usize>() + ENDS_BYTES);
        serde_json::to_writer(&mut json, self).expect("rows are plain text and numbers, and payloads are JSON");
        json
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

    /// About what it takes as JSON.
    fn size_bytes(&self) -> usize {
        let payload = self.payload.payload.as_ref().map_or(0, |payload| payload.as_str().len());
        let texts = [self.last_response_body, self.last_error].into_iter().flatten().map(str::len).sum::<usize>();
        let ids = self.id.len() + self.subscription_id.len() + self.event_type.len();
        ROW_BYTES + ids + payload + texts
    }
}

/// The payload as it came; `{}` for one that is absent.
fn payload_or_empty<S: Serializer>(row: &&DeliveryRow, serializer: S) -> Result<S::Ok, S::Error> {
    match &row.payload {
        Some(payload) => payload.serialize(serializer),
        None => serializer.collect_map(std::iter::empty::<((), ())>()),
    }
}
