//! The rows of deliveries, as they stand in blocks.

use ledger_event::{DeliveryId, EventId, JsonText, SubscriptionId};
use serde::{Deserialize, Serialize};

use crate::row::DeliveryRow;
use crate::state::DeliveryState;

/// Longest payload that stands in a block, in bytes: what is longer has a page of its own, so that blocks stay small.
pub(crate) const BLOCK_PAYLOAD_MAX_BYTES: usize = 8 * 1024;

const TEXT: u8 = 1;
const LARGE: u8 = 2;

/// What is kept of a delivery, without its payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeliveryRecord<I = EventId> {
    pub(crate) delivery_id: DeliveryId,
    pub(crate) state: DeliveryState<I>,
}

impl<I: Ord> DeliveryRecord<I> {
    /// What is shown of it; `None` while it waits for its description.
    pub(crate) fn into_row(self, subscription_id: SubscriptionId, payload: Option<JsonText>) -> Option<DeliveryRow> {
        DeliveryRow::of(self.delivery_id, subscription_id, self.state, payload)
    }
}

/// A payload as a row of a block.
pub(crate) enum PayloadRow<'a> {
    None,
    Text(&'a str),
    /// It has a page of its own.
    Large,
}

impl<'a> PayloadRow<'a> {
    pub(crate) fn of(payload: Option<&'a JsonText>) -> Self {
        match payload.map(JsonText::as_str) {
            None => Self::None,
            Some(text) if text.len() > BLOCK_PAYLOAD_MAX_BYTES => Self::Large,
            Some(text) => Self::Text(text),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Text(text) => [&[TEXT], text.as_bytes()].concat(),
            Self::Large => vec![LARGE],
        }
    }

    /// `None` where the bytes are no such row.
    pub(crate) fn decode(row: &'a [u8]) -> Option<Self> {
        match row.split_first() {
            None => Some(Self::None),
            Some((&TEXT, text)) => Some(Self::Text(std::str::from_utf8(text).ok()?)),
            Some((&LARGE, [])) => Some(Self::Large),
            Some(_) => None,
        }
    }
}
