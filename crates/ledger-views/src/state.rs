//! What is kept of a delivery: a few slots, each a join of the events that reported it.
//!
//! The slots hold enough that folding any further event, in any order and any number of times, gives
//! the same state as if the log had held it earlier or once.

use ledger_event::{AttemptNumber, DurationMs, EventId, EventType, MaxAttempts, Position, ResponseStatus, Timestamp};
use serde::{Deserialize, Serialize};

use crate::attempts::Attempts;
use crate::stats::FinishShare;

/// What events compare by: when they happened, then their id, which a reader may borrow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventKey<I = EventId> {
    /// When it happened by the sender's clock.
    pub occurred_at: Timestamp,
    /// Its id, which decides between events of one moment.
    pub id: I,
}

/// What is kept of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryState<I = EventId> {
    /// The position of the first event that named the delivery.
    pub first_position: Position,
    /// What it is; until it is known the delivery waits, neither listed nor counted.
    pub description: Option<Description<I>>,
    /// The attempts that events named, by number.
    pub attempts: Attempts<I>,
    /// The texts of the finish with the highest number.
    pub last_finish_texts: FinishTexts,
    /// The latest cancellation.
    pub cancelled: Option<Cancelled<I>>,
    /// The latest retry that was asked for.
    pub rescheduled: Option<Rescheduled<I>>,
    /// The longest duration that any finish reported, also one that another replaced.
    pub max_duration_ms: Option<DurationMs>,
    /// The latest finish that was reported, also one that another replaced.
    pub latest_finish_at: Option<Timestamp>,
}

impl DeliveryState {
    /// A delivery of which nothing is known yet.
    #[must_use]
    pub fn new(first_position: Position) -> Self {
        Self {
            first_position,
            description: None,
            attempts: Attempts::default(),
            last_finish_texts: FinishTexts::default(),
            cancelled: None,
            rescheduled: None,
            max_duration_ms: None,
            latest_finish_at: None,
        }
    }
}

impl<I> DeliveryState<I> {
    /// How the attempts ended that did, by rising number.
    pub fn finishes(&self) -> impl DoubleEndedIterator<Item = &Finish<I>> {
        self.attempts.iter().filter_map(|(_, attempt)| attempt.finished.as_ref())
    }

    /// What the delivery adds to figures: nothing while it waits for its description.
    pub fn shares(&self) -> impl Iterator<Item = FinishShare> {
        let is_described = self.description.is_some();
        self.finishes().filter(move |_| is_described).map(FinishShare::of)
    }

    /// The finish of the highest-numbered attempt that has one.
    #[must_use]
    pub fn last_finish(&self) -> Option<(AttemptNumber, &Finish<I>)> {
        self.attempts.iter().rev().find_map(|(number, attempt)| Some((number, attempt.finished.as_ref()?)))
    }
}

/// Who described a delivery. An event of its own goes before a description inside an attempt's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DescribedBy {
    /// `delivery.created`
    Created,
    /// The `delivery` of an attempt's event.
    Attempt,
}

/// What a delivery is. Its payload lies in a row of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description<I = EventId> {
    /// Which kind of event gave it.
    pub described_by: DescribedBy,
    /// The key of that event.
    pub key: EventKey<I>,
    /// When the delivery was created.
    pub created_at: Timestamp,
    /// What the sender's own event was.
    pub event_type: EventType,
    /// How many attempts the sender means to make at most.
    pub max_attempts: MaxAttempts,
    /// When the first attempt is due.
    pub next_attempt_at: Option<Timestamp>,
}

/// One HTTP try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt<I = EventId> {
    /// The smallest key of the reports that it began.
    pub started: Option<EventKey<I>>,
    /// The report with the smallest key of how it ended.
    pub finished: Option<Finish<I>>,
}

impl<I> Default for Attempt<I> {
    fn default() -> Self {
        Self { started: None, finished: None }
    }
}

impl<I> Attempt<I> {
    /// When it began: as reported, else when it ended.
    #[must_use]
    pub fn begin(&self) -> Option<&EventKey<I>> {
        self.started.as_ref().or(self.finished.as_ref().map(|finish| &finish.key))
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finish<I = EventId> {
    /// The key of the report.
    pub key: EventKey<I>,
    /// Whether the receiver accepted it.
    pub succeeded: bool,
    /// How long it took.
    pub duration_ms: Option<DurationMs>,
    /// The status of the response, if there was one.
    pub response_status: Option<ResponseStatus>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
}

/// The texts of a finish, which are shown for the highest-numbered one alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FinishTexts {
    /// The body of the response, cut.
    pub response_body: Option<String>,
    /// What went wrong, cut.
    pub error: Option<String>,
}

/// A cancellation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled<I = EventId> {
    /// The key of the report.
    pub key: EventKey<I>,
    /// Why.
    pub reason: Option<String>,
}

/// A retry that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescheduled<I = EventId> {
    /// The key of the report.
    pub key: EventKey<I>,
    /// When it is due.
    pub next_attempt_at: Timestamp,
}
