//! The thread that gives events their places.
//!
//! It takes requests out of the queue, stages them and seals them into chunks. A small chunk that is alone it commits
//! itself, for a lone request should wait for no other thread; others it hands to the thread of the committer, and
//! goes on with the next while they are encoded and made durable.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Shared;
use super::committer::{Committer, Sealed, describe, refuse};
use super::guard::panic_text;
use crate::chain::ChunkSeed;
use crate::clock::Clock;
use crate::event_log::LogError;
use crate::queue::{CHUNKS_IN_FLIGHT_MAX, Gathered};
use crate::sequencer::Sequencer;

/// Why a log that was closed takes no appends.
pub(super) const CLOSED: &str = "it was closed";

/// A chunk of at most so many events is committed without another thread, if it is alone.
const INLINE_MAX_EVENTS: u64 = 64;

/// Takes requests out of the queue, and sees to it that each is answered.
pub(super) struct Appender {
    pub(super) shared: Arc<Shared>,
    pub(super) sequencer: Sequencer,
    pub(super) committer: Arc<Mutex<Committer>>,
    pub(super) clock: Clock,
}

impl Appender {
    /// Works until the queue is closed and empty. When anything fails the queue is closed: nothing is written any
    /// more, as what is on the disk is no longer known.
    pub(super) fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work()));
        let reason = match ended {
            Ok(Ok(())) => return,
            Ok(Err(reason)) => reason,
            Err(panic) => format!("the appender {}", panic_text(panic.as_ref())),
        };
        tracing::error!(reason, "the log stopped taking appends");
        self.shared.queue.close(&reason);
        refuse(self.shared.queue.drain().into_iter().map(|waiting| waiting.answer), &reason);
    }

    fn work(&mut self) -> Result<(), String> {
        self.fill_window().map_err(|error| describe("the newest events cannot be read", &error))?;
        let (commit, sealed) = sync_channel::<Sealed>(CHUNKS_IN_FLIGHT_MAX);
        let committer = Arc::clone(&self.committer);
        let thread = std::thread::Builder::new().name("log-committer".to_owned()).spawn(move || {
            while let Ok(sealed) = sealed.recv() {
                lock(&committer).commit(sealed);
            }
        });
        let thread = thread.map_err(|error| describe("no thread can be started", &error))?;
        let ended = self.seal_until_closed(&commit);
        drop(commit);
        // It catches what panics in it, and has said what it failed of.
        let _ = thread.join();
        ended
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

    fn seal_until_closed(&mut self, commit: &SyncSender<Sealed>) -> Result<(), String> {
        while let Some(gathered) = self.shared.queue.gather() {
            let is_alone = gathered.is_alone;
            let sealed = self.seal(gathered)?;
            if is_alone && sealed.events() <= INLINE_MAX_EVENTS {
                lock(&self.committer).commit(sealed);
            } else {
                commit.send(sealed).map_err(|_| "the committer ended".to_owned())?;
            }
        }
        Ok(())
    }

    /// Makes one chunk of the gathered requests. All of them are answered when it is durable: a refusal too may rest
    /// on an event of the same chunk.
    fn seal(&mut self, gathered: Gathered) -> Result<Sealed, String> {
        let seed = ChunkSeed::random().map_err(|error| describe("the machine has no randomness", &error))?;
        let stage = |waiting: crate::queue::Waiting| (waiting.answer, self.sequencer.stage(waiting.request));
        let answers = gathered.requests.into_iter().map(stage).collect();
        let chunk = self.sequencer.seal(self.clock.now(), &seed);
        Ok(Sealed { chunk, answers })
    }
}

pub(super) fn lock(committer: &Mutex<Committer>) -> MutexGuard<'_, Committer> {
    // A panic in a commit is caught within it.
    committer.lock().unwrap_or_else(PoisonError::into_inner)
}
