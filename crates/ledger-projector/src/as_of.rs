//! The stats of one subscription as they were at an earlier position.
//!
//! The views hold the present alone: what they have taken in cannot be taken out again. So the log is folded anew,
//! with the same folds and of that subscription only, into views of its own, which keep memory bounded however many
//! deliveries the subscription has; whoever asks throws them away.

use ledger_event::{Position, Timestamp};
use ledger_log::{EventLog, LogError};
use ledger_views::{Checkpoint, Stats, SubscriptionKey, Views};

use crate::project::project;
use crate::projector::ProjectorError;
use crate::read_ahead::Decoded;

/// Events of one commit: nobody reads meanwhile, and larger commits write each leaf of a list less often.
const COMMIT_MAX_EVENTS: u64 = 4096;

/// Folds the events of a subscription up to the position `end` into fresh views, and gives its stats there.
///
/// `progress` is told each position that was passed.
///
/// # Errors
///
/// When the log ends before `end` or cannot be read, or the views cannot be written.
pub fn stats_as_of(
    log: &dyn EventLog,
    fresh: Views,
    subscription: &SubscriptionKey,
    end: Position,
    mut progress: impl FnMut(Position),
) -> Result<Stats, ProjectorError> {
    let Views { reader, mut writer } = fresh;
    let mut checkpoint = Checkpoint::default();
    let (mut reached, mut uncommitted) = (Position::START, 0);
    while reached < end {
        let mut chunk = Decoded::read(log, reached.next())?;
        checkpoint.chunk_hash = chunk.hash;
        while chunk.next <= end
            && let Some((position, event, _)) = chunk.take()
        {
            reached = position;
            if event.subscription_id != subscription.subscription_id || event.workspace_id != subscription.workspace_id
            {
                continue;
            }
            project(&mut writer, &mut checkpoint, position, event)
                .map_err(|source| ProjectorError::Project { position, source })?;
            uncommitted += 1;
            if uncommitted == COMMIT_MAX_EVENTS {
                writer.commit(checkpoint)?;
                uncommitted = 0;
            }
        }
        progress(reached);
    }
    checkpoint.position = end;
    writer.commit(checkpoint)?;
    Ok(reader.stats(subscription)?.stats)
}

/// The last position that was recorded at that time or before; [`Position::START`] when nothing was.
///
/// # Errors
///
/// When the log cannot be read.
pub fn position_at(log: &dyn EventLog, time: Timestamp) -> Result<Position, LogError> {
    // The time of recording never goes back, so chunks are parted by it. All before `low` was recorded in time, and
    // nothing beyond `high`.
    let (mut low, mut high) = (0, log.head().position.get());
    while low < high {
        let middle = Position::new(low + (high - low).div_ceil(2));
        let missing = || LogError::Damaged { position: middle, reason: "it is missing".to_owned() };
        let chunk = log.chunk_at(middle)?.ok_or_else(missing)?;
        if chunk.recorded_at <= time {
            low = chunk.last().get().min(high);
        } else {
            high = chunk.first.get() - 1;
        }
    }
    Ok(Position::new(low))
}
