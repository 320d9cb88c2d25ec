//! What a token may do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::TokenError;

/// One thing a token may do. Scopes are exact: none implies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Scope {
    /// Append events.
    Append,
    /// Read stats, history and the log.
    Read,
    /// Administer the ledger: retention, erasure and the like. Does not imply the others.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Append, Self::Read, Self::Admin];

    /// The word for it, in files and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// Every word, for messages.
    pub(crate) fn choices() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = TokenError;

    fn from_str(name: &str) -> Result<Self, TokenError> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == name);
        known.ok_or_else(|| TokenError::ScopeUnknown { name: name.to_owned() })
    }
}

impl TryFrom<String> for Scope {
    type Error = TokenError;

    fn try_from(name: String) -> Result<Self, TokenError> {
        name.parse()
    }
}

impl From<Scope> for &'static str {
    fn from(scope: Scope) -> Self {
        scope.as_str()
    }
}

/// The scopes of one token: at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Scope>", into = "BTreeSet<Scope>")]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// A set of these scopes; repetitions are fine.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, TokenError> {
        Self::try_from(scopes.into_iter().collect::<BTreeSet<_>>())
    }

    /// Whether this very scope is in the set.
    #[must_use]
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }
}

impl TryFrom<BTreeSet<Scope>> for Scopes {
    type Error = TokenError;

    fn try_from(scopes: BTreeSet<Scope>) -> Result<Self, TokenError> {
        if scopes.is_empty() { Err(TokenError::NoScope) } else { Ok(Self(scopes)) }
    }
}

impl From<Scopes> for BTreeSet<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_what_it_displays() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse::<Scope>().expect("it is a scope"), scope);
        }
    }

    #[test]
    fn an_unknown_scope_is_answered_with_the_choices() {
        let error = "write".parse::<Scope>().expect_err("it is refused");
        assert_eq!(error.to_string(), "`write` is not a scope: choose from append, read, admin");
    }

    #[test]
    fn a_set_of_scopes_has_at_least_one_and_keeps_an_order() {
        assert!(matches!(Scopes::new([]), Err(TokenError::NoScope)));
        let scopes = Scopes::new([Scope::Admin, Scope::Append, Scope::Admin]).expect("there is one");
        assert_eq!(scopes.to_string(), "append,admin");
        assert!(!scopes.contains(Scope::Read));
    }
}
