//! Which events a reader gets.

use ledger_event::{Event, Kind, SubscriptionId, WorkspaceId};

/// Which events a reader gets: those that it may see and asked for. What is `None` is not asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    pub(crate) workspace_id: Option<WorkspaceId>,
    pub(crate) subscription_id: Option<SubscriptionId>,
    pub(crate) kind: Option<Kind>,
}

impl Filter {
    pub(crate) fn lets_through(&self, event: &Event) -> bool {
        self.workspace_id.as_ref().is_none_or(|id| *id == event.workspace_id)
            && self.subscription_id.as_ref().is_none_or(|id| *id == event.subscription_id)
            && self.kind.is_none_or(|kind| kind == event.data.kind())
    }
}
