//! The write side: a sender's events are parsed, completed, validated and appended.
//!
//! [`Ingest`] is the append as a Rust API; [`http`] is the same over HTTP, with tokens. All of a request
//! is appended or none of it, and an answer means that what it speaks of survives power loss.

mod counters;
mod decode;
pub mod http;
mod ingest;
mod parse;
mod room;

pub use counters::{Counters, CountersSnapshot};
pub use ingest::{Ingest, IngestError, IngestOptions};
pub use parse::{RequestError, RequestFormat, parse_request};
