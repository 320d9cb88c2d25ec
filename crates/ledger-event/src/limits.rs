//! Every bound on what one event may be, in one place.
//!
//! A sender that crosses one is told the field and the bound, and nothing of its request is stored. Stored events are
//! read through the same bounds, so a bound may rise and never falls.

/// Longest id, in bytes. Ids are 1 to this many bytes without control characters.
pub const ID_MAX_BYTES: usize = 255;

/// Largest payload, in bytes of JSON text without white space outside strings.
pub const PAYLOAD_MAX_BYTES: usize = 256 * 1024;

/// Deepest nesting of a payload, the object itself included: what common parsers read, inside a page.
pub const PAYLOAD_MAX_DEPTH: usize = 100;

/// Longest URL, in bytes.
pub const URL_MAX_BYTES: usize = 2048;

/// Most headers of one request or response.
pub const HEADERS_MAX_COUNT: usize = 64;

/// Most bytes of the names and values of one request's or response's headers, in all.
pub const HEADERS_MAX_BYTES: usize = 8 * 1024;

/// Where response bodies, errors and reasons are cut by default, in bytes.
pub const TEXT_CUT_DEFAULT_BYTES: usize = 1024;

/// The largest value that the cut of response bodies, errors and reasons can be set to, in bytes.
pub const TEXT_CUT_MAX_BYTES: usize = 64 * 1024;

/// Highest attempt number, and highest `max_attempts`.
pub const ATTEMPT_MAX: u32 = 1000;

/// Longest duration of one attempt, in milliseconds: a day.
pub const DURATION_MAX_MS: u32 = 24 * 60 * 60 * 1000;

/// How far ahead of our clock a sender's clock may be, in microseconds: a day.
pub const CLOCK_AHEAD_MAX_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Most events of one request.
pub const REQUEST_MAX_EVENTS: usize = 10_000;

/// Largest request, in bytes.
pub const REQUEST_MAX_BYTES: usize = 16 * 1024 * 1024;

/// `max_attempts` of a delivery whose sender names none.
pub const MAX_ATTEMPTS_DEFAULT: u32 = 10;
