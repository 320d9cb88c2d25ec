//! The headers that the write side and the read side share.

use http::HeaderName;

/// The position at which an answer holds: on every data answer, a decimal integer.
pub const LEDGER_POSITION: HeaderName = HeaderName::from_static("ledger-position");

/// The position that an answer must have reached, from a reader who has just appended: a decimal integer.
pub const LEDGER_MIN_POSITION: HeaderName = HeaderName::from_static("ledger-min-position");
