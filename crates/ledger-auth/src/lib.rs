//! Tokens, scopes, the caller of a request, and how a refusal is told.
//!
//! This crate is pure: it opens no file, reads no environment and no clock. The binary keeps `tokens.toml` and
//! hands its text in; every question about time takes the moment as an argument.
//!
//! - A [`Secret`] is shown once, when it is made. What is kept is a [`TokenRecord`] with the secret's hash.
//! - A [`TokenSet`] is one state of the file; [`Tokens`] is the handle that requests are authenticated with, and
//!   whose set is swapped while serving.
//! - [`Tokens::authenticate`] says *who* calls, as a [`Caller`]; the caller's methods say *what it may do*.
//! - A refusal is an [`AuthError`] (401) or a [`Forbidden`] (403). What they display may be sent to anyone. The
//!   documented endpoints wrap that text in their own form, everything under `/v1` answers with a [`Problem`].
//! - [`openapi`] is what each HTTP side describes itself with.
//! - [`Parameters`] are read in one way by every endpoint; why one cannot be taken is a [`ParameterError`].

mod caller;
mod credentials;
mod error;
mod headers;
pub mod openapi;
mod parameters;
mod problem;
mod record;
mod scope;
mod secret;
mod token_set;

pub use caller::{Caller, Forbidden, WorkspaceError};
pub use credentials::API_KEY_HEADER;
pub use error::{AuthError, TokenError};
pub use headers::{LEDGER_MIN_POSITION, LEDGER_POSITION};
pub use parameters::{ParameterError, Parameters, integer};
pub use problem::{PROBLEM_JSON, Problem};
pub use record::{Grant, Reach, TokenRecord, TokenState};
pub use scope::{Scope, Scopes};
pub use secret::{Secret, TokenHash, TokenId};
pub use token_set::{TOKENS_MAX, TokenSet, Tokens};
