//! What is shown of a delivery, derived from its state.

use ledger_event::{DeliveryId, EventType, JsonText, MaxAttempts, ResponseStatus, SubscriptionId, Timestamp};

use crate::state::{Cancelled, DeliveryState};

/// The documented lifecycle of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No attempt is known yet.
    Pending,
    /// The latest attempt has not ended.
    Delivering,
    /// An attempt was accepted.
    Delivered,
    /// The latest attempt failed, or the delivery was cancelled.
    Failed,
}

impl Status {
    /// The status as the contract writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Delivering => "delivering",
            Status::Delivered => "delivered",
            Status::Failed => "failed",
        }
    }
}

/// How a delivery stands: a [`Status`] whose `failed` is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No attempt is known yet.
    Pending,
    /// The highest-numbered attempt has not ended.
    Delivering,
    /// An attempt was accepted.
    Delivered,
    /// It failed, and another attempt is due.
    Retrying,
    /// It failed, and no attempt is due.
    Exhausted,
    /// It was given up.
    Cancelled,
}

impl Outcome {
    /// All of them; the numbers that they stand at are part of the layout of the views.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Delivering, Self::Delivered, Self::Retrying, Self::Exhausted, Self::Cancelled];

    /// The first of the design's conditions that holds for a delivery.
    #[must_use]
    pub fn of<I: Ord>(state: &DeliveryState<I>) -> Self {
        if state.finishes().any(|finish| finish.succeeded) {
            return Outcome::Delivered;
        }
        if state.cancelled.as_ref().is_some_and(|cancelled| is_last_word(cancelled, state)) {
            return Outcome::Cancelled;
        }
        match state.attempts.last() {
            None => Outcome::Pending,
            Some(attempt) if attempt.finished.is_none() => Outcome::Delivering,
            Some(_) if due(state).is_some() => Outcome::Retrying,
            Some(_) => Outcome::Exhausted,
        }
    }

    /// The outcome as the contract knows it.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Outcome::Pending => Status::Pending,
            Outcome::Delivering => Status::Delivering,
            Outcome::Delivered => Status::Delivered,
            Outcome::Retrying | Outcome::Exhausted | Outcome::Cancelled => Status::Failed,
        }
    }
}

/// What is shown of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    /// The delivery.
    pub id: DeliveryId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// What the sender's own event was.
    pub event_type: EventType,
    /// The object that is sent; absent once erased.
    pub payload: Option<JsonText>,
    /// How it stands.
    pub outcome: Outcome,
    /// How many attempts events named, started ones too.
    pub attempts: u32,
    /// How many attempts the sender means to make at most.
    pub max_attempts: MaxAttempts,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Timestamp>,
    /// When the highest-numbered finished attempt ended.
    pub last_attempt_at: Option<Timestamp>,
    /// When the first accepted attempt ended.
    pub delivered_at: Option<Timestamp>,
    /// The status of the highest-numbered finished attempt's response.
    pub last_response_status: Option<ResponseStatus>,
    /// The body of that response, cut.
    pub last_response_body: Option<String>,
    /// Its error; of a cancelled delivery, the reason.
    pub last_error: Option<String>,
    /// When the delivery was created.
    pub created_at: Timestamp,
}

impl DeliveryRow {
    /// Derives the row; `None` while the delivery waits for its description.
    #[must_use]
    pub fn of<I: Ord>(
        id: DeliveryId,
        subscription_id: SubscriptionId,
        state: DeliveryState<I>,
        payload: Option<JsonText>,
    ) -> Option<Self> {
        let outcome = Outcome::of(&state);
        let next_attempt_at = next_attempt_at(&state, outcome);
        let delivered_at = delivered_at(&state);
        let last = state.last_finish().map(|(_, finish)| (finish.key.occurred_at, finish.response_status));
        let texts = state.last_finish_texts;
        let last_error = match outcome {
            Outcome::Cancelled => state.cancelled.and_then(|cancelled| cancelled.reason),
            Outcome::Pending | Outcome::Delivering | Outcome::Delivered | Outcome::Retrying | Outcome::Exhausted => {
                texts.error
            }
        };
        let description = state.description?;
        Some(Self {
            id,
            subscription_id,
            event_type: description.event_type,
            payload,
            outcome,
            attempts: u32::try_from(state.attempts.len()).expect("attempt numbers are bounded"),
            max_attempts: description.max_attempts,
            next_attempt_at,
            last_attempt_at: last.map(|(at, _)| at),
            delivered_at,
            last_response_status: last.and_then(|(_, status)| status),
            last_response_body: texts.response_body,
            last_error,
            created_at: description.created_at,
        })
    }
}

/// Whether nothing that was asked for or begun is later than the cancellation.
fn is_last_word<I: Ord>(cancelled: &Cancelled<I>, state: &DeliveryState<I>) -> bool {
    state.rescheduled.as_ref().is_none_or(|rescheduled| cancelled.key > rescheduled.key)
        && state.attempts.iter().filter_map(|(_, attempt)| attempt.begin()).all(|begin| cancelled.key > *begin)
}

fn next_attempt_at<I: Ord>(state: &DeliveryState<I>, outcome: Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Delivered | Outcome::Cancelled | Outcome::Delivering => None,
        Outcome::Pending | Outcome::Retrying | Outcome::Exhausted => due(state),
    }
}

/// When the next attempt is due: by the request for a retry if it is later than the last finish, else
/// by that finish, else by the description.
fn due<I: Ord>(state: &DeliveryState<I>) -> Option<Timestamp> {
    let finish = state.last_finish().map(|(_, finish)| finish);
    match (&state.rescheduled, finish) {
        (Some(rescheduled), Some(finish)) if rescheduled.key > finish.key => Some(rescheduled.next_attempt_at),
        (_, Some(finish)) => finish.next_attempt_at,
        (Some(rescheduled), None) => Some(rescheduled.next_attempt_at),
        (None, None) => state.description.as_ref().and_then(|description| description.next_attempt_at),
    }
}

/// When the success with the smallest key ended.
fn delivered_at<I: Ord>(state: &DeliveryState<I>) -> Option<Timestamp> {
    let successes = state.finishes().filter(|finish| finish.succeeded);
    successes.map(|finish| &finish.key).min().map(|key| key.occurred_at)
}
