//! Who sends a request, and what it may do.

use std::sync::Arc;

use ledger_event::{SubscriptionId, WorkspaceId};

use crate::record::TokenRecord;
use crate::scope::{Scope, Scopes};
use crate::secret::TokenId;

/// Why a caller may not do something: a 403. What it displays is for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The token lacks a scope.
    #[error("the token has no scope `{0}`")]
    Scope(Scope),
    /// The token is for another workspace.
    #[error("the token is for another workspace")]
    Workspace,
    /// The request is about the whole ledger, and the token for one workspace.
    #[error("the token is for one workspace, and this is about all of them")]
    AllWorkspaces,
    /// The token is for another subscription.
    #[error("the token is for another subscription")]
    Subscription,
    /// The request is about a whole workspace, and the token for one subscription of it.
    #[error("the token sees only the subscription `{only}`: name it in the request")]
    WholeWorkspace {
        /// The token's subscription.
        only: SubscriptionId,
    },
}

/// Why it is not clear in which workspace a request is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    /// The token is for all workspaces, and the request names none.
    #[error("workspace_id is required: the token is for all workspaces")]
    Missing,
    /// The request names a workspace that is not the token's.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// Who sends a request: a valid token, without its secret.
///
/// Nothing is allowed by having a caller. Each handler asks for the scope it needs, then for the workspace, then
/// for the subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(Arc<TokenRecord>);

impl Caller {
    /// The caller that presents that token.
    #[must_use]
    pub fn of(record: Arc<TokenRecord>) -> Self {
        Self(record)
    }

    /// The token's id, for logs.
    #[must_use]
    pub fn token_id(&self) -> &TokenId {
        &self.0.id
    }

