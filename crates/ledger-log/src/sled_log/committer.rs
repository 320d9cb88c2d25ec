//! What makes chunks durable, one after the other, and answers for them.

use std::sync::Arc;

use ledger_event::ErrorChain;
use tokio::sync::oneshot;

use super::Shared;
use super::disk::Disk;
use super::guard::guarded;
use crate::chunk_codec::{ChunkEncoder, PackedChunk};
use crate::event_log::{AppendError, BoxError, LogError};
use crate::queue::Answer;

/// A chunk with its place in the log, and who waits for it.
pub(super) struct Sealed {
    /// None when nothing of the requests is new.
    pub(super) chunk: Option<PackedChunk>,
    /// What becomes of each request once the chunk is durable, and all those before it.
    pub(super) answers: Vec<(oneshot::Sender<Answer>, Answer)>,
}

/// Encodes, writes, syncs, publishes and answers, in the order of the chain.
pub(super) struct Committer {
    shared: Arc<Shared>,
    encoder: ChunkEncoder,
    disk: Box<dyn Disk>,
    /// Why it writes nothing any more.
    failed: Option<String>,
}

impl Sealed {
    /// How many events are to be written.
    pub(super) fn events(&self) -> u64 {
        self.chunk.as_ref().map_or(0, |chunk| chunk.count)
    }
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, encoder: ChunkEncoder, disk: Box<dyn Disk>) -> Self {
        Self { shared, encoder, disk, failed: None }
    }

    /// Makes a chunk durable and answers its requests. After a failure nothing is written any more, as what is on the
    /// disk is no longer known, and every request is refused.
    pub(super) fn commit(&mut self, Sealed { chunk, answers }: Sealed) {
        if self.failed.is_none()
            && let Some(chunk) = &chunk
            && let Err(error) = guarded(|| self.write(chunk)).flatten()
        {
            self.fail(describe("writing failed", error.as_ref()));
        }
        match &self.failed {
            Some(reason) => refuse(answers.into_iter().map(|(to, _)| to), reason),
            None => {
                // Whoever is answered finds the new head. Those who follow it are woken later: they would take a processor
                // from those who wait.
                if let Some(chunk) = &chunk {
                    self.shared.head.send_if_modified(|head| {
                        *head = chunk.head();
                        false
                    });
                }
                for (to, answer) in answers {
                    // A sender that does not wait any more needs no answer.
                    let _ = to.send(answer);
                }
                self.shared.head.send_if_modified(|_| chunk.is_some());
            }
        }
        self.shared.queue.finish();
    }

    /// Whoever hears of it finds the log closed already.
    fn fail(&mut self, reason: String) {
        tracing::error!(reason, "the log stopped taking appends");
        self.shared.queue.close(&reason);
        self.failed = Some(reason);
    }

    fn write(&mut self, chunk: &PackedChunk) -> Result<(), BoxError> {
        let encoded = self.encoder.encode(chunk)?;
        self.disk.write(&encoded, chunk.head().position)?;
        self.disk.sync()?;
        self.disk.store(&encoded)
    }

    /// Leaves as little as possible to do at the next opening, when nothing has failed.
    pub(super) fn close(&mut self) {
        if self.failed.is_none()
            && let Err(error) = guarded(|| self.disk.close()).flatten()
        {
            // Nothing is lost: the journal has it all.
            tracing::warn!(error = describe("closing failed", error.as_ref()), "the log was not closed in good order");
        }
    }
}

/// Refuses requests because the log has stopped.
pub(super) fn refuse(answers: impl Iterator<Item = oneshot::Sender<Answer>>, reason: &str) {
    for to in answers {
        let _ = to.send(Err(AppendError::Stopped(LogError::Stopped { reason: reason.to_owned() })));
    }
}

/// What failed, and each error below it.
pub(super) fn describe(what: &str, error: &(dyn std::error::Error + 'static)) -> String {
    format!("{what}: {}", ErrorChain(error))
}
