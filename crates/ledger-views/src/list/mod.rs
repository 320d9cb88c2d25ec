//! The lists of deliveries: which there are, and what an entry is.
//!
//! A list is a counted B+ tree ([`tree`]): leaves of entries in order, under a directory of counts. With each entry
//! stand its [`Marks`], by which lists are filtered, and the directory counts them too.

pub(crate) mod columns;
pub(crate) mod counts;
pub(crate) mod inner;
pub(crate) mod keys;
pub(crate) mod leaf;
pub(crate) mod marks;
pub(crate) mod node;
pub(crate) mod tree;

use ledger_event::{DeliveryId, SubscriptionId, WorkspaceId};

use crate::names::SubscriptionKey;

/// Which list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListId {
    /// The described deliveries of a workspace, by `created_at`.
    Workspace(WorkspaceId),
    /// The described deliveries of a subscription, by `created_at`.
    Subscription(SubscriptionKey),
    /// The deliveries of a workspace that wait for their description, by the position that first named them.
    Waiting(WorkspaceId),
}

/// An entry of a list; entries are in the order of their fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListEntry {
    /// What the list is ordered by: microseconds, or a position.
    pub order: i64,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
}
