//! The projector at work: it folds as the log grows, and lets views that were made anew take over.
//!
//! A commit costs about as much for one event as for dozens. So when it has caught up and the log goes on, it lets a few
//! milliseconds of events gather, unless a reader waits for them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ledger_event::ErrorChain;
use ledger_log::{Head, background};
use ledger_views::ReadModel;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;

use crate::projector::{Projector, ProjectorError};

/// How long events gather before they are folded, when nobody waits for them.
const GATHER: Duration = Duration::from_millis(4);

/// A projector at work.
pub struct ProjectorHandle {
    stop: watch::Sender<bool>,
    failure: watch::Receiver<Option<Arc<ProjectorError>>>,
    successors: mpsc::Sender<Successor>,
    thread: JoinHandle<()>,
}

/// Hands views that were made anew to the projector at work. Clones hand them to the same one.
#[derive(Clone)]
pub struct Succession {
    successors: mpsc::Sender<Successor>,
}

/// A projector with new views, and where to say what became of it.
struct Successor {
    projector: Projector,
    taken_over: oneshot::Sender<Result<(), ProjectorError>>,
}

impl ProjectorHandle {
    /// Why it does not fold, while it does not: reads go on, but the views grow old. Views that are made anew may
    /// take over from it.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<Arc<ProjectorError>>> {
        self.failure.clone()
    }

    /// The way for views that are made anew to take over.
    #[must_use]
    pub fn succession(&self) -> Succession {
        Succession { successors: self.successors.clone() }
    }

    /// Stops it after the commit under way, and writes the views to the disk.
    ///
    /// # Errors
    ///
    /// What made it fail, then or before; it has been logged.
    pub async fn stop(self) -> Result<(), Arc<ProjectorError>> {
        self.stop.send_replace(true);
        let ended = spawn_blocking(move || self.thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            return Err(Arc::new(ProjectorError::Panicked { text: "its thread has ended".to_owned() }));
        }
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }
}

impl Succession {
    /// Lets the views of this projector take the place of the live ones, once they have caught up, and fold on.
    ///
    /// # Errors
    ///
    /// When they cannot catch up or be put in place: then the old ones go on. [`ProjectorError::Stopped`] when the
    /// projector at work is stopped.
    pub async fn take_over(&self, projector: Projector) -> Result<(), ProjectorError> {
        let (taken_over, told) = oneshot::channel();
        let handed = self.successors.send(Successor { projector, taken_over }).await;
        handed.map_err(|_| ProjectorError::Stopped)?;
        told.await.unwrap_or(Err(ProjectorError::Stopped))
    }
}

/// Starts to fold into the views of `live` in a thread of its own, until it is stopped. When it fails it waits for a
/// successor.
///
/// # Errors
///
/// When the thread cannot be started.
pub fn start(projector: Projector, live: ReadModel, head: watch::Receiver<Head>) -> io::Result<ProjectorHandle> {
    let (stop, stopped) = watch::channel(false);
    let (failed, failure) = watch::channel(None);
    let (successors, waiting) = mpsc::channel(1);
    let waiters = live.watch_waiters();
    let run = Run { projector: Some(projector), live, head, waiters, stopped, successors: waiting, failed };
    let runtime: Runtime = Builder::new_current_thread().enable_time().build()?;
    let thread = background::spawn("projector", move || runtime.block_on(run.run()))?;
    Ok(ProjectorHandle { stop, failure, successors, thread })
}

struct Run {
    /// None after it has failed.
    projector: Option<Projector>,
    live: ReadModel,
    head: watch::Receiver<Head>,
    /// How many readers wait.
    waiters: watch::Receiver<usize>,
    stopped: watch::Receiver<bool>,
    successors: mpsc::Receiver<Successor>,
    failed: watch::Sender<Option<Arc<ProjectorError>>>,
}

/// What is to be done next.
enum Turn {
    Fold,
    HandOver(Box<Successor>),
    Stop,
}

impl Run {
    /// Nothing else runs in this thread, so it may block.
    async fn run(mut self) {
        loop {
            match self.next_turn().await {
                // Up to what was there when it began; what is appended meanwhile wakes the next turn.
                Turn::Fold => while self.step() && !*self.stopped.borrow() && self.successors.is_empty() {},
                Turn::HandOver(successor) => self.hand_over(*successor),
                Turn::Stop => break,
            }
        }
        if let Some(projector) = &mut self.projector
            && let Err(error) = guarded(|| projector.flush())
        {
            self.fail(error);
        }
    }

    async fn next_turn(&mut self) -> Turn {
        let is_behind = self.projector.is_some() && self.live.position() < self.head.borrow_and_update().position;
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stop| *stop) => return Turn::Stop,
            Some(successor) = self.successors.recv() => return Turn::HandOver(Box::new(successor)),
            () = std::future::ready(()), if is_behind => return Turn::Fold,
            changed = self.head.changed(), if self.projector.is_some() => if changed.is_err() { return Turn::Stop },
        }
        tokio::select! {
            _ = self.stopped.wait_for(|stop| *stop) => Turn::Stop,
            _ = self.waiters.wait_for(|waiters| *waiters > 0) => Turn::Fold,
            () = tokio::time::sleep(GATHER) => Turn::Fold,
        }
    }

    /// Folds one commit; whether there may be more to fold.
    fn step(&mut self) -> bool {
        let Some(projector) = &mut self.projector else { return false };
        match guarded(|| step_or_give_up(projector)) {
            Ok(is_more) => is_more,
            Err(error) => {
                self.projector = None;
                self.fail(error);
                false
            }
        }
    }

    fn fail(&self, error: ProjectorError) {
        tracing::error!(error = %ErrorChain(&error), "the projector stopped: views grow old");
        self.failed.send_replace(Some(Arc::new(error)));
    }

    /// Puts new views in the place of the old ones. The old ones are as they were when that fails.
    fn hand_over(&mut self, successor: Successor) {
        let Successor { mut projector, taken_over } = successor;
        let result = guarded(|| projector.take_place_of(Some(&self.live)));
        if result.is_ok() {
            let old = self.projector.replace(projector);
            // To close the old views may take a while, and nothing of it is waited for. Without a thread it is done here.
            let _ = background::spawn("old-views", move || drop(old));
            self.failed.send_replace(None);
        }
        // Who handed it over may have gone meanwhile.
        let _ = taken_over.send(result);
    }
}

/// Folds one commit; views that are found damaged are given up.
fn step_or_give_up(projector: &mut Projector) -> Result<bool, ProjectorError> {
    let step = projector.step();
    if let Err(error) = &step
        && error.is_mended_by_rebuild()
    {
        projector.give_up_views()?;
    }
    step
}

/// Runs work in which a fault of ours is an error like others.
fn guarded<T>(work: impl FnOnce() -> Result<T, ProjectorError>) -> Result<T, ProjectorError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(ProjectorError::Panicked { text: text.unwrap_or_else(|| "without a word".to_owned()) })
    })
}
