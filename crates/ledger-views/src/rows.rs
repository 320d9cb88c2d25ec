//! The rows of deliveries, as they stand in blocks.

use ledger_event::{DeliveryId, EventId, JsonText, SubscriptionId};
use serde::{Deserialize, Serialize};

use crate::row::DeliveryRow;
use crate::state::{Attempt, DeliveryState};

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

/// About what ids and their allocations take of a record, beside its attempts and texts.
const RECORD_IDS_BYTES: usize = 300;
/// The same of an attempt.
const ATTEMPT_IDS_BYTES: usize = 100;

impl DeliveryRecord {
    /// About what it takes of memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let state = &self.state;
        let texts = [&state.last_finish_texts.response_body, &state.last_finish_texts.error];
        let reason = state.cancelled.as_ref().and_then(|cancelled| cancelled.reason.as_ref());
        let texts = texts.into_iter().flatten().chain(reason).map(String::len).sum::<usize>();
        let attempts = state.attempts.len() * (size_of::<Attempt>() + ATTEMPT_IDS_BYTES);
        size_of::<Self>() + RECORD_IDS_BYTES + attempts + texts
    }
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
