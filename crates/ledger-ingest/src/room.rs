//! The memory that requests may take before they are appended.
//!
//! A body takes room as its bytes arrive and as they are unpacked, so that a sender holds what it has sent and not what
//! it might send. A few bodies are unpacked at a time, each with buffers of its own. What is encoded
//! takes memory beside its JSON, so only a few large requests are parsed at a time; the others wait with their bodies.
//! What waits for the log is bounded by the log's own queue.

use std::sync::Arc;

use ledger_event::limits::REQUEST_MAX_BYTES;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which room is counted, in bytes.
const UNIT_BYTES: usize = 1024;

/// How many large requests are parsed at a time.
const LARGE_MAX: usize = 8;

/// How many bodies are unpacked at a time.
const UNPACKING_MAX: usize = 8;

/// The memory that requests may take before they are appended. Clones share it.
#[derive(Clone)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    large: Arc<Semaphore>,
    unpacking: Arc<Semaphore>,
    units_max: usize,
}

/// All the room is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// The room that one body takes.
pub(crate) struct Taken {
    units: Arc<Semaphore>,
    units_max: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for bodies of so many bytes together; one request of maximal size always fits.
    pub(crate) fn new(bytes: usize) -> Self {
        let units = bytes.max(REQUEST_MAX_BYTES).div_ceil(UNIT_BYTES);
        Self {
            units: Arc::new(Semaphore::new(units)),
            large: Arc::new(Semaphore::new(LARGE_MAX)),
            unpacking: Arc::new(Semaphore::new(UNPACKING_MAX)),
            units_max: units,
        }
    }

    /// The room of a body that has not begun.
    pub(crate) fn take(&self) -> Taken {
        Taken { units: Arc::clone(&self.units), units_max: self.units_max, permit: None }
    }

    /// Waits until a large request may be parsed.
    pub(crate) async fn large(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.large).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Waits until a body may be unpacked.
    pub(crate) async fn unpacking(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.unpacking).acquire_owned().await.expect("the semaphore is never closed")
    }

    #[cfg(test)]
    pub(crate) fn free_units(&self) -> usize {
        self.units.available_permits()
    }
}

impl Taken {
    /// Takes room for a body of so many bytes so far. One that needs more than there is, packed and unpacked, takes all
    /// of it.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let taken = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(UNIT_BYTES).min(self.units_max).saturating_sub(taken);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).map_err(|_| NoRoom)?;
        let more = Arc::clone(&self.units).try_acquire_many_owned(missing).map_err(|_| NoRoom)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }

    /// Gives back what is beyond so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let Some(permit) = &mut self.permit else { return };
        let surplus = permit.num_permits().saturating_sub(bytes.div_ceil(UNIT_BYTES));
        drop(permit.split(surplus));
    }
}
