//! What names a subscription and a delivery, across workspaces.

use ledger_event::{DeliveryId, SubscriptionId, WorkspaceId};

/// What names a subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey {
    /// The tenant.
    pub workspace_id: WorkspaceId,
    /// The receiver.
    pub subscription_id: SubscriptionId,
}

/// What names a delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// Its subscription.
    pub subscription: SubscriptionKey,
    /// Its id.
    pub delivery_id: DeliveryId,
}

/// What has stats, and lists of deliveries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeName {
    /// A workspace.
    Workspace(WorkspaceId),
    /// A subscription.
    Subscription(SubscriptionKey),
}
