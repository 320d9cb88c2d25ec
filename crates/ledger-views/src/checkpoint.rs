//! How far the views have come.

use ledger_event::Position;
use serde::{Deserialize, Serialize};

/// How far the views have come, and in which log: kept in the same commit as the rows.
///
/// The chain is known at the end of a chunk only, and a commit may end within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last event that is folded.
    pub position: Position,
    /// The last chunk that is folded whole ends here.
    pub chunk_end: Position,
    /// The chain hash of that chunk.
    pub chunk_hash: [u8; 32],
    /// Deliveries that wait for their description.
    pub waiting_count: u64,
}
