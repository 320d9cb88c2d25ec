//! The projector as a task: it folds as soon as the log grows.

use ledger_log::Head;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::projector::{Projector, ProjectorError};

/// A projector at work.
pub struct Projecting {
    stop: watch::Sender<bool>,
    failed: watch::Receiver<Option<String>>,
    task: JoinHandle<Result<(), ProjectorError>>,
}

impl Projecting {
    /// Why it failed, once it has: reads go on, but the views grow old.
    pub fn watch_failure(&self) -> watch::Receiver<Option<String>> {
        self.failed.clone()
    }

    /// Stops it after the commit under way, and writes the views to the disk.
    ///
    /// # Errors
    ///
    /// What made it fail, if it failed.
    pub async fn stop(self) -> Result<(), ProjectorError> {
        self.stop.send_replace(true);
        joined(self.task.await)
    }
}

/// Starts to fold, until it is stopped or fails.
pub fn start(projector: Projector, head: watch::Receiver<Head>) -> Projecting {
    let (stop, stopped) = watch::channel(false);
    let (failure, failed) = watch::channel(None);
    let task = tokio::spawn(async move {
        let result = run(projector, head, stopped).await;
        if let Err(error) = &result {
            tracing::error!(error = error as &dyn std::error::Error, "the projector stopped: views grow old");
            failure.send_replace(Some(error.to_string()));
        }
        result
    });
    Projecting { stop, failed, task }
}

async fn run(
    mut projector: Projector,
    mut head: watch::Receiver<Head>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ProjectorError> {
    while !*stopped.borrow() {
        // Marked before the fold: what is appended meanwhile wakes the next turn.
        head.mark_unchanged();
        let (returned, step) = on_blocking(projector, Projector::step).await;
        projector = returned;
        if step? {
            continue;
        }
        tokio::select! {
            changed = head.changed() => if changed.is_err() { break },
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    let (_, flushed) = on_blocking(projector, |projector| projector.flush()).await;
    flushed
}

/// Runs blocking work of the projector off the async runtime.
async fn on_blocking<T: Send + 'static>(
    mut projector: Projector,
    work: impl FnOnce(&mut Projector) -> T + Send + 'static,
) -> (Projector, T) {
    joined(
        spawn_blocking(move || {
            let result = work(&mut projector);
            (projector, result)
        })
        .await,
    )
}

/// The result of a task; a panic goes on in the one that waits for it.
fn joined<T>(result: Result<T, JoinError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
