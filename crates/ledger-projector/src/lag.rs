//! How far the views may fall behind the log.
//!
//! Appends go as fast as the disk takes them, and the views follow. Where there are not processors enough for both, the
//! views would fall behind further and further: from a bound on whoever appends is held, and goes as fast as they.

use std::sync::Arc;
use std::time::Duration;

use ledger_log::Head;
use ledger_views::ReadModel;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::projector::ProjectorError;

/// How often it is looked at while events come in, or are held.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Says when appends are to wait, because the views are too far behind.
///
/// Nobody waits while nothing is folded. And what was there to be folded in the beginning, or when other views took over,
/// is not held against appends: they go on beside it, and the bound counts from when the views have come within it.
#[derive(Debug)]
pub struct LagBound {
    ceiling: Ceiling,
    live: ReadModel,
    head: watch::Receiver<Head>,
    failure: watch::Receiver<Option<Arc<ProjectorError>>>,
    is_holding: watch::Sender<bool>,
}

impl LagBound {
    /// A bound on how many events the views of `live` may be behind, which a projector keeps current while it does not
    /// say why it fails.
    #[must_use]
    pub fn new(
        max_events: u64,
        live: ReadModel,
        head: watch::Receiver<Head>,
        failure: watch::Receiver<Option<Arc<ProjectorError>>>,
    ) -> Self {
        let ceiling = Ceiling::new(max_events, lag_events(&live, &head));
        Self { ceiling, live, head, failure, is_holding: watch::Sender::new(false) }
    }

    /// Whether appends are to wait.
    #[must_use]
    pub fn is_holding(&self) -> watch::Receiver<bool> {
        self.is_holding.subscribe()
    }

    /// Looks after it until the projector has ended.
    pub async fn run(mut self) {
        loop {
            let is_folded = self.failure.borrow().is_none();
            let lag = lag_events(&self.live, &self.head);
            let holds = self.ceiling.is_exceeded_by(lag) && is_folded;
            self.is_holding.send_if_modified(|is_holding| std::mem::replace(is_holding, holds) != holds);
            tokio::select! {
                changed = self.failure.changed() => match changed {
                    Ok(()) => self.begin(),
                    Err(_) => return,
                },
                changed = self.head.changed(), if !holds => match changed {
                    Ok(()) => sleep(LOOK_EVERY).await,
                    Err(_) => return,
                },
                () = sleep(LOOK_EVERY), if holds => {}
            }
        }
    }

    /// Bounds whoever folds from now on.
    fn begin(&mut self) {
        self.ceiling = Ceiling::new(self.ceiling.max_events, lag_events(&self.live, &self.head));
    }
}

/// How many events the views have not folded.
fn lag_events(live: &ReadModel, head: &watch::Receiver<Head>) -> u64 {
    // The views first: the log only grows.
    let folded = live.position();
    head.borrow().position.get() - folded.get()
}

/// How many events the views may be behind now.
#[derive(Debug)]
struct Ceiling {
    max_events: u64,
    /// The bound, and before the views have come within it what they were behind more.
    now_events: u64,
}

impl Ceiling {
    fn new(max_events: u64, lag_events: u64) -> Self {
        let more = if lag_events > max_events { lag_events } else { 0 };
        Self { max_events, now_events: max_events.saturating_add(more) }
    }

    fn is_exceeded_by(&mut self, lag_events: u64) -> bool {
        if lag_events <= self.max_events {
            self.now_events = self.max_events;
        }
        lag_events > self.now_events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_may_be_behind_up_to_the_bound() {
        let mut ceiling = Ceiling::new(100, 0);
        for (lag, is_exceeded) in [(100, false), (101, true), (500, true), (100, false), (0, false)] {
            assert_eq!(ceiling.is_exceeded_by(lag), is_exceeded, "{lag} events behind");
        }
    }

    #[test]
    fn what_was_there_in_the_beginning_counts_from_when_it_is_folded() {
        let mut ceiling = Ceiling::new(100, 5_000);
        for (lag, is_exceeded) in
            [(5_000, false), (5_100, false), (5_101, true), (101, false), (99, false), (101, true)]
        {
            assert_eq!(ceiling.is_exceeded_by(lag), is_exceeded, "{lag} events behind");
        }
    }
}
