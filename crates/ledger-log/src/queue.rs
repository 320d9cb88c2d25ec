//! Where requests wait for the appender: bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use ledger_event::{DeliveryDescription, EmbeddedDelivery, Event, EventData, Headers};
use tokio::sync::oneshot;

use crate::event_log::{Append, AppendError, Appended, LogError};

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
    bytes: usize,
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
    bytes: usize,
    /// Why it takes nothing more.
    closed: Option<String>,
}

impl Queue {
    pub(crate) fn new(bounds: QueueBounds) -> Self {
        Self { bounds, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds a request, or refuses it at once.
    pub(crate) fn push(&self, request: Append) -> Result<oneshot::Receiver<Answer>, AppendError> {
        let bytes = request.events.iter().map(|completed| approximate_bytes(&completed.event)).sum();
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
        state.waiting.push_back(Waiting { request, answer, bytes });
        self.changed.notify_one();
        Ok(receiver)
    }

    /// Waits for requests and takes what makes one chunk: the first, and those after it that fit.
    ///
    /// `None` once the queue is closed and empty.
    pub(crate) fn gather(&self) -> Option<Vec<Waiting>> {
        let mut state = self
            .changed
            .wait_while(self.state(), |state| state.waiting.is_empty() && state.closed.is_none())
            .expect("nothing panics while it holds the queue");
        let first = state.waiting.pop_front()?;
        let mut events = first.request.events.len();
        let mut bytes = first.bytes;
        let mut gathered = vec![first];
        while let Some(next) = state.waiting.pop_front_if(|next| {
            events + next.request.events.len() <= self.bounds.gather_events
                && bytes + next.bytes <= self.bounds.gather_bytes
        }) {
            events += next.request.events.len();
            bytes += next.bytes;
            gathered.push(next);
        }
        state.bytes -= bytes;
        Some(gathered)
    }

    /// Takes no more requests from now on; the first reason stays.
    pub(crate) fn close(&self, reason: &str) {
        self.state().closed.get_or_insert_with(|| reason.to_owned());
        self.changed.notify_all();
    }

    /// Takes all that waits.
    pub(crate) fn drain(&self) -> Vec<Waiting> {
        let mut state = self.state();
        state.bytes = 0;
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

/// About what an event takes in memory: what its sender decides the length of, and some for the rest.
fn approximate_bytes(event: &Event) -> usize {
    const FIXED_BYTES: usize = 256;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let ids =
        [event.id.as_str(), event.workspace_id.as_str(), event.subscription_id.as_str(), event.delivery_id.as_str()];
    let data = match &event.data {
        EventData::DeliveryCreated(data) => description_bytes(data),
        EventData::AttemptStarted(data) => {
            let url = data.url.as_ref().map_or(0, |url| url.as_str().len());
            url + headers_bytes(data.request_headers.as_ref()) + embedded_bytes(data.delivery.as_ref())
        }
        EventData::AttemptSucceeded(data) => {
            text(&data.response_body)
                + headers_bytes(data.response_headers.as_ref())
                + embedded_bytes(data.delivery.as_ref())
        }
        EventData::AttemptFailed(data) => {
            text(&data.response_body)
                + text(&data.error)
                + headers_bytes(data.response_headers.as_ref())
                + embedded_bytes(data.delivery.as_ref())
        }
        EventData::DeliveryRetryScheduled(data) => text(&data.reason),
        EventData::DeliveryCancelled(data) => text(&data.reason),
    };
    FIXED_BYTES + ids.iter().map(|id| id.len()).sum::<usize>() + data
}

fn headers_bytes(headers: Option<&Headers>) -> usize {
    const ENTRY_BYTES: usize = 64;
    headers.map_or(0, |headers| headers.iter().map(|(name, value)| ENTRY_BYTES + name.len() + value.len()).sum())
}

fn embedded_bytes(delivery: Option<&EmbeddedDelivery>) -> usize {
    delivery.map_or(0, |delivery| description_bytes(&delivery.description))
}

fn description_bytes(data: &DeliveryDescription) -> usize {
    data.event_type.as_str().len()
        + data.payload.as_ref().map_or(0, |payload| payload.as_str().len())
        + data.url.as_ref().map_or(0, |url| url.as_str().len())
        + data.source_event_id.as_ref().map_or(0, |id| id.as_str().len())
}
