//! What is kept of a token.

use std::fmt;

use ledger_event::{SubscriptionId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::error::TokenError;
use crate::scope::Scopes;
use crate::secret::{Secret, TokenHash, TokenId};

/// How far a token reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every workspace.
    All,
    /// One workspace.
    Workspace(WorkspaceId),
    /// One subscription of one workspace, for a customer's portal.
    Subscription(WorkspaceId, SubscriptionId),
}

impl Reach {
    /// The reach of a token for that workspace, or for all, and for that subscription of it, or for all.
    ///
    /// # Errors
    ///
    /// When there is a subscription and no workspace.
    pub fn new(workspace: Option<WorkspaceId>, subscription: Option<SubscriptionId>) -> Result<Self, TokenError> {
        match (workspace, subscription) {
            (None, None) => Ok(Self::All),
            (Some(workspace), None) => Ok(Self::Workspace(workspace)),
            (Some(workspace), Some(subscription)) => Ok(Self::Subscription(workspace, subscription)),
            (None, Some(_)) => Err(TokenError::SubscriptionWithoutWorkspace),
        }
    }

    /// The one workspace; none means all.
    #[must_use]
    pub fn workspace(&self) -> Option<&WorkspaceId> {
        match self {
            Self::All => None,
            Self::Workspace(workspace) | Self::Subscription(workspace, _) => Some(workspace),
        }
    }

    /// The one subscription; none means all.
    #[must_use]
    pub fn subscription(&self) -> Option<&SubscriptionId> {
        match self {
            Self::All | Self::Workspace(_) => None,
            Self::Subscription(_, subscription) => Some(subscription),
        }
    }
}

/// What a token is given when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// How far it reaches.
    pub reach: Reach,
    /// What it may do.
    pub scopes: Scopes,
    /// The first moment at which it is not valid any more; none means never.
    pub expires_at: Option<Timestamp>,
}

/// Whether a token is valid at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It is valid.
    Active,
    /// Its time is over.
    Expired,
    /// It was taken back. A token that is both is revoked.
    Revoked,
}

impl TokenState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for TokenState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One `[[token]]` of `tokens.toml`: everything about a token but its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct TokenRecord {
    /// Its name.
    pub id: TokenId,
    /// The hash of its secret.
    pub hash: TokenHash,
    /// What it was given.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRecord {
    /// Makes a token: the secret for its owner, and the record to keep.
    ///
    /// # Errors
    ///
    /// When the operating system gives no random bytes.
    pub fn issue(grant: Grant, now: Timestamp) -> Result<(Secret, Self), TokenError> {
        let secret = Secret::generate()?;
        let record = Self { id: TokenId::generate()?, hash: secret.hash(), grant, created_at: now, revoked_at: None };
        Ok((secret, record))
    }

    /// Whether it is valid at that moment; at `expires_at` itself it is not.
    ///
    /// A revoked token is revoked whatever the clock says.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> TokenState {
        if self.revoked_at.is_some() {
            return TokenState::Revoked;
        }
        match self.grant.expires_at {
            Some(expires_at) if expires_at <= now => TokenState::Expired,
            Some(_) | None => TokenState::Active,
        }
    }
}

/// The stored form of a [`TokenRecord`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: TokenId,
    hash: TokenHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace: Option<WorkspaceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subscription: Option<SubscriptionId>,
    scopes: Scopes,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
}

impl TryFrom<Table> for TokenRecord {
    type Error = TokenError;

    fn try_from(table: Table) -> Result<Self, TokenError> {
        let reach = Reach::new(table.workspace, table.subscription)?;
        let grant = Grant { reach, scopes: table.scopes, expires_at: table.expires_at };
        let Table { id, hash, created_at, revoked_at, .. } = table;
        Ok(Self { id, hash, grant, created_at, revoked_at })
    }
}

impl From<TokenRecord> for Table {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { id, hash, grant, created_at, revoked_at } = record;
        Self {
            id,
            hash,
            workspace: grant.reach.workspace().cloned(),
            subscription: grant.reach.subscription().cloned(),
            scopes: grant.scopes,
            created_at,
            expires_at: grant.expires_at,
            revoked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Scope;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("it is RFC 3339")
    }

    fn record(expires_at: Option<Timestamp>) -> TokenRecord {
        let scopes = Scopes::new([Scope::Read]).expect("there is one");
        let grant = Grant { reach: Reach::All, scopes, expires_at };
        TokenRecord::issue(grant, at("2026-01-01T00:00:00Z")).expect("there is randomness").1
    }

    #[test]
    fn a_token_ends_at_the_very_moment_it_expires() {
        let record = record(Some(at("2026-01-15T10:30:00Z")));
        assert_eq!(record.state(at("2026-01-15T10:29:59.999999Z")), TokenState::Active);
        assert_eq!(record.state(at("2026-01-15T10:30:00Z")), TokenState::Expired);
    }

    #[test]
    fn a_revoked_token_is_revoked_whatever_the_clock_says() {
        let mut record = record(None);
        record.revoked_at = Some(at("2026-02-01T00:00:00Z"));
        assert_eq!(record.state(at("2020-01-01T00:00:00Z")), TokenState::Revoked);
        record.grant.expires_at = Some(at("2026-01-02T00:00:00Z"));
        assert_eq!(record.state(at("2026-03-01T00:00:00Z")), TokenState::Revoked);
    }

    #[test]
    fn a_subscription_without_its_workspace_reaches_nothing() {
        let subscription = SubscriptionId::parse("whsub_1").expect("it is an id");
        assert!(matches!(Reach::new(None, Some(subscription)), Err(TokenError::SubscriptionWithoutWorkspace)));
    }
}
