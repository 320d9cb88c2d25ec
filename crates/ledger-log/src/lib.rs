//! The append-only log of events: the trait, the log on sled, a log in memory, and one conformance suite.

mod event_log;

pub use event_log::{
    Append, AppendError, Appended, ChainHash, Chunk, EventLog, Head, LogError, PendingAppend,
};
