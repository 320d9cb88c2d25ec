//! The parts of a ledger, opened and joined.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, anyhow, bail};
use ledger_event::{ErrorChain, Position};
use ledger_ingest::{Ingest, IngestOptions};
use ledger_log::{Clock, EventLog, HeadSigner, SledLog, SledLogOptions};
use ledger_projector::{LagBound, Projector, ProjectorHandle, RebuildParts, Rebuilder};
use ledger_views::{ReadModel, Views, ViewsOptions};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::clock;
use crate::data_dir::DataDir;
use crate::head_key;
use crate::output;
use crate::probe;
use crate::settings::ServeSettings;

/// A ledger at work.
pub(crate) struct Ledger {
    pub(crate) log: Arc<SledLog>,
    pub(crate) signer: HeadSigner,
    pub(crate) views: ReadModel,
    pub(crate) ingest: Ingest,
    pub(crate) projector: ProjectorHandle,
    pub(crate) rebuilder: Rebuilder,
    /// Whether appends wait for the views.
    pub(crate) appends_held: watch::Receiver<bool>,
    /// Where the log ended, and where the views stood, when they were opened.
    pub(crate) opened_at: OpenedAt,
}

/// Where log and views stood when they were opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenedAt {
    pub(crate) head: Position,
    pub(crate) views: Position,
}

impl Ledger {
    /// Opens log and views, and starts to fold the one into the other.
    pub(crate) async fn open(data_dir: &DataDir, settings: &ServeSettings) -> anyhow::Result<Self> {
        if settings.archive_dir().is_some_and(|archive| archive.starts_with(data_dir.path())) {
            bail!("the archive is in the ledger's own folder, and would be lost with it: name another folder");
        }
        let options = SledLogOptions {
            cache_bytes: settings.log_cache_bytes,
            idempotence_window_events: settings.idempotence_window_events,
            queue_max_requests: settings.append_queue_requests,
            queue_max_bytes: settings.append_queue_bytes,
            segments_dir: data_dir.segments(),
            archive_dir: settings.archive_dir(),
            segment_target_bytes: settings.segment_bytes,
            hot_max_bytes: settings.hot_log_bytes,
            clock: Clock::new(clock::now),
            ..SledLogOptions::at(data_dir.log())
        };
        let (views_dir, views_options) = (data_dir.views(), ViewsOptions { cache_bytes: settings.views_cache_bytes });
        let folder = data_dir.clone();
        let opened = spawn_blocking(move || open_parts(&folder, options, views_options)).await;
        let (log, views, projector) = opened.context("opening the ledger failed")??;
        let signer = head_key::signer(data_dir, &log.identity())?;
        let opened_at = OpenedAt { head: log.head().position, views: views.position() };
        let ingest_options = IngestOptions { text_cut_bytes: settings.text_cut_bytes, now: clock::now };
        let ingest = Ingest::new(log.clone(), ingest_options);
        let projector = ledger_projector::start(projector, views.clone(), log.watch_head());
        let projector = projector.context("the projector cannot start its thread")?;
        let rebuilder = Rebuilder::new(RebuildParts {
            log: log.clone(),
            live: views.clone(),
            succession: projector.succession(),
            views_dir,
            options: views_options,
            now: clock::now,
        });
        let lag = LagBound::new(settings.views_lag_events, views.clone(), log.watch_head(), projector.failure());
        let appends_held = lag.is_holding();
        // Both end with the projector.
        drop(tokio::spawn(rebuilder.clone().mend(projector.failure())));
        drop(tokio::spawn(lag.run()));
        Ok(Self { log, signer, views, ingest, projector, rebuilder, appends_held, opened_at })
    }

    /// The last durable position.
    pub(crate) fn head(&self) -> Position {
        self.log.head().position
    }

    /// Finishes what is under way and writes what is in memory.
    ///
    /// When log or views have failed, the program ends here: their storage engine would wait, maybe for ever, to write
    /// to the disk that failed.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.rebuilder.stop().await;
        let projected = self.projector.stop().await;
        let written = self.log.check_writable();
        let log = Arc::clone(&self.log);
        spawn_blocking(move || log.close()).await.context("closing the log failed")?;
        if let (Ok(()), Ok(())) = (&projected, &written) {
            return Ok(());
        }
        let failed = if written.is_err() { "the log" } else { "the projector" };
        output::complain(&anyhow!("{failed} failed while the ledger served, as was logged"));
        std::process::exit(1)
    }
}

fn open_parts(
    data_dir: &DataDir,
    options: SledLogOptions,
    views_options: ViewsOptions,
) -> anyhow::Result<(Arc<SledLog>, ReadModel, Projector)> {
    // Side by side: each of them waits for the disk.
    let (log, views) = thread::scope(|scope| {
        let views = scope.spawn(|| open_views(&data_dir.views(), views_options));
        let log = probe::see_after_unclean_end(data_dir).and_then(|()| Ok(SledLog::open(options)?));
        (log, views.join())
    });
    let log = Arc::new(log?);
    let views = views.map_err(|_| anyhow!("opening the views panicked"))??;
    let projector = Projector::new(log.clone(), views.writer)?;
    Ok((log, views.reader, projector))
}

/// Opens the views; those that are damaged or of another layout are thrown away, to be rebuilt from the log.
fn open_views(dir: &Path, options: ViewsOptions) -> anyhow::Result<Views> {
    match Views::open(dir, options) {
        Err(error) if error.is_mended_by_rebuild() => {
            tracing::warn!(error = %ErrorChain(&error), "the views are rebuilt from the log");
            Views::discard(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
            Ok(Views::open(dir, options)?)
        }
        opened => Ok(opened?),
    }
}
