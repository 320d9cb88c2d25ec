//! What the tools share that work on a folder while no server has it open.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use ledger_log::{SledLog, SledLogOptions};
use ledger_projector::Projector;
use ledger_views::{ReadModel, Views, ViewsError, ViewsOptions};

use crate::data_dir::{DataDir, DataDirLock};
use crate::probe;
use crate::progress::Progress;

/// How the tools open views.
const VIEWS: ViewsOptions = ViewsOptions { cache_bytes: 256 * 1024 * 1024 };

/// A folder that a tool has for itself.
pub(crate) struct Tool {
    // Before the lock, so that it is closed when another process may open it.
    log: Option<Arc<SledLog>>,
    data_dir: DataDir,
    _lock: DataDirLock,
}

impl Tool {
    /// Takes the folder and opens its log: in another process first when it was not closed in good order. A folder that
    /// has no log is left as it is.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_after(path, probe::see_after_unclean_end)
    }

    /// The same for a folder that is suspect: whatever its log says, it is opened and read in another process first.
    pub(crate) fn open_suspect(path: &Path) -> anyhow::Result<Self> {
        Self::open_after(path, probe::see_that_it_opens)
    }

    fn open_after(path: &Path, look: impl FnOnce(&DataDir) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        keep_quiet_about_panics_of_sled();
        let data_dir = DataDir::open(path)?;
        let lock = data_dir.lock()?;
        look(&data_dir)?;
        let is_new = is_missing_or_empty(&data_dir.log())? && is_missing_or_empty(&data_dir.segments())?;
        let log = match is_new {
            true => None,
            false => {
                let log = SledLog::open(read_options(&data_dir));
                Some(Arc::new(log.with_context(|| format!("the log in {}", data_dir.log().display()))?))
            }
        };
        Ok(Self { log, data_dir, _lock: lock })
    }

    /// The folder.
    pub(crate) fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// The log, if the folder has one.
    pub(crate) fn log(&self) -> Option<&Arc<SledLog>> {
        self.log.as_ref()
    }

    /// The log, for a tool that can do nothing without one.
    pub(crate) fn require_log(&self) -> anyhow::Result<&Arc<SledLog>> {
        let missing =
            || anyhow!("{} has no log: nothing was appended yet, or it is lost", self.data_dir.path().display());
        self.log.as_ref().ok_or_else(missing)
    }

    /// The views, if the folder has some.
    pub(crate) fn views(&self) -> Option<Result<Views, ViewsError>> {
        let dir = self.data_dir.views();
        match Views::exist(&dir) {
            Ok(false) => None,
            Ok(true) => Some(Views::open(&dir, VIEWS)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The views, brought up to the head of the log; they are made where there are none.
    pub(crate) fn current_views(&self) -> anyhow::Result<ReadModel> {
        let log = self.require_log()?;
        let views = Views::open(&self.data_dir.views(), VIEWS).map_err(|error| self.unusable(error.into()))?;
        let reader = views.reader.clone();
        let mut projector = fold(log, views, "folding").map_err(|error| self.unusable(error))?;
        projector.flush()?;
        Ok(reader)
    }

    /// Says that the views cannot be used, and the way out when there is one.
    fn unusable(&self, error: anyhow::Error) -> anyhow::Error {
        let mended = error.downcast_ref::<ViewsError>().is_some_and(ViewsError::is_mended_by_rebuild)
            || error
                .downcast_ref::<ledger_projector::ProjectorError>()
                .is_some_and(|error| error.is_mended_by_rebuild());
        if !mended {
            return error;
        }
        let dir = self.data_dir.path().display();
        error.context(format!("the views are damaged; `hookledger replay --data-dir {dir}` makes them anew"))
    }

    /// Empty views beside those of the folder. They go when nobody uses them any more, unless they take their place.
    pub(crate) fn fresh_views(&self) -> anyhow::Result<Views> {
        let dir = self.data_dir.views();
        Views::begin(&dir, VIEWS).with_context(|| format!("cannot make views in {}", dir.display()))
    }
}

/// How a tool opens a log that it reads: it does not append, needs no event ids, and seals nothing.
pub(crate) fn read_options(data_dir: &DataDir) -> SledLogOptions {
    let options = SledLogOptions::at(data_dir.log()).sealing_nothing();
    SledLogOptions { idempotence_window_events: 1, segments_dir: data_dir.segments(), ..options }
}

/// Folds into views what they lack, with a bar.
pub(crate) fn fold(log: &Arc<SledLog>, views: Views, doing: &'static str) -> anyhow::Result<Projector> {
    use ledger_log::EventLog;

    let Views { reader, writer } = views;
    let mut projector = Projector::new(log.clone(), writer)?;
    let start = reader.position().get();
    let progress = Progress::of_positions(doing, log.head().position.get() - start);
    while projector.step()? {
        progress.reached(reader.position().get() - start);
    }
    progress.finish();
    Ok(projector)
}

pub(crate) fn is_missing_or_empty(dir: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", dir.display())),
    }
}

/// sled panics over some damage, also in threads of its own. Those panics come back as errors, which say it better.
pub(crate) fn keep_quiet_about_panics_of_sled() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_sled = panic.location().is_some_and(|location| location.file().contains("/sled-0."));
        if !is_sled {
            tell(panic);
        }
    }));
}
