//! The one thread that seals and trims.
//!
//! It follows the head. When enough of the log is not sealed, the oldest of it becomes a segment; when sled holds more
//! than it should, the oldest of what is sealed goes, in small steps. Nothing of that holds up an append, and none of
//! its failures does: they are told and tried again, and the log grows in sled meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger_event::{ErrorChain, Position};
use tokio::sync::watch;

use super::guard::guarded;
use super::{Shared, read, witness};
use crate::cold::{Archive, NewSegment};
use crate::event_log::{BoxError, Head, LogError};
use crate::parts::{self, PartKey};
use crate::segment::SegmentHeader;

/// How long the head is let run ahead before it is looked at again: with small requests it moves thousands of times a second.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often the head is noted while it moves.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// How many bytes are trimmed at once, and the pause after that: what is trimmed is written with the next sync of an append.
const TRIM_STEP_BYTES: usize = 1024 * 1024;
const TRIM_PAUSE: Duration = Duration::from_millis(10);

/// After the first failure, and at most; between them each wait is twice the one before.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// How far sealing has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// The last position that is in a segment.
    pub sealed: Position,
    /// The last position of which the archive has a copy; the start where there is no archive.
    pub archived: Position,
    /// The first position that sled holds.
    pub oldest_hot: Position,
    /// How many bytes of chunks sled holds, about.
    pub hot_bytes: u64,
    /// Why sealing or trimming fails, as long as it does.
    pub failure: Option<String>,
    /// Why the archive is behind, as long as it is.
    pub archive_failure: Option<String>,
}

pub(super) struct Sealer {
    pub(super) shared: Arc<Shared>,
    pub(super) segment_target_bytes: u64,
    pub(super) hot_max_bytes: u64,
    pub(super) archive: Option<Archive>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) log_dir: PathBuf,
    /// The head that was noted last.
    pub(super) noted: Head,
    /// What is not sealed yet, as far as it was counted.
    pub(super) unsealed: Unsealed,
}

/// The bytes of the chunks after the last segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsealed {
    pub(super) counted_to: Position,
    pub(super) bytes: u64,
}

/// When something that failed is tried again.
#[derive(Default)]
struct Retry {
    wait: Duration,
    at: Option<Instant>,
}

impl Retry {
    fn is_due(&self) -> bool {
        self.at.is_none_or(|at| at <= Instant::now())
    }

    fn has_failed(&mut self) {
        self.wait = (self.wait * 2).clamp(RETRY_FIRST, RETRY_MAX);
        self.at = Some(Instant::now() + self.wait);
    }
}

impl Sealer {
    /// Works until it is told to stop, or the log takes no appends any more.
    pub(super) fn run(mut self) {
        let ended = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => guarded(|| runtime.block_on(self.work())),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = ended {
            let reason = format!("nothing is sealed until the log is opened again: {error}");
            tracing::error!(reason, "the sealer ended");
            self.tell(|sealing| sealing.failure = Some(reason));
        }
        self.note_head();
    }

    /// Notes where the log ends, so that it is noticed when it ends earlier one day.
    fn note_head(&mut self) {
        let head = *self.shared.head.borrow();
        if head.position <= self.noted.position {
            return;
        }
        match witness::note(&self.log_dir, head) {
            Ok(()) => self.noted = head,
            Err(error) => tracing::debug!(%error, "the end of the log could not be noted"),
        }
    }

