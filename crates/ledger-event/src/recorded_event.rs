//! An event as reads and exports show it.

use serde::Serialize;

use crate::event::Event;
use crate::position::Position;
use crate::time::Timestamp;

/// An event with its place in the log, as one JSON object: `position`, `recorded_at`, then the event's own fields.
///
/// Ingest takes it as it is, and passes over the first two. The payload is the JSON text that is stored, byte for byte.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RecordedEvent<'a> {
    /// Where it stands in the log.
    pub position: Position,
    /// When it was made durable by the ledger's clock; never earlier than that of the event before.
    pub recorded_at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: &'a Event,
}
