//! The append, without HTTP.

use std::sync::Arc;

use ledger_event::{Completion, EventDraft, EventId, FieldError, Timestamp, WorkspaceId, limits};
use ledger_log::{Append, AppendBuilder, AppendError, Appended, EventLog};
use uuid::Uuid;

use crate::counters::Counters;

/// How events are completed.
#[derive(Clone, Copy, Debug)]
pub struct IngestOptions {
    /// Where response bodies, errors and reasons are cut, in bytes.
    pub text_cut_bytes: usize,
    /// The ledger's clock.
    pub now: fn() -> Timestamp,
}

/// The write side. Clones share the log.
#[derive(Clone)]
pub struct Ingest {
    log: Arc<dyn EventLog>,
    options: IngestOptions,
    counters: Arc<Counters>,
}

/// Why a request was refused. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It holds no events.
    #[error("the request has no events: it has 1 to {max}", max = limits::REQUEST_MAX_EVENTS)]
    NoEvents,
    /// It holds more than [`limits::REQUEST_MAX_EVENTS`] events.
    #[error("the request has {count} events: it has 1 to {max}", max = limits::REQUEST_MAX_EVENTS)]
    TooManyEvents {
        /// How many.
        count: usize,
    },
    /// A field of an event is missing, out of bounds, or not one of its kind.
    #[error("event {index}: {source}")]
    Field {
        /// Which event, from 0.
        index: usize,
        /// Which field.
        source: FieldError,
    },
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Ingest {
    /// A write side onto a log.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, options: IngestOptions) -> Self {
        Self { log, options, counters: Arc::default() }
    }

    /// Appends the events of one request: all or none.
    ///
    /// `workspace_id` is that of events that name none. The answer comes once what it speaks of survives
    /// power loss; sending a request again under the same ids is harmless.
    ///
    /// # Errors
    ///
    /// When an event is not complete, a count is out of bounds, or the log does not take it.
    pub async fn append(
        &self,
        workspace_id: Option<WorkspaceId>,
        drafts: Vec<EventDraft>,
    ) -> Result<Appended, IngestError> {
        let prepared = self.prepare(workspace_id, drafts).inspect_err(|_| self.counters.add_refused())?;
        self.append_prepared(prepared).await
    }

    /// Completes, checks and encodes the events of one request: what of an append needs a processor and no log.
    ///
    /// # Errors
    ///
    /// When an event is not complete, or a count is out of bounds. Such a request is not counted as refused yet.
    pub fn prepare(&self, workspace_id: Option<WorkspaceId>, drafts: Vec<EventDraft>) -> Result<Append, IngestError> {
        if drafts.is_empty() {
            return Err(IngestError::NoEvents);
        }
        if drafts.len() > limits::REQUEST_MAX_EVENTS {
            return Err(IngestError::TooManyEvents { count: drafts.len() });
        }
        let mut preparing = self.begin(workspace_id);
        for draft in drafts {
            preparing.push(draft)?;
        }
        preparing.finish()
    }

    /// Begins a request, whose events are completed, checked and encoded as they come.
    pub(crate) fn begin(&self, workspace_id: Option<WorkspaceId>) -> Preparing {
        let received_at = (self.options.now)();
        let completion = Completion { workspace_id, received_at, text_cut_bytes: self.options.text_cut_bytes };
        Preparing { completion, next: 0, events: AppendBuilder::default() }
    }

    /// Appends what was prepared: all or none.
    ///
    /// # Errors
    ///
    /// When the log does not take it.
    pub async fn append_prepared(&self, prepared: Append) -> Result<Appended, IngestError> {
        let result = self.log.append(prepared).await;
        match &result {
            Ok(appended) => self.counters.add(appended.appended, appended.duplicates),
            Err(_) => self.counters.add_refused(),
        }
        Ok(result?)
    }

    /// What became of events since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// A request that is being prepared.
pub(crate) struct Preparing {
    completion: Completion,
    /// The index of the next event.
    next: usize,
    events: AppendBuilder,
}

impl Preparing {
    /// Adds the next event. After an error it is of no more use.
    pub(crate) fn push(&mut self, draft: EventDraft) -> Result<(), IngestError> {
        let index = self.next;
        self.next += 1;
        let event = draft.complete(&self.completion, new_id).map_err(|source| IngestError::Field { index, source })?;
        self.events.push(event);
        Ok(())
    }

    /// The request of all that was added.
    pub(crate) fn finish(self) -> Result<Append, IngestError> {
        if self.events.is_empty() { Err(IngestError::NoEvents) } else { Ok(self.events.finish()) }
    }
}

/// The id of an event whose sender gave none.
fn new_id() -> EventId {
    EventId::parse(&Uuid::now_v7().to_string()).expect("a UUID is 36 plain bytes")
}
