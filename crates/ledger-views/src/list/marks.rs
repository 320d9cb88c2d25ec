//! What lists are filtered by.

use crate::row::Outcome;
use crate::state::DeliveryState;

/// What an entry of a list can be found by, beside its place: small numbers, one byte each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The outcome, by its place in [`Outcome::ALL`].
    pub outcome: u8,
    /// The class of the last response, 1 to 9 by the first digit of its status; 0 without one.
    pub response_class: u8,
    /// The number of the event type in its workspace, from 1; 0 for those beyond the frequent ones.
    pub event_type: u8,
}

impl Marks {
    /// The marks of a delivery whose event type has that number.
    #[must_use]
    pub fn of(state: &DeliveryState, event_type: u8) -> Self {
        let status = state.last_finish().and_then(|(_, finish)| finish.response_status);
        let response_class = status.map_or(0, |status| status.get() / 100);
        Self {
            outcome: Outcome::of(state) as u8,
            response_class: u8::try_from(response_class).expect("a status has three digits"),
            event_type,
        }
    }

    /// The outcome.
    ///
    /// # Panics
    ///
    /// When it is none of them: marks are made of states.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        Outcome::ALL[usize::from(self.outcome)]
    }

    /// What the directory counts an entry with these marks under: one number per mark, no two alike.
    pub(crate) fn codes(self) -> [u16; 3] {
        [u16::from(self.outcome), 0x100 | u16::from(self.response_class), 0x200 | u16::from(self.event_type)]
    }
}
