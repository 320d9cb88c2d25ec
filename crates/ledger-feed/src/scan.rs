//! Bounded walks along the log.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use ledger_event::{Position, RecordedEvent, StoredEvent};
use ledger_log::{Chunk, EventLog, Head};
use tokio::sync::watch;

use crate::accept::Form;
use crate::error::FeedError;
use crate::filter::Filter;
use crate::lines::Lines;

/// Most events that one scan looks at.
const LOOKED_MAX_EVENTS: usize = 50_000;
/// Most bytes, as they are stored, that one scan looks at; one event more crosses it.
const LOOKED_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Reads the log for all readers. The chunk that was read last is kept: those who follow the end of the log, and those
/// who take a large chunk in several answers, mostly want the same one.
#[derive(Clone)]
pub(crate) struct Scanner {
    log: Arc<dyn EventLog>,
    latest: Arc<Mutex<Option<Arc<Chunk>>>>,
}

/// What a scan is to find, and where it stops.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) form: Form,
    pub(crate) filter: Filter,
    /// The first position to look at.
    pub(crate) from: Position,
    /// The last position to look at: a head of the log.
    pub(crate) until: Position,
    /// Most events that are wanted.
    pub(crate) events_max: usize,
    /// Bytes of the answer after which there is no further event.
    pub(crate) bytes_max: usize,
}

/// What a scan has found.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The bytes of the answer.
    pub(crate) pieces: Vec<Bytes>,
    /// Where to go on: everything before, from where the scan began, was looked at.
    pub(crate) next: Position,
    /// The last event that was found.
    pub(crate) last_found: Option<Position>,
}

/// What one scan has looked at.
#[derive(Default)]
struct Looked {
    events: usize,
    bytes: usize,
}

impl Scanner {
    pub(crate) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, latest: Arc::default() }
    }

    pub(crate) fn watch_head(&self) -> watch::Receiver<Head> {
        self.log.watch_head()
    }

    /// Walks along the log, at least one event far unless there is none. It blocks.
    pub(crate) fn scan(&self, scan: &Scan) -> Result<Scanned, FeedError> {
        let (mut lines, mut looked, mut next) = (Lines::new(scan.form), Looked::default(), scan.from);
        let mut last_found = None;
        while next <= scan.until && !is_full(scan, &lines, &looked) {
            let chunk = self.chunk_at(next)?;
            let skipped = usize::try_from(next.get() - chunk.first.get()).expect("a chunk is in memory");
            for stored in &chunk.events[skipped..] {
                if next > scan.until || is_full(scan, &lines, &looked) {
                    break;
                }
                looked.add(stored);
                let event = stored.decode().map_err(|source| FeedError::Event { position: next, source })?;
                if scan.filter.lets_through(&event) {
                    lines.push(&RecordedEvent { position: next, recorded_at: chunk.recorded_at, event: &event });
                    last_found = Some(next);
                }
                next = next.next();
            }
        }
        Ok(Scanned { pieces: lines.finish(next, scan.until), next, last_found })
    }

    fn chunk_at(&self, position: Position) -> Result<Arc<Chunk>, FeedError> {
        // The lock guards one assignment, which cannot be left half done: poison means nothing here.
        let latest = || self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = latest().clone();
        if let Some(chunk) = kept.filter(|chunk| (chunk.first..=chunk.last()).contains(&position)) {
            return Ok(chunk);
        }
        let chunk = self.log.chunk_at(position).map_err(|source| FeedError::Read { position, source })?;
        let chunk = Arc::new(chunk.ok_or(FeedError::Missing { position })?);
        *latest() = Some(Arc::clone(&chunk));
        Ok(chunk)
    }
}

impl Looked {
    fn add(&mut self, stored: &StoredEvent) {
        self.events += 1;
        self.bytes += stored.skeleton.len() + stored.bodies.iter().map(|body| body.bytes.len()).sum::<usize>();
    }
}

fn is_full(scan: &Scan, lines: &Lines, looked: &Looked) -> bool {
    lines.events() >= scan.events_max
        || lines.bytes() >= scan.bytes_max
        || looked.events >= LOOKED_MAX_EVENTS
        || looked.bytes >= LOOKED_MAX_BYTES
}
