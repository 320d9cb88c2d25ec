//! The lists of deliveries: which there are, and what an entry is.

use ledger_event::{DeliveryId, SubscriptionId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::names::SubscriptionKey;

/// Which list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListId {
    /// The described deliveries of a workspace, by `created_at`.
    Workspace(WorkspaceId),
    /// The described deliveries of a subscription, by `created_at`.
    Subscription(SubscriptionKey),
    /// The deliveries of a workspace that wait for their description, by the position that first named them.
    Waiting(WorkspaceId),
}

/// An entry of a list; entries are in the order of their fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListEntry {
    /// What the list is ordered by: microseconds, or a position.
    pub order: i64,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
}
