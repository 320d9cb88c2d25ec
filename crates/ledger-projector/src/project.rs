//! From one event to the rows it changes.

use ledger_event::{AttemptNumber, Event, EventData, Position, Timestamp};
use ledger_views::{
    Checkpoint, DeliveryKey, DeliveryState, EventKey, FinishShare, Listing, NeverPutIn, Opened, Outcome,
    SubscriptionKey, ViewWriter, ViewsError,
};

use crate::fold::fold_data;

/// Why an event cannot be folded into the views.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The views cannot be read.
    #[error(transparent)]
    Views(#[from] ViewsError),
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
            Self::Stats(_) => true,
        }
    }
}

/// Folds an event into its delivery, the stats and quarters of an hour that it has a share in, and the lists, within the
/// commit under way.
///
/// O(log n) of the n deliveries, whatever the delivery went through before, but for the first description of one.
pub(crate) fn project(
    writer: &mut ViewWriter,
    checkpoint: &mut Checkpoint,
    position: Position,
    event: Event,
) -> Result<(), ProjectError> {
    let Event { id, workspace_id, subscription_id, delivery_id, occurred_at, data } = event;
    let key = DeliveryKey { subscription: SubscriptionKey { workspace_id, subscription_id }, delivery_id };
    let attempt = attempt_of(&data);
    let opened = writer.open(&key, position)?;
    let old = Shown::of(writer, &opened, attempt);
    let folded = fold_data(writer.state_mut(&opened), EventKey { occurred_at, id }, data);
    let new = Shown::of(writer, &opened, attempt);

    let old_listing = (!opened.is_new()).then_some(old.listing);
    count_waiting(&mut checkpoint.waiting_count, old_listing, new.listing)?;
    recount(writer, &opened, &old, &new)?;
    if let Some(payload) = folded.payload {
        writer.put_payload(&opened, payload);
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

/// What is shown of a delivery outside its row, before or after an event about one of its attempts.
struct Shown {
    listing: Listing,
    finish: Option<FinishShare>,
}

impl Shown {
    fn of(writer: &mut ViewWriter, opened: &Opened, attempt: Option<AttemptNumber>) -> Self {
        let listing = writer.listing(opened);
        let state = writer.state(opened);
        let finish = attempt.and_then(|number| state.attempts.get(number)?.finished.as_ref().map(FinishShare::of));
        Self { listing, finish }
    }
}

/// Counts the deliveries that wait for their description.
fn count_waiting(waiting_count: &mut u64, old: Option<Listing>, new: Listing) -> Result<(), ProjectError> {
    let waits = |listing: Listing| u64::from(matches!(listing, Listing::Waiting(_)));
    let others = waiting_count.checked_sub(old.map_or(0, waits)).ok_or(ViewsError::Lists)?;
    *waiting_count = others + waits(new);
    Ok(())
}

/// Takes a delivery's old shares out of the figures and puts its new ones in.
fn recount(writer: &mut ViewWriter, opened: &Opened, old: &Shown, new: &Shown) -> Result<(), ProjectError> {
    let Listing::History(created_at, marks) = new.listing else { return Ok(()) };
    match old.listing {
        Listing::History(old_created_at, old_marks) => {
            if old.finish != new.finish {
                if let Some(share) = old.finish {
                    take_out(writer, opened, share)?;
                }
                if let Some(share) = new.finish {
                    put_in(writer, opened, share)?;
                }
            }
            if (old_created_at, old_marks.outcome()) != (created_at, marks.outcome()) {
                writer.change_quarter(opened, old_created_at, |quarter| {
                    Ok::<_, ProjectError>(quarter.deliveries.take_out(old_marks.outcome())?)
                })?;
                count(writer, opened, marks.outcome(), created_at)?;
            }
        }
        // What it went through while it waited counts from now on.
        Listing::Waiting(_) => {
            let shares: Vec<FinishShare> = writer.state(opened).shares().collect();
            for share in shares {
                put_in(writer, opened, share)?;
            }
            count(writer, opened, marks.outcome(), created_at)?;
        }
    }
    raise_maxima(writer, opened)
}

fn count(
    writer: &mut ViewWriter,
    opened: &Opened,
    outcome: Outcome,
    created_at: Timestamp,
) -> Result<(), ProjectError> {
    writer.change_quarter(opened, created_at, |quarter| {
        quarter.deliveries.put_in(outcome);
        Ok(())
    })
}

fn put_in(writer: &mut ViewWriter, opened: &Opened, share: FinishShare) -> Result<(), ProjectError> {
    writer.change_stats(opened, |stats| {
        stats.attempts.put_in(share);
        Ok::<_, ProjectError>(())
    })?;
    writer.change_quarter(opened, share.at, |quarter| {
        quarter.attempts.put_in(share);
        Ok(())
    })
}

fn take_out(writer: &mut ViewWriter, opened: &Opened, share: FinishShare) -> Result<(), ProjectError> {
    writer.change_stats(opened, |stats| stats.attempts.take_out(share))?;
    writer.change_quarter(opened, share.at, |quarter| Ok(quarter.attempts.take_out(share)?))
}

fn raise_maxima(writer: &mut ViewWriter, opened: &Opened) -> Result<(), ProjectError> {
    let state: &DeliveryState = writer.state(opened);
    let (max_duration_ms, latest_finish_at) = (state.max_duration_ms, state.latest_finish_at);
    writer.change_stats(opened, |stats| {
        stats.raise_maxima(max_duration_ms, latest_finish_at);
        Ok(())
    })
}
