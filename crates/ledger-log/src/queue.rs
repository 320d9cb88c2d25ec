//! Where requests wait for the appender: bounded in number and in bytes.
//!
//! While nothing is being made durable, a request is taken at once. While a chunk is, requests gather: the next chunk
//! is begun early only when enough waits to be worth a chunk of its own. So a lone request waits for nobody, and under
//! load chunks grow and overlap.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use tokio::sync::oneshot;

use crate::event_log::{Append, AppendError, Appended, LogError};

/// How many chunks are under way at most: one is being made durable, one is being encoded or waits, one is sealed.
pub(crate) const CHUNKS_IN_FLIGHT_MAX: usize = 3;

/// The share of a full chunk that must wait for one to be begun while another is under way.
const EARLY_SHARE: usize = 4;

/// How an append is answered.
pub(crate) type Answer = Result<Appended, AppendError>;

/// Where the queue refuses, and how much is gathered into one chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueBounds {
    pub(crate) max_requests: usize,
    pub(crate) max_bytes: usize,
    pub(crate) gather_events: usize,
    pub(crate) gather_bytes: usize,
}

/// A request that waits.
pub(crate) struct Waiting {
    pub(crate) request: Append,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What makes one chunk.
pub(crate) struct Gathered {
    /// The requests, in their order.
    pub(crate) requests: Vec<Waiting>,
    /// Whether no other chunk was under way.
    pub(crate) is_alone: bool,
}

/// The queue. It takes a request of any size when it is empty, so a bound that was set too low slows
/// large requests down and never shuts them out.
pub(crate) struct Queue {
    bounds: QueueBounds,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Of the requests that wait.
    bytes: usize,
    /// Of the requests that wait.
    events: usize,
    chunks_in_flight: usize,
    /// Why it takes nothing more.
    closed: Option<String>,
}

impl Queue {
    pub(crate) fn new(bounds: QueueBounds) -> Self {
        Self { bounds, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds a request, or refuses it at once.
    pub(crate) fn push(&self, request: Append) -> Result<oneshot::Receiver<Answer>, AppendError> {
        let bytes = request.bytes();
        let (answer, receiver) = oneshot::channel();
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(AppendError::Stopped(LogError::Stopped { reason: reason.clone() }));
        }
        let full = state.waiting.len() >= self.bounds.max_requests || state.bytes + bytes > self.bounds.max_bytes;
        if full && !state.waiting.is_empty() {
            return Err(AppendError::QueueFull);
        }
        state.bytes += bytes;
        state.events += request.len();
        state.waiting.push_back(Waiting { request, answer });
        self.tell(state);
        Ok(receiver)
    }

    /// Waits until a chunk is due and takes what makes it: the first request, and those after it that fit. The chunk
    /// is under way until [`Queue::finish`].
    ///
    /// `None` once the queue is closed and empty.
    pub(crate) fn gather(&self) -> Option<Gathered> {
        let mut state = self
            .changed
            .wait_while(self.state(), |state| !state.is_due(&self.bounds) && state.closed.is_none())
            .expect("nothing panics while it holds the queue");
        let first = state.waiting.pop_front()?;
        let (mut events, mut bytes) = (first.request.len(), first.request.bytes());
        let mut requests = vec![first];
        while let Some(next) = state.waiting.pop_front_if(|next| {
            events + next.request.len() <= self.bounds.gather_events
                && bytes + next.request.bytes() <= self.bounds.gather_bytes
        }) {
            events += next.request.len();
            bytes += next.request.bytes();
            requests.push(next);
        }
        state.bytes -= bytes;
        state.events -= events;
        let is_alone = state.chunks_in_flight == 0;
        state.chunks_in_flight += 1;
        Some(Gathered { requests, is_alone })
    }

    /// Tells that a chunk that was gathered is durable, or will never be.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        state.chunks_in_flight -= 1;
        self.tell(state);
    }

    /// Wakes the appender if a chunk is due; not before it can have the queue, or it would sleep again at once.
    fn tell(&self, state: MutexGuard<'_, State>) {
        let is_due = state.is_due(&self.bounds);
        drop(state);
        if is_due {
            self.changed.notify_one();
        }
    }

    /// Takes no more requests from now on; the first reason stays.
    pub(crate) fn close(&self, reason: &str) {
        self.state().closed.get_or_insert_with(|| reason.to_owned());
        self.changed.notify_all();
    }

    /// Takes all that waits.
    pub(crate) fn drain(&self) -> Vec<Waiting> {
        let mut state = self.state();
        (state.bytes, state.events) = (0, 0);
        state.waiting.drain(..).collect()
    }

    /// Whether it takes requests; if not, why.
    pub(crate) fn check_open(&self) -> Result<(), LogError> {
        match &self.state().closed {
            Some(reason) => Err(LogError::Stopped { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }
}

impl State {
    /// Whether a chunk is to be begun now.
    fn is_due(&self, bounds: &QueueBounds) -> bool {
        let is_worth_it =
            || self.events >= bounds.gather_events / EARLY_SHARE || self.bytes >= bounds.gather_bytes / EARLY_SHARE;
        match self.chunks_in_flight {
            _ if self.waiting.is_empty() => false,
            0 => true,
            CHUNKS_IN_FLIGHT_MAX.. => false,
            _ => is_worth_it(),
        }
    }
}
