//! The one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Shared;
use super::disk::Disk;
use super::guard::{guarded, panic_text};
use crate::chain::ChunkSeed;
use crate::chunk_codec::ChunkEncoder;
use crate::clock::Clock;
use crate::event_log::{AppendError, BoxError, Chunk, LogError};
use crate::parts;
use crate::queue::{Answer, Waiting};
use crate::sequencer::Sequencer;

/// Why a log that was closed takes no appends.
pub(super) const CLOSED: &str = "it was closed";

/// Takes requests out of the queue, and writes, syncs, publishes and answers, chunk by chunk.
pub(super) struct Appender {
    pub(super) shared: Arc<Shared>,
    pub(super) sequencer: Sequencer,
    pub(super) encoder: ChunkEncoder,
    pub(super) disk: Box<dyn Disk>,
    pub(super) clock: Clock,
}

impl Appender {
    /// Works until the queue is closed and empty, or until anything fails: then nothing is written any
    /// more, as what is on the disk is no longer known.
    pub(super) fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work()));
        let reason = match ended {
            Ok(Ok(())) => CLOSED.to_owned(),
            Ok(Err(reason)) => reason,
            Err(panic) => format!("the appender {}", panic_text(panic.as_ref())),
        };
        if reason != CLOSED {
            tracing::error!(reason, "the log stopped taking appends");
        }
        self.shared.queue.close(&reason);
        refuse(self.shared.queue.drain().into_iter().map(|waiting| waiting.answer), &reason);
    }

    fn work(&mut self) -> Result<(), String> {
        self.fill_window().map_err(|error| describe("the newest events cannot be read", &error))?;
        while let Some(gathered) = self.shared.queue.gather() {
            self.commit(gathered)?;
        }
        Ok(())
    }

    /// Reads the newest events back, so that they are recognized when they are sent again.
    fn fill_window(&mut self) -> Result<(), LogError> {
        let head = self.sequencer.head().position;
        let start = self.sequencer.window_start();
        let mut position = start.max(self.shared.oldest()?);
        while position <= head {
            let chunk = self.shared.chunk_at(position, head)?;
            for (index, stored) in chunk.events.iter().enumerate() {
                let at = chunk.first.plus(index as u64);
                if at < start {
                    continue;
                }
                let event = stored
                    .decode()
                    .map_err(|error| LogError::Damaged { position: at, reason: describe("an event", &error) })?;
                self.sequencer.remember(at, event);
            }
            position = chunk.last().next();
        }
        Ok(())
    }

    /// Makes the gathered requests durable as one chunk, and answers all of them after that: a refusal
    /// too may rest on an event of the same chunk.
    fn commit(&mut self, gathered: Vec<Waiting>) -> Result<(), String> {
        let mut answers: Vec<(oneshot::Sender<Answer>, Answer)> = Vec::with_capacity(gathered.len());
        for waiting in gathered {
            let answer = self.sequencer.stage(waiting.request);
            answers.push((waiting.answer, answer));
        }
        if let Err(error) = guarded(|| self.write_staged()).flatten() {
            let reason = describe("writing failed", error.as_ref());
            // Whoever hears of it finds the log closed already.
            self.shared.queue.close(&reason);
            refuse(answers.into_iter().map(|(to, _)| to), &reason);
            return Err(reason);
        }
        for (to, answer) in answers {
            // A sender that does not wait any more needs no answer.
            let _ = to.send(answer);
        }
        Ok(())
    }

    fn write_staged(&mut self) -> Result<(), BoxError> {
        let seed = ChunkSeed::random()?;
        let Some(chunk) = self.sequencer.seal(self.clock.now(), &seed) else { return Ok(()) };
        self.write(&chunk, &seed)?;
        self.shared.head.send_replace(chunk.head());
        Ok(())
    }

    fn write(&mut self, chunk: &Chunk, seed: &ChunkSeed) -> Result<(), BoxError> {
        let encoded = self.encoder.encode(chunk, seed)?;
        for (key, part) in parts::split(chunk.first, encoded.as_bytes()) {
            self.disk.write(&key.to_bytes(), part)?;
        }
        self.disk.sync()
    }
}

fn refuse(answers: impl Iterator<Item = oneshot::Sender<Answer>>, reason: &str) {
    for to in answers {
        let _ = to.send(Err(AppendError::Stopped(LogError::Stopped { reason: reason.to_owned() })));
    }
}

/// What failed, and each error below it.
fn describe(what: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