    async fn work(&mut self) {
        let (mut head, mut stop) = (self.shared.head.subscribe(), self.stop.clone());
        let (mut sealing, mut archiving) = (Retry::default(), Retry::default());
        let mut noted_at: Option<Instant> = None;
        while !self.must_stop() {
            head.mark_unchanged();
            if noted_at.is_none_or(|at| at.elapsed() >= NOTE_EVERY) {
                self.note_head();
                noted_at = Some(Instant::now());
            }
            if sealing.is_due() {
                let done = self.seal_and_trim().await;
                self.settle(&mut sealing, "sealing the log failed", done, |sealing| &mut sealing.failure);
            }
            if archiving.is_due() {
                let done = self.keep_copies();
                self.settle(&mut archiving, "archiving a segment failed", done, |sealing| &mut sealing.archive_failure);
            }
            let retry = sealing.at.into_iter().chain(archiving.at).min();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = pause_until(retry) => {}
                _ = head.changed() => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Tells what came of an attempt, and when there is another.
    fn settle(
        &self,
        retry: &mut Retry,
        what: &'static str,
        done: Result<(), LogError>,
        place: impl Fn(&mut Sealing) -> &mut Option<String>,
    ) {
        let Err(error) = done else {
            *retry = Retry::default();
            return self.tell(|sealing| *place(sealing) = None);
        };
        retry.has_failed();
        let reason = ErrorChain(&error).to_string();
        tracing::error!(reason, retry_in = ?retry.wait, what);
        self.tell(|sealing| *place(sealing) = Some(reason));
    }

    fn tell(&self, change: impl FnOnce(&mut Sealing)) {
        self.shared.sealing.send_modify(change);
    }

    fn must_stop(&self) -> bool {
        *self.stop.borrow() || self.shared.queue.check_open().is_err()
    }

    async fn seal_and_trim(&mut self) -> Result<(), LogError> {
        if self.segment_target_bytes == u64::MAX && self.hot_max_bytes == u64::MAX {
            return Ok(());
        }
        self.count()?;
        while self.unsealed.bytes >= self.segment_target_bytes && !self.must_stop() {
            self.seal()?;
        }
        self.trim().await
    }

    /// Counts what was appended since the last time.
    fn count(&mut self) -> Result<(), LogError> {
        let head = self.shared.head.borrow().position;
        if head <= self.unsealed.counted_to {
            return Ok(());
        }
        let failed = |source: BoxError| LogError::Read { position: head, source };
        let from = PartKey { first: self.unsealed.counted_to.next(), part: 0 }.to_bytes();
        let mut appended = self.shared.chunks.range(from..=PartKey::greatest_of(head));
        while let Some(part) = guarded(|| appended.next()).map_err(failed)? {
            let (_, value) = part.map_err(|error| failed(error.into()))?;
            self.unsealed.bytes += parts::payload_bytes(&value);
        }
        self.unsealed.counted_to = head;
        Ok(())
    }

    /// Makes a segment of the oldest chunks that are in none.
    fn seal(&mut self) -> Result<(), LogError> {
        let (head, end) = (self.unsealed.counted_to, self.shared.cold.end());
        let header = SegmentHeader { identity: self.shared.identity, first: end.position.next(), previous: end.hash };
        let mut segment = NewSegment::begin(self.shared.cold.dir(), header)?;
        let (mut position, mut bytes) = (header.first, 0);
        while bytes < self.segment_target_bytes && position <= head {
            if self.must_stop() {
                return Ok(());
            }
            let encoded = read::encoded_chunk_at(&self.shared.chunks, position)?;
            position = segment.push_checked(&encoded)?.next();
            bytes += encoded.as_bytes().len() as u64;
        }
        let segment = segment.finish()?;
        let sealed = segment.footer.last;
        tracing::debug!(first = %header.first, last = %sealed, bytes = segment.bytes, "sealed a segment");
        self.shared.cold.add(segment)?;
        self.unsealed.bytes = self.unsealed.bytes.saturating_sub(bytes);
        self.tell(|sealing| sealing.sealed = sealed);
        Ok(())
    }

    /// Takes the oldest of what is sealed out of sled, until it is within its bound; its newest chunk always stays.
    async fn trim(&mut self) -> Result<(), LogError> {
        loop {
            let Some(oldest) = self.shared.oldest_in_sled()? else { return Ok(()) };
            let hot_bytes = self.shared.cold.bytes_from(oldest)? + self.unsealed.bytes;
            self.tell(|sealing| (sealing.oldest_hot, sealing.hot_bytes) = (oldest, hot_bytes));
            if hot_bytes <= self.hot_max_bytes || self.must_stop() {
                return Ok(());
            }
            let excess = usize::try_from(hot_bytes - self.hot_max_bytes).unwrap_or(usize::MAX);
            if !self.trim_step(excess.min(TRIM_STEP_BYTES))? {
                return Ok(());
            }
            tokio::time::sleep(TRIM_PAUSE).await;
        }
    }

    /// Removes the oldest chunks, so many bytes of them at least; whether there was one that could go.
    fn trim_step(&self, bytes: usize) -> Result<bool, LogError> {
        let (head, sealed) = (self.shared.head.borrow().position, self.shared.cold.end().position);
        let failed = |source: BoxError| LogError::Read { position: sealed, source };
        let newest = read::first_of_chunk_at(&self.shared.chunks, head)?;
        let mut removed = 0;
        let mut last = None;
        for part in &self.shared.chunks {
            let (key, value) = part.map_err(|error| failed(error.into()))?;
            let first = read::part_key(sealed, &key)?.first;
            let is_begun = last == Some(first);
            if first > sealed || first >= newest || (removed >= bytes && !is_begun) {
                break;
            }
            guarded(|| self.shared.chunks.remove(&key)).and_then(|removed| Ok(removed?)).map_err(failed)?;
            removed += value.len();
            last = Some(first);
        }
        Ok(last.is_some())
    }

    /// Copies what the archive lacks.
    fn keep_copies(&self) -> Result<(), LogError> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let archived = self.shared.sealing.borrow().archived;
        for segment in self.shared.cold.list() {
            if segment.footer.last <= archived {
                continue;
            }
            if self.must_stop() {
                return Ok(());
            }
            archive.keep(&segment)?;
            self.tell(|sealing| sealing.archived = segment.footer.last);
        }
        Ok(())
    }
}

async fn pause_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