    /// The one workspace that the token is for; none means all.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        self.0.grant.reach.workspace()
    }

    /// The one subscription that the token is for; none means all.
    #[must_use]
    pub fn subscription(&self) -> Option<&SubscriptionId> {
        self.0.grant.reach.subscription()
    }

    /// The token's scopes.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.0.grant.scopes
    }

    /// Asks for a scope. Scopes are exact: `admin` implies neither `read` nor `append`.
    ///
    /// # Errors
    ///
    /// When the token has not this very scope.
    pub fn require(&self, scope: Scope) -> Result<(), Forbidden> {
        if self.scopes().contains(scope) { Ok(()) } else { Err(Forbidden::Scope(scope)) }
    }

    /// Asks for a workspace that the request names.
    ///
    /// # Errors
    ///
    /// When the token is for another one.
    pub fn may_see_workspace(&self, named: &WorkspaceId) -> Result<(), Forbidden> {
        match self.workspace() {
            Some(own) if own != named => Err(Forbidden::Workspace),
            Some(_) | None => Ok(()),
        }
    }

    /// Asks for the ledger itself, which is of all workspaces together.
    ///
    /// # Errors
    ///
    /// When the token has not the scope `admin`, or is for one workspace.
    pub fn may_administer(&self) -> Result<(), Forbidden> {
        self.require(Scope::Admin)?;
        if self.workspace().is_none() { Ok(()) } else { Err(Forbidden::AllWorkspaces) }
    }

    /// The workspace that is meant: the one the request names, else the token's.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError::Missing`] when neither names one, [`WorkspaceError::Forbidden`] when they differ.
    pub fn workspace_or(&self, named: Option<&WorkspaceId>) -> Result<WorkspaceId, WorkspaceError> {
        if let Some(named) = named {
            self.may_see_workspace(named)?;
        }
        let workspace = named.or(self.workspace()).ok_or(WorkspaceError::Missing)?;
        Ok(workspace.clone())
    }

    /// Asks for one subscription, in a workspace that was asked for before: to read it, or to append to it.
    ///
    /// # Errors
    ///
    /// When the token is for another subscription.
    pub fn may_see_subscription(&self, named: &SubscriptionId) -> Result<(), Forbidden> {
        match self.subscription() {
            Some(own) if own != named => Err(Forbidden::Subscription),
            Some(_) | None => Ok(()),
        }
    }

    /// Asks for all subscriptions of a workspace that was asked for before.
    ///
    /// # Errors
    ///
    /// When the token is for one subscription only; the error says which one to name.
    pub fn may_see_whole_workspace(&self) -> Result<(), Forbidden> {
        match self.subscription() {
            Some(only) => Err(Forbidden::WholeWorkspace { only: only.clone() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_event::Timestamp;

    use super::*;
    use crate::record::{Grant, Reach};

    fn ws(text: &str) -> WorkspaceId {
        WorkspaceId::parse(text).expect("it is an id")
    }

    fn sub(text: &str) -> SubscriptionId {
        SubscriptionId::parse(text).expect("it is an id")
    }

    fn caller(reach: Reach, scopes: &[Scope]) -> Caller {
        let scopes = Scopes::new(scopes.iter().copied()).expect("there is one");
        let now = Timestamp::parse("2026-01-15T10:30:00Z").expect("it is RFC 3339");
        let grant = Grant { reach, scopes, expires_at: None };
        Caller::of(Arc::new(TokenRecord::issue(grant, now).expect("there is randomness").1))
    }

    #[test]
    fn scopes_are_exact_and_admin_implies_none() {
        let admin = caller(Reach::All, &[Scope::Admin]);
        assert_eq!(admin.require(Scope::Admin), Ok(()));
        assert_eq!(admin.require(Scope::Read), Err(Forbidden::Scope(Scope::Read)));
        assert_eq!(admin.require(Scope::Append), Err(Forbidden::Scope(Scope::Append)));
        assert_eq!(Forbidden::Scope(Scope::Read).to_string(), "the token has no scope `read`");
    }

    #[test]
    fn an_administrator_has_the_scope_and_all_workspaces() {
        let own = Reach::Workspace(ws("ws_1"));
        assert_eq!(caller(Reach::All, &[Scope::Admin]).may_administer(), Ok(()));
        assert_eq!(caller(Reach::All, &[Scope::Read]).may_administer(), Err(Forbidden::Scope(Scope::Admin)));
        assert_eq!(caller(own, &[Scope::Admin]).may_administer(), Err(Forbidden::AllWorkspaces));
    }

    #[test]
    fn a_token_of_one_workspace_needs_no_name_and_takes_no_other() {
        let caller = caller(Reach::Workspace(ws("ws_1")), &[Scope::Read]);
        assert_eq!(caller.workspace_or(None), Ok(ws("ws_1")));
        assert_eq!(caller.workspace_or(Some(&ws("ws_1"))), Ok(ws("ws_1")));
        assert_eq!(caller.workspace_or(Some(&ws("ws_2"))), Err(Forbidden::Workspace.into()));
    }

    #[test]
    fn a_token_of_all_workspaces_needs_one_named() {
        let caller = caller(Reach::All, &[Scope::Read]);
        assert_eq!(caller.workspace_or(None), Err(WorkspaceError::Missing));
        assert_eq!(caller.workspace_or(Some(&ws("ws_2"))), Ok(ws("ws_2")));
        assert_eq!(caller.may_see_whole_workspace(), Ok(()));
    }

    #[test]
    fn a_token_of_one_subscription_sees_that_one_only() {
        let caller = caller(Reach::Subscription(ws("ws_1"), sub("whsub_1")), &[Scope::Read]);
        assert_eq!(caller.workspace_or(None), Ok(ws("ws_1")));
        assert_eq!(caller.may_see_subscription(&sub("whsub_1")), Ok(()));
        assert_eq!(caller.may_see_subscription(&sub("whsub_2")), Err(Forbidden::Subscription));
        let error = caller.may_see_whole_workspace().expect_err("it is refused");
        assert_eq!(error.to_string(), "the token sees only the subscription `whsub_1`: name it in the request");
    }

    #[test]
    fn a_token_of_a_workspace_sees_every_subscription_of_it() {
        let caller = caller(Reach::Workspace(ws("ws_1")), &[Scope::Read]);
        assert_eq!(caller.may_see_subscription(&sub("whsub_2")), Ok(()));
        assert_eq!(caller.may_see_whole_workspace(), Ok(()));
    }
}
