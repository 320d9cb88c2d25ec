//! Tokens, scopes, the caller of a request, and how a refusal is told.
