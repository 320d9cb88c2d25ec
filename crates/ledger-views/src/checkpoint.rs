//! How far the views have come.

use ledger_event::Position;
use serde::{Deserialize, Serialize};

/// How far the views have come, and in which log: kept in the same commit as the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last event that is folded.
    pub position: Position,
    /// The chain hash of the chunk that holds that event.
    pub chunk_hash: [u8; 32],
    /// Deliveries that wait for their description.
    pub waiting_count: u64,
}
