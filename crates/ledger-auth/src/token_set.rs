//! All tokens of a ledger, and the handle that is swapped when they change.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use http::HeaderMap;
use ledger_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::credentials;
use crate::error::{AuthError, TokenError};
use crate::record::{TokenRecord, TokenState};
use crate::secret::{Secret, TokenHash, TokenId};

/// Most tokens of one ledger, the revoked and expired ones included.
pub const TOKENS_MAX: usize = 10_000;

const HEADER: &str = "\
# The tokens of this ledger. Only a hash of each is kept: a lost token cannot be read back, make another.
# Use `hookledger token create`, `list` and `revoke`; a running server takes up a change within a second.
# Editing by hand works too, but comments are lost when a command writes the file.
";

/// All tokens of a ledger, at one moment of its file.
#[derive(Clone, Debug, Default)]
pub struct TokenSet {
    /// Shared with the callers that they stand for.
    records: Vec<Arc<TokenRecord>>,
    by_hash: HashMap<TokenHash, usize>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<TokenRecord>,
}

impl TokenSet {
    /// The set of these records.
    ///
    /// # Errors
    ///
    /// When there are more than [`TOKENS_MAX`], or an id or a hash stands twice.
    pub fn new(records: Vec<TokenRecord>) -> Result<Self, TokenError> {
        if records.len() > TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        let mut ids = HashSet::with_capacity(records.len());
        let mut by_hash = HashMap::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            if !ids.insert(&record.id) {
                return Err(TokenError::IdTwice { id: record.id.clone() });
            }
            if by_hash.insert(record.hash, index).is_some() {
                return Err(TokenError::HashTwice { id: record.id.clone() });
            }
        }
        Ok(Self { records: records.into_iter().map(Arc::new).collect(), by_hash })
    }

    /// Reads the text of `tokens.toml`. An empty text is an empty set.
    ///
    /// # Errors
    ///
    /// When the text is not TOML, has an unknown or missing field, or the records are no set.
    pub fn from_toml(text: &str) -> Result<Self, TokenError> {
        let file: File = toml::from_str(text).map_err(|error| TokenError::Toml { source: Box::new(error) })?;
        Self::new(file.token)
    }

    /// The text of `tokens.toml`, with a comment that explains it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let file = File { token: self.records.iter().map(|record| TokenRecord::clone(record)).collect() };
        let tables = match self.records.is_empty() {
            true => String::new(),
            false => toml::to_string(&file).expect("a record is a table of strings and arrays of them"),
        };
        format!("{HEADER}\n{tables}")
    }

    /// The records, in the order in which they were made.
    #[must_use]
    pub fn records(&self) -> &[Arc<TokenRecord>] {
        &self.records
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// When the set is full, or the id or the hash is there already; the set is then as it was.
    pub fn insert(&mut self, record: TokenRecord) -> Result<(), TokenError> {
        if self.records.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        if self.records.iter().any(|other| other.id == record.id) {
            return Err(TokenError::IdTwice { id: record.id });
        }
        if self.by_hash.contains_key(&record.hash) {
            return Err(TokenError::HashTwice { id: record.id });
        }
        self.by_hash.insert(record.hash, self.records.len());
        self.records.push(Arc::new(record));
        Ok(())
    }

    /// Takes a token back and returns its record. One that was revoked before keeps its moment.
    ///
    /// # Errors
    ///
    /// When there is no such token.
    pub fn revoke(&mut self, id: &TokenId, now: Timestamp) -> Result<&TokenRecord, TokenError> {
        let record = self.records.iter_mut().find(|record| record.id == *id);
        let record = Arc::make_mut(record.ok_or_else(|| TokenError::UnknownId { id: id.clone() })?);
        record.revoked_at.get_or_insert(now);
        Ok(record)
    }

    /// Finds the caller that a secret stands for at that moment.
    ///
    /// # Errors
    ///
    /// When the token is unknown, expired or revoked.
    pub fn caller(&self, secret: &Secret, now: Timestamp) -> Result<Caller, AuthError> {
        let index = *self.by_hash.get(&secret.hash()).ok_or(AuthError::Unknown)?;
        let record = &self.records[index];
        match record.state(now) {
            TokenState::Active => Ok(Caller::of(Arc::clone(record))),
            TokenState::Expired => Err(AuthError::Expired { token_id: record.id.clone() }),
            TokenState::Revoked => Err(AuthError::Revoked { token_id: record.id.clone() }),
        }
    }
}

/// The tokens that requests are authenticated with: a handle, cheap to clone, whose set can be swapped.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Arc<RwLock<Arc<TokenSet>>>);

impl Tokens {
    /// A handle on that set.
    #[must_use]
    pub fn new(set: TokenSet) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(set))))
    }

    /// Puts another set in the place of the present one, for every clone of the handle.
    pub fn swap(&self, set: TokenSet) {
        let set = Arc::new(set);
        // The lock guards one assignment, which cannot be left half done: poison means nothing here.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set;
    }

    /// The present set.
    #[must_use]
    pub fn current(&self) -> Arc<TokenSet> {
        Arc::clone(&self.read())
    }

    fn read(&self) -> RwLockReadGuard<'_, Arc<TokenSet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says who sends a request, by its `Authorization: Bearer …` or `X-API-Key: …`.
    ///
    /// # Errors
    ///
    /// When there is no token, or what there is is not one valid token.
    pub fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, AuthError> {
        let caller = credentials::presented(headers).and_then(|secret| self.read().caller(&secret, now));
        caller.inspect_err(|error| {
            let token_id = error.token_id().map(ToString::to_string);
            tracing::debug!(cause = error.cause(), token_id, "a request is not authenticated");
        })
    }
}

#[cfg(test)]
mod tests;
