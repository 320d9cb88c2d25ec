//! Where events go: into the log of a folder, or to a server.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use ledger_event::WorkspaceId;
use ledger_log::{Append, AppendError, Clock, EventLog, SledLog, SledLogOptions};
use tokio::task::spawn_blocking;

use super::batches::{Batch, RefusedEvent};
use super::prepare::{Prepared, Rules};
use crate::client::LedgerClient;
use crate::clock;
use crate::data_dir::{DataDir, DataDirLock};
use crate::probe;
use crate::target::Target;

/// How many batches wait for the log at a time: while one is written, the next chunk is there.
const LOG_DEPTH: usize = 4;

/// How many requests are on their way to a server: one, so that its log has the order of the lines.
const SERVER_DEPTH: usize = 1;

/// Where events go.
pub(super) struct Sink {
    to: To,
    rules: Rules,
}

/// How a sink is opened.
#[derive(Debug)]
pub(super) struct SinkOptions {
    /// The workspace of lines that name none.
    pub(super) workspace_id: Option<WorkspaceId>,
    /// Where the log of a folder has texts cut, in bytes.
    pub(super) text_cut_bytes: usize,
    /// How many events the log of a folder remembers.
    pub(super) idempotence_window_events: usize,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) appended: u64,
    pub(super) duplicates: u64,
    /// A position that includes its events.
    pub(super) position: u64,
}

enum To {
    Log { log: Arc<SledLog>, _lock: DataDirLock },
    Server(LedgerClient),
}

impl Sink {
    /// Opens the ledger, which for a folder may be a new one.
    pub(super) fn open(target: &Target, options: SinkOptions) -> anyhow::Result<Self> {
        let SinkOptions { workspace_id, text_cut_bytes, idempotence_window_events } = options;
        match target {
            Target::DataDir(path) => {
                let data_dir = DataDir::open_or_create(path)?;
                let lock = data_dir.lock()?;
                probe::see_after_unclean_end(&data_dir)?;
                let log_options = SledLogOptions {
                    idempotence_window_events,
                    clock: Clock::new(clock::now),
                    segments_dir: data_dir.segments(),
                    ..SledLogOptions::at(data_dir.log())
                };
                let log = Arc::new(SledLog::open(log_options)?);
                Ok(Self { to: To::Log { log, _lock: lock }, rules: Rules::Complete { workspace_id, text_cut_bytes } })
            }
            Target::Server(server) => {
                Ok(Self { to: To::Server(server.client()?), rules: Rules::Check { workspace_id } })
            }
        }
    }

    /// How lines are prepared for it.
    pub(super) fn rules(&self) -> Rules {
        self.rules.clone()
    }

    /// How many batches it takes at a time.
    pub(super) fn depth(&self) -> usize {
        match &self.to {
            To::Log { .. } => LOG_DEPTH,
            To::Server(_) => SERVER_DEPTH,
        }
    }

    /// Appends the events of a batch, which are taken out of it. For a log it is queued at once, in the order of calls.
    pub(super) fn append(
        &self,
        batch: &mut Batch,
    ) -> Pin<Box<dyn Future<Output = anyhow::Result<Answer>> + Send + '_>> {
        let (mut events, mut lines) = (Vec::new(), Vec::new());
        for prepared in std::mem::take(&mut batch.events) {
            match prepared {
                Prepared::Event(event) => events.push(*event),
                Prepared::Line(line) => {
                    lines.extend_from_slice(&line);
                    lines.push(b'\n');
                }
            }
        }
        match &self.to {
            To::Log { log, .. } => {
                let append = log.append(Append::new(events));
                Box::pin(async move {
                    let appended = append.await.map_err(refusal)?;
                    let position = appended.readable_at.get();
                    Ok(Answer { appended: appended.appended, duplicates: appended.duplicates, position })
                })
            }
            To::Server(client) => Box::pin(async move {
                let answer = client.append_all(&lines).await?;
                let (appended, duplicates) = (answer.appended, answer.duplicates);
                Ok(Answer { appended, duplicates, position: answer.position })
            }),
        }
    }

    /// Finishes what is queued and closes files.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self.to {
            To::Log { log, _lock } => {
                spawn_blocking(move || log.close()).await.context("closing the log failed")?;
                Ok(())
            }
            To::Server(_) => Ok(()),
        }
    }
}

fn refusal(error: AppendError) -> anyhow::Error {
    match error {
        AppendError::IdReused { index, ref id } => {
            let why = format!("the id {id} was used before, with other content: what was stored under it stays");
            anyhow!(RefusedEvent { index, why })
        }
        AppendError::QueueFull | AppendError::TooLarge { .. } | AppendError::Stopped(_) => anyhow!(error),
    }
}
