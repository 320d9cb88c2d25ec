//! The fold of one delivery: a join.
//!
//! Senders report at least once, from several processes, with clocks that differ. So each slot of a
//! delivery keeps the smallest or the greatest of what was reported for it, by the events' keys, and any
//! permutation of the events, with any of them repeated, gives the same state. Of two equal keys the
//! earlier in the log stays.

use ledger_event::{
    AttemptFailed, AttemptNumber, AttemptSucceeded, DeliveryDescription, EmbeddedDelivery, Event, EventData, JsonText,
    Timestamp,
};
use ledger_views::{Cancelled, DeliveryState, DescribedBy, Description, EventKey, Finish, FinishTexts, Rescheduled};

/// What a fold asks for beside the state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// The payload of a description that was taken.
    pub payload: Option<Option<JsonText>>,
}

/// Folds an event of this delivery into its state.
pub fn fold(state: &mut DeliveryState, event: Event) -> Folded {
    fold_data(state, EventKey { occurred_at: event.occurred_at, id: event.id }, event.data)
}

/// Folds what an event with that key says into its delivery's state.
pub(crate) fn fold_data(state: &mut DeliveryState, key: EventKey, data: EventData) -> Folded {
    match data {
        EventData::DeliveryCreated(description) => {
            let created_at = key.occurred_at;
            describe(state, DescribedBy::Created, key, created_at, description)
        }
        EventData::AttemptStarted(started) => {
            start(state, started.attempt, key.clone());
            describe_embedded(state, key, started.delivery)
        }
        EventData::AttemptSucceeded(mut succeeded) => {
            let embedded = succeeded.delivery.take();
            finish_succeeded(state, key.clone(), succeeded);
            describe_embedded(state, key, embedded)
        }
        EventData::AttemptFailed(mut failed) => {
            let embedded = failed.delivery.take();
            finish_failed(state, key.clone(), failed);
            describe_embedded(state, key, embedded)
        }
        EventData::DeliveryRetryScheduled(retry) => {
            if state.rescheduled.as_ref().is_none_or(|standing| key > standing.key) {
                state.rescheduled = Some(Rescheduled { key, next_attempt_at: retry.next_attempt_at });
            }
            Folded::default()
        }
        EventData::DeliveryCancelled(cancelled) => {
            if state.cancelled.as_ref().is_none_or(|standing| key > standing.key) {
                state.cancelled = Some(Cancelled { key, reason: cancelled.reason });
            }
            Folded::default()
        }
    }
}

fn describe_embedded(state: &mut DeliveryState, key: EventKey, embedded: Option<EmbeddedDelivery>) -> Folded {
    match embedded {
        Some(delivery) => describe(state, DescribedBy::Attempt, key, delivery.created_at, delivery.description),
        None => Folded::default(),
    }
}

/// Takes a description, if it goes before the standing one.
fn describe(
    state: &mut DeliveryState,
    described_by: DescribedBy,
    key: EventKey,
    created_at: Timestamp,
    description: DeliveryDescription,
) -> Folded {
    let goes_before = |standing: &Description| (described_by, &key) < (standing.described_by, &standing.key);
    if !state.description.as_ref().is_none_or(goes_before) {
        return Folded::default();
    }
    state.description = Some(Description {
        described_by,
        key,
        created_at,
        event_type: description.event_type,
        max_attempts: description.max_attempts,
        next_attempt_at: description.next_attempt_at,
    });
    Folded { payload: Some(description.payload) }
}

fn start(state: &mut DeliveryState, number: AttemptNumber, key: EventKey) {
    let started = &mut state.attempts.entry(number).started;
    if started.as_ref().is_none_or(|standing| key < *standing) {
        *started = Some(key);
    }
}

fn finish_succeeded(state: &mut DeliveryState, key: EventKey, succeeded: AttemptSucceeded) {
    let finish = Finish {
        key,
        succeeded: true,
        duration_ms: Some(succeeded.duration_ms),
        response_status: Some(succeeded.response_status),
        next_attempt_at: None,
    };
    let texts = FinishTexts { response_body: succeeded.response_body, error: None };
    finish_attempt(state, succeeded.attempt, finish, texts);
}

fn finish_failed(state: &mut DeliveryState, key: EventKey, failed: AttemptFailed) {
    let finish = Finish {
        key,
        succeeded: false,
        duration_ms: failed.duration_ms,
        response_status: failed.response_status,
        next_attempt_at: failed.next_attempt_at,
    };
    let texts = FinishTexts { response_body: failed.response_body, error: failed.error };
    finish_attempt(state, failed.attempt, finish, texts);
}

fn finish_attempt(state: &mut DeliveryState, number: AttemptNumber, finish: Finish, texts: FinishTexts) {
    state.max_duration_ms = state.max_duration_ms.max(finish.duration_ms);
    state.latest_finish_at = state.latest_finish_at.max(Some(finish.key.occurred_at));
    let is_last = state.last_finish().is_none_or(|(last, _)| number >= last);
    let finished = &mut state.attempts.entry(number).finished;
    if finished.as_ref().is_none_or(|standing| finish.key < standing.key) {
        *finished = Some(finish);
        if is_last {
            state.last_finish_texts = texts;
        }
    }
}

#[cfg(test)]
mod tests;
