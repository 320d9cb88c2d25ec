//! Why a request is not authenticated, and why a token or a set of tokens is not right.

use http::HeaderValue;

use crate::scope::Scope;
use crate::secret::TokenId;
use crate::token_set::TOKENS_MAX;

/// Why a request is not authenticated: a 401.
///
/// What it displays is what an outsider may read, and tells "no token" from "not valid", nothing finer. The cause
/// is logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The request has no token.
    #[error("no token: send it as `Authorization: Bearer TOKEN` or as `X-API-Key: TOKEN`")]
    Missing,
    /// A header is there, but what it holds has not the form of a token.
    #[error("the token is not valid")]
    Malformed,
    /// The request has several tokens that differ.
    #[error("the token is not valid")]
    Conflicting,
    /// No such token was ever made here, or its record was removed.
    #[error("the token is not valid")]
    Unknown,
    /// The token's time is over.
    #[error("the token is not valid")]
    Expired {
        /// Which one.
        token_id: TokenId,
    },
    /// The token was revoked.
    #[error("the token is not valid")]
    Revoked {
        /// Which one.
        token_id: TokenId,
    },
}

impl AuthError {
    /// One word for logs; never for the answer.
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Conflicting => "conflicting",
            Self::Unknown => "unknown",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// The token that was recognized and refused, for logs.
    pub(crate) fn token_id(&self) -> Option<&TokenId> {
        match self {
            Self::Missing | Self::Malformed | Self::Conflicting | Self::Unknown => None,
            Self::Expired { token_id } | Self::Revoked { token_id } => Some(token_id),
        }
    }

    /// The `WWW-Authenticate` value that every 401 carries (RFC 6750, section 3).
    #[must_use]
    pub fn challenge(&self) -> HeaderValue {
        match self {
            Self::Missing => HeaderValue::from_static("Bearer"),
            Self::Malformed | Self::Conflicting | Self::Unknown | Self::Expired { .. } | Self::Revoked { .. } => {
                HeaderValue::from_static(r#"Bearer error="invalid_token""#)
            }
        }
    }
}

/// Why a token, or a set of tokens, is not right.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A text is no secret.
    #[error("is not a token: it is `hl_` and 43 letters and digits")]
    SecretForm,
    /// A text is no token id.
    #[error("`{text}` is not a token id: it is `tok_` and 12 lower-case letters or digits")]
    IdForm {
        /// The text.
        text: String,
    },
    /// A text is no hash.
    #[error("is not a hash: it is 64 hexadecimal digits")]
    HashForm,
    /// A word is no scope.
    #[error("`{name}` is not a scope: choose from {}", Scope::choices())]
    ScopeUnknown {
        /// The word.
        name: String,
    },
    /// A token without a scope could do nothing.
    #[error("a token needs a scope: choose from {}", Scope::choices())]
    NoScope,
    /// A subscription is only known within its workspace.
    #[error("a token for a subscription needs the subscription's workspace")]
    SubscriptionWithoutWorkspace,
    /// The set is full.
    #[error("there are more than {TOKENS_MAX} tokens: remove revoked and expired ones from the file")]
    TooMany,
    /// Two records have the same id.
    #[error("token {id} stands twice")]
    IdTwice {
        /// The id.
        id: TokenId,
    },
    /// Two records have the same hash.
    #[error("token {id} has the hash of another token")]
    HashTwice {
        /// The id of the second of them.
        id: TokenId,
    },
    /// No record has this id.
    #[error("there is no token {id}")]
    UnknownId {
        /// The id.
        id: TokenId,
    },
    /// The text is no TOML, or not the TOML of a token set.
    #[error("the text is not a list of tokens")]
    Toml {
        /// What is wrong, with the place.
        source: Box<toml::de::Error>,
    },
    /// The operating system gave no random bytes.
    #[error("cannot draw random bytes")]
    Random {
        /// Why not.
        source: getrandom::Error,
    },
}
