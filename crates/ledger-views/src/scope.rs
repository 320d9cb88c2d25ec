//! What is kept of a workspace, or of a subscription, as a whole.

use ledger_event::EventType;
use serde::{Deserialize, Serialize};

use crate::list::tree::ListRoot;
use crate::pages::ListKind;
use crate::stats::Stats;

/// How many event types of a workspace are told apart in its lists: the first ones that come.
const EVENT_TYPES_MAX: usize = 255;

/// What is kept of a workspace, or of a subscription, as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// By which it is named in the keys of pages: given out in the order in which the log first names scopes.
    pub(crate) number: u32,
    /// Deliveries that were ever named: the number of the next one. Of a subscription only.
    pub(crate) deliveries: u32,
    pub(crate) history: ListRoot,
    /// Of a workspace only.
    pub(crate) waiting: ListRoot,
    pub(crate) stats: Stats,
    /// Event types by their number in [`Marks`](crate::Marks), from 1. Of a workspace only.
    event_types: Vec<EventType>,
}

impl Scope {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            deliveries: 0,
            history: ListRoot::default(),
            waiting: ListRoot::default(),
            stats: Stats::default(),
            event_types: Vec::new(),
        }
    }

    pub(crate) fn list(&self, kind: ListKind) -> &ListRoot {
        match kind {
            ListKind::History => &self.history,
            ListKind::Waiting => &self.waiting,
        }
    }

    pub(crate) fn list_mut(&mut self, kind: ListKind) -> &mut ListRoot {
        match kind {
            ListKind::History => &mut self.history,
            ListKind::Waiting => &mut self.waiting,
        }
    }

    /// The number of an event type, which is given to it if any is left; 0 if not.
    pub(crate) fn number_of(&mut self, event_type: &EventType) -> u8 {
        let at = self.event_types.iter().position(|known| known == event_type).or_else(|| {
            let next = self.event_types.len();
            (next < EVENT_TYPES_MAX).then(|| {
                self.event_types.push(event_type.clone());
                next
            })
        });
        at.map_or(0, |at| u8::try_from(at + 1).expect("there are at most 255"))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.stats.attempts.durations.size_bytes() + self.event_types.len() * size_of::<EventType>()
    }
}
