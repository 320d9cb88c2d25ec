//! What is asked for.

use ledger_auth::{Caller, Parameters, Scope};
use ledger_event::{SubscriptionId, WorkspaceId};
use ledger_views::PageRequest;

use super::error::HistoryError;

/// Most deliveries of a page.
pub(super) const LIMIT_MAX: u64 = 100;
/// Deliveries of a page when the request does not say.
pub(super) const LIMIT_DEFAULT: u64 = 20;

/// A request that may be answered.
#[derive(Debug)]
pub(crate) struct ListQuery {
    workspace_id: WorkspaceId,
    subscription_id: Option<SubscriptionId>,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

impl ListQuery {
    /// Reads and checks the parameters in the order of the contract: workspace, rights, bounds.
    pub(crate) fn parse(query: Option<&str>, caller: &Caller) -> Result<Self, HistoryError> {
        let parameters = Parameters::parse(query)?;
        let workspace_id: Option<WorkspaceId> = parameters.non_empty_id("workspace_id")?;
        let workspace_id = workspace_id.ok_or(HistoryError::NoWorkspace)?;
        caller.require(Scope::Read)?;
        caller.may_see_workspace(&workspace_id)?;
        let subscription_id: Option<SubscriptionId> = parameters.non_empty_id("subscription_id")?;
        match &subscription_id {
            Some(subscription_id) => caller.may_see_subscription(subscription_id)?,
            None => caller.may_see_whole_workspace()?,
        }
        let limit = parameters.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
        let offset = parameters.integer("offset", 0..=u64::MAX)?.unwrap_or(0);
        Ok(Self { workspace_id, subscription_id, limit, offset })
    }

    pub(crate) fn into_request(self) -> PageRequest {
        PageRequest {
            workspace_id: self.workspace_id,
            subscription_id: self.subscription_id,
            offset: self.offset,
            limit: usize::try_from(self.limit).expect("a page is at most 100 rows"),
        }
    }
}
