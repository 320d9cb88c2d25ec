//! Where a delivery stands in lists.

use ledger_event::{Position, Timestamp};

use crate::list::marks::Marks;
use crate::pages::ListKind;

/// Where a delivery stands in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// In the waiting list of its workspace, by the position that first named it.
    Waiting(Position),
    /// In the history of its workspace and of its subscription, by its creation.
    History(Timestamp, Marks),
}

impl Listing {
    pub(crate) fn order(self) -> i64 {
        match self {
            Self::Waiting(position) => i64::try_from(position.get()).expect("a log never holds 2^63 events"),
            Self::History(created_at, _) => created_at.as_micros(),
        }
    }

    pub(crate) fn marks(self) -> Marks {
        match self {
            Self::Waiting(_) => Marks::default(),
            Self::History(_, marks) => marks,
        }
    }

    pub(crate) fn kind(self) -> ListKind {
        match self {
            Self::Waiting(_) => ListKind::Waiting,
            Self::History(..) => ListKind::History,
        }
    }
}
