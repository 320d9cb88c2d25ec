//! Our clock.

use chrono::Utc;
use ledger_event::Timestamp;

/// The present moment. Only the binary asks for it, and passes it down.
pub(crate) fn now() -> Timestamp {
    Utc::now().into()
}
