//! The projector as a task: it folds as soon as the log grows.

use std::sync::Arc;

use ledger_event::ErrorChain;
use ledger_log::Head;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::projector::{Projector, ProjectorError};

/// A projector at work.
pub struct ProjectorHandle {
    stop: watch::Sender<bool>,
    failure: watch::Receiver<Option<Arc<ProjectorError>>>,
    task: JoinHandle<()>,
}

impl ProjectorHandle {
    /// Why it failed, once it has: reads go on, but the views grow old.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<Arc<ProjectorError>>> {
        self.failure.clone()
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

/// Starts to fold, until it is stopped or fails.
pub fn start(projector: Projector, head: watch::Receiver<Head>) -> ProjectorHandle {
    let (stop, stopped) = watch::channel(false);
    let (failed, failure) = watch::channel(None);
    let task = tokio::spawn(async move {
        if let Err(error) = run(projector, head, stopped).await {
            tracing::error!(error = %ErrorChain(&error), "the projector stopped: views grow old");
            failed.send_replace(Some(Arc::new(error)));
        }
    });
    ProjectorHandle { stop, failure, task }
}

async fn run(
    mut projector: Projector,
    mut head: watch::Receiver<Head>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ProjectorError> {
    while !*stopped.borrow() {
        // Marked before the fold: what is appended meanwhile wakes the next turn.
        head.mark_unchanged();
        let stepped;
        (projector, stepped) = on_blocking(projector, step_or_give_up).await?;
        if stepped? {
            continue;
        }
        tokio::select! {
            changed = head.changed() => if changed.is_err() { break },
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    let (_, flushed) = on_blocking(projector, |projector| projector.flush()).await?;
    flushed
}

/// Folds one commit; views that are found damaged are given up.
fn step_or_give_up(projector: &mut Projector) -> Result<bool, ProjectorError> {
    let step = projector.step();
    if let Err(error) = &step
        && error.is_mended_by_rebuild()
    {
        projector.give_up_views()?;
        tracing::warn!("the views are damaged: the next start rebuilds them");
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
