//! Views made anew from the log while the old ones serve.
//!
//! The new ones are folded beside the live ones into a generation of their own. Once they have come as far, the
//! projector at work puts them in the place of the old ones and folds on into them: readers see neither a gap nor a
//! step back. Views that are found damaged are rebuilt so by themselves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger_event::{ErrorChain, Position, Timestamp};
use ledger_log::{EventLog, background};
use ledger_views::{ReadModel, Views, ViewsOptions};
use tokio::sync::{oneshot, watch};

use crate::projector::{Projector, ProjectorError};
use crate::run::Succession;

/// Makes views anew while the old ones serve, one rebuild at a time. Clones share it.
#[derive(Clone)]
pub struct Rebuilder {
    shared: Arc<Shared>,
}

/// What a rebuild works with.
pub struct RebuildParts {
    /// The log that is folded.
    pub log: Arc<dyn EventLog>,
    /// The views that serve meanwhile.
    pub live: ReadModel,
    /// The way for the new ones to take over.
    pub succession: Succession,
    /// The folder of the views.
    pub views_dir: PathBuf,
    /// How the new views are opened, beside the old ones.
    pub options: ViewsOptions,
    /// The clock that says when a rebuild was started and ended.
    pub now: fn() -> Timestamp,
}

struct Shared {
    parts: RebuildParts,
    last: watch::Sender<Rebuild>,
    is_stopping: AtomicBool,
}

/// The last rebuild since the start, how far it is or what became of it.
#[derive(Clone, Debug)]
pub enum Rebuild {
    /// None was asked for.
    Never,
    /// It is under way.
    Running {
        /// When it was started.
        started_at: Timestamp,
        /// How far it has folded the log.
        position: Position,
    },
    /// Its views have taken over.
    Done {
        /// When it was started.
        started_at: Timestamp,
        /// When its views took over.
        finished_at: Timestamp,
        /// How far it had folded the log.
        position: Position,
    },
    /// It failed, and the old views go on.
    Failed {
        /// When it was started.
        started_at: Timestamp,
        /// When it failed.
        finished_at: Timestamp,
        /// How far it had folded the log.
        position: Position,
        /// Why; it has been logged.
        error: Arc<ProjectorError>,
    },
}

impl Rebuilder {
    /// Starts nothing yet.
    #[must_use]
    pub fn new(parts: RebuildParts) -> Self {
        let last = watch::Sender::new(Rebuild::Never);
        Self { shared: Arc::new(Shared { parts, last, is_stopping: AtomicBool::new(false) }) }
    }

    /// The last rebuild, and what becomes of it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Rebuild> {
        self.shared.last.subscribe()
    }

    /// Starts a rebuild, unless one is under way already; which one is told either way.
    #[must_use]
    pub fn start(&self) -> Rebuild {
        let started_at = (self.shared.parts.now)();
        let is_started = self.shared.last.send_if_modified(|last| {
            let is_running = matches!(last, Rebuild::Running { .. });
            if !is_running {
                *last = Rebuild::Running { started_at, position: Position::START };
            }
            !is_running
        });
        if is_started {
            tokio::spawn(self.clone().run(started_at));
        }
        self.shared.last.borrow().clone()
    }

    /// Rebuilds whenever the projector fails over damage that a rebuild mends.
    pub async fn mend(self, mut failure: watch::Receiver<Option<Arc<ProjectorError>>>) {
        loop {
            let is_mended = failure.borrow_and_update().as_ref().is_some_and(|error| error.is_mended_by_rebuild());
            if is_mended && matches!(self.start(), Rebuild::Running { .. }) {
                tracing::warn!("the views are damaged, and are rebuilt from the log");
            }
            if failure.changed().await.is_err() {
                return;
            }
        }
    }

    /// Stops what is under way, and waits until it has ended.
    pub async fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        let mut last = self.watch();
        let ended = last.wait_for(|last| !matches!(last, Rebuild::Running { .. })).await;
        drop(ended);
    }

    async fn run(self, started_at: Timestamp) {
        let rebuilt = self.rebuild().await;
        let (position, finished_at) = (self.position(), (self.shared.parts.now)());
        let ended = match rebuilt {
            Ok(()) => {
                tracing::info!(%position, "the views were rebuilt from the log");
                Rebuild::Done { started_at, finished_at, position }
            }
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "the rebuild of the views failed: the old ones go on");
                Rebuild::Failed { started_at, finished_at, position, error: Arc::new(error) }
            }
        };
        self.shared.last.send_replace(ended);
    }

    async fn rebuild(&self) -> Result<(), ProjectorError> {
        let shared = Arc::clone(&self.shared);
        let (tell, told) = oneshot::channel();
        let folding = background::spawn("rebuild", move || {
            // Whoever waits for it may have gone with the server.
            let _ = tell.send(shared.fold_anew());
        });
        folding.map_err(ProjectorError::Thread)?;
        let panicked = || ProjectorError::Panicked { text: "the rebuild has ended".to_owned() };
        let projector = told.await.map_err(|_| panicked())??;
        self.shared.parts.succession.take_over(projector).await
    }

    fn position(&self) -> Position {
        match *self.shared.last.borrow() {
            Rebuild::Never => Position::START,
            Rebuild::Running { position, .. } | Rebuild::Done { position, .. } | Rebuild::Failed { position, .. } => {
                position
            }
        }
    }
}

impl Shared {
    /// Folds the log into new views, until they have come as far as the live ones.
    fn fold_anew(&self) -> Result<Projector, ProjectorError> {
        let RebuildParts { log, live, views_dir, options, .. } = &self.parts;
        let views = Views::begin(views_dir, *options)?;
        let reader = views.reader;
        let mut projector = Projector::new(Arc::clone(log), views.writer)?;
        while reader.position() < live.position() && projector.step()? {
            if self.is_stopping.load(Ordering::Relaxed) {
                return Err(ProjectorError::Stopped);
            }
            let reached = reader.position();
            self.last.send_modify(|last| {
                if let Rebuild::Running { position, .. } = last {
                    *position = reached;
                }
            });
        }
        // Here, where nobody waits for it.
        projector.flush()?;
        Ok(projector)
    }
}
