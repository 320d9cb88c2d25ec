//! The projector as a task: it folds as soon as the log grows, and lets views that were made anew take over.

use std::sync::Arc;

use ledger_event::ErrorChain;
use ledger_log::Head;
use ledger_views::ReadModel;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::projector::{COMMIT_MAX_EVENTS, Projector, ProjectorError};

/// A projector at work.
pub struct ProjectorHandle {
    stop: watch::Sender<bool>,
    failure: watch::Receiver<Option<Arc<ProjectorError>>>,
    successors: mpsc::Sender<Successor>,
    task: JoinHandle<()>,
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
        if let Err(error) = self.task.await {
            return Err(Arc::new(ProjectorError::Panicked { text: error.to_string() }));
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

/// Starts to fold into the views of `live`, until it is stopped. When it fails it waits for a successor.
pub fn start(projector: Projector, live: ReadModel, head: watch::Receiver<Head>) -> ProjectorHandle {
    let (stop, stopped) = watch::channel(false);
    let (failed, failure) = watch::channel(None);
    let (successors, waiting) = mpsc::channel(1);
    let run = Run { projector: Some(projector), live, head, stopped, successors: waiting, failed };
    ProjectorHandle { stop, failure, successors, task: tokio::spawn(run.run()) }
}

struct Run {
    /// None after it has failed.
    projector: Option<Projector>,
    live: ReadModel,
    head: watch::Receiver<Head>,
    stopped: watch::Receiver<bool>,
    successors: mpsc::Receiver<Successor>,
    failed: watch::Sender<Option<Arc<ProjectorError>>>,
}

impl Run {
    async fn run(mut self) {
        while !*self.stopped.borrow() {
            if let Ok(successor) = self.successors.try_recv() {
                self.hand_over(successor).await;
                continue;
            }
            // Marked before the fold: what is appended meanwhile wakes the next turn.
            self.head.mark_unchanged();
            if self.step().await {
                continue;
            }
            let successor = tokio::select! {
                changed = self.head.changed(), if self.projector.is_some() => match changed {
                    Ok(()) => None,
                    Err(_) => break,
                },
                Some(successor) = self.successors.recv() => Some(successor),
                _ = self.stopped.wait_for(|stop| *stop) => break,
            };
            if let Some(successor) = successor {
                self.hand_over(successor).await;
            }
        }
        if let Some(projector) = self.projector.take()
            && let Err(error) = on_blocking(projector, |projector| projector.flush()).await.and_then(|(_, done)| done)
        {
            self.fail(error);
        }
    }

    /// Folds one commit; whether there may be more to fold.
    async fn step(&mut self) -> bool {
        let Some(projector) = self.projector.take() else { return false };
        match on_blocking(projector, step_or_give_up).await {
            Ok((projector, Ok(is_more))) => {
                self.projector = Some(projector);
                is_more
            }
            Ok((_, Err(error))) | Err(error) => {
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
    async fn hand_over(&mut self, successor: Successor) {
        let Successor { projector, taken_over } = successor;
        let live = self.live.clone();
        let handed = on_blocking(projector, move |projector| projector.take_place_of(Some(&live))).await;
        let result = match handed {
            Ok((projector, Ok(()))) => {
                let old = self.projector.replace(projector.with_commits_of(COMMIT_MAX_EVENTS));
                // To close the old views may take a while. It can't fail: nothing of it is waited for.
                drop(spawn_blocking(move || drop(old)));
                self.failed.send_replace(None);
                Ok(())
            }
            Ok((_, Err(error))) | Err(error) => Err(error),
        };
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

/// Runs blocking work of the projector off the async runtime.
async fn on_blocking<T: Send + 'static>(
    mut projector: Projector,
    work: impl FnOnce(&mut Projector) -> T + Send + 'static,
) -> Result<(Projector, T), ProjectorError> {
    let working = spawn_blocking(move || {
        let result = work(&mut projector);
        (projector, result)
    });
    working.await.map_err(|error| ProjectorError::Panicked { text: error.to_string() })
}
