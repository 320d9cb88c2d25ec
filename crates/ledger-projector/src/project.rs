//! From one event to the rows it changes.

use ledger_event::{AttemptNumber, Event, EventData, Position};
use ledger_views::{
    Checkpoint, DeliveryKey, DeliveryState, ListEntry, ListId, NeverPutIn, StatsShare, SubscriptionKey, ViewWriter,
    ViewsError,
};

use crate::fold::fold;

/// Why an event cannot be folded into the views.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The views cannot be read.
    #[error(transparent)]
    Views(#[from] ViewsError),
    /// A delivery does not stand in the lists that its state says: the views are damaged.
    #[error("a delivery is missing from a list of the views")]
    NotListed,
    /// A delivery stands in a list before its state says so: the views are damaged.
    #[error("a delivery stands in a list of the views twice")]
    ListedTwice,
    /// The stats lack what a delivery has put in: the views are damaged.
    #[error(transparent)]
    Stats(#[from] NeverPutIn),
}

impl ProjectError {
    /// Whether the views are damaged, so that making them anew mends it.
    #[must_use]
    pub fn is_mended_by_rebuild(&self) -> bool {
        match self {
            Self::Views(error) => error.is_mended_by_rebuild(),
            Self::NotListed | Self::ListedTwice | Self::Stats(_) => true,
        }
    }
}

/// Folds an event into its delivery, its subscription's stats and the lists, within the commit under way.
///
/// It costs the same whatever the delivery went through before, but for the first description of one.
pub(crate) fn project(
    writer: &mut ViewWriter,
    checkpoint: &mut Checkpoint,
    position: Position,
    event: Event,
) -> Result<(), ProjectError> {
    let subscription =
        SubscriptionKey { workspace_id: event.workspace_id.clone(), subscription_id: event.subscription_id.clone() };
    let key = DeliveryKey { subscription, delivery_id: event.delivery_id.clone() };
    let attempt = attempt_of(&event.data);
    let (state, is_new) = writer.delivery_mut(&key, position)?;
    let (old_place, old_share) = (place_of(state), share_of(state, attempt));
    let folded = fold(state, event);
    let (new_place, new_share) = (place_of(state), share_of(state, attempt));
    let exchange = match (old_place, new_place) {
        (_, Place::Waiting(_)) => None,
        (Place::Waiting(_), Place::Listed(_)) => Some((StatsShare::default(), StatsShare::of(state))),
        (Place::Listed(_), Place::Listed(_)) => Some((old_share, new_share)),
    };
    let maxima = (state.max_duration_ms, state.latest_finish_at);
    if is_new || old_place != new_place {
        relist(writer, checkpoint, &key, (!is_new).then_some(old_place), new_place)?;
    }
    if let Some((old, new)) = exchange {
        let stats = writer.stats_mut(&key.subscription)?;
        stats.exchange(old, new)?;
        stats.raise_maxima(maxima.0, maxima.1);
    }
    if let Some(payload) = folded.payload {
        writer.put_payload(key, payload);
    }
    checkpoint.position = position;
    Ok(())
}

/// The attempt that an event is about.
fn attempt_of(data: &EventData) -> Option<AttemptNumber> {
    match data {
        EventData::AttemptStarted(data) => Some(data.attempt),
        EventData::AttemptSucceeded(data) => Some(data.attempt),
        EventData::AttemptFailed(data) => Some(data.attempt),
        EventData::DeliveryCreated(_) | EventData::DeliveryRetryScheduled(_) | EventData::DeliveryCancelled(_) => None,
    }
}

fn share_of(state: &DeliveryState, attempt: Option<AttemptNumber>) -> StatsShare {
    StatsShare::of_attempt(attempt.and_then(|number| state.attempts.get(&number)))
}

/// Where a delivery stands: in the waiting list by its first position, or in history by its creation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting(i64),
    Listed(i64),
}

fn place_of(state: &DeliveryState) -> Place {
    match &state.description {
        Some(description) => Place::Listed(description.created_at.as_micros()),
        None => Place::Waiting(i64::try_from(state.first_position.get()).expect("a log never holds 2^63 events")),
    }
}

fn relist(
    writer: &mut ViewWriter,
    checkpoint: &mut Checkpoint,
    key: &DeliveryKey,
    old: Option<Place>,
    new: Place,
) -> Result<(), ProjectError> {
    if let Some(old) = old {
        for list in lists_of(old, key) {
            if !writer.remove_entry(&list, &entry(old, key))? {
                return Err(ProjectError::NotListed);
            }
        }
        if matches!(old, Place::Waiting(_)) {
            checkpoint.waiting_count = checkpoint.waiting_count.checked_sub(1).ok_or(ProjectError::NotListed)?;
        }
    }
    for list in lists_of(new, key) {
        if !writer.insert_entry(&list, entry(new, key))? {
            return Err(ProjectError::ListedTwice);
        }
    }
    checkpoint.waiting_count += u64::from(matches!(new, Place::Waiting(_)));
    Ok(())
}

fn lists_of(place: Place, key: &DeliveryKey) -> Vec<ListId> {
    let workspace_id = key.subscription.workspace_id.clone();
    match place {
        Place::Waiting(_) => vec![ListId::Waiting(workspace_id)],
        Place::Listed(_) => vec![ListId::Workspace(workspace_id), ListId::Subscription(key.subscription.clone())],
    }
}

fn entry(place: Place, key: &DeliveryKey) -> ListEntry {
    let (Place::Waiting(order) | Place::Listed(order)) = place;
    ListEntry { order, delivery_id: key.delivery_id.clone(), subscription_id: key.subscription.subscription_id.clone() }
}
