//! Lines, gathered into batches that are appended whole.

use std::fmt;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::mpsc;

use super::input::{Input, InputBytes, Lines};
use super::prepare::{Prepared, Rules};
use crate::client::Refusal;

/// Events that are appended together: of one input, in the order of its lines.
#[derive(Debug)]
pub(super) struct Batch {
    input: Arc<str>,
    /// The line of each event.
    lines: Vec<u64>,
    /// The events.
    pub(super) events: Vec<Prepared>,
    /// How many bytes of all inputs were read when it was whole.
    pub(super) bytes_read: u64,
    /// About what the events take, in bytes.
    size_bytes: usize,
}

/// What the reading thread hands on.
#[derive(Debug)]
pub(super) enum Read {
    /// The next events.
    Batch(Batch),
    /// It cannot go on; all events before are handed on.
    Failed(anyhow::Error),
}

/// How large a batch becomes at most, unless a single event is larger.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchBounds {
    pub(super) max_events: usize,
    pub(super) max_bytes: usize,
}

/// An event of a batch was refused, by its index in it.
#[derive(Debug)]
pub(super) struct RefusedEvent {
    pub(super) index: usize,
    pub(super) why: String,
}

/// The reading side: it goes through all inputs in a thread of its own.
pub(super) struct Feed {
    inputs: Vec<Input>,
    rules: Rules,
    counted: Arc<InputBytes>,
    to: mpsc::Sender<Read>,
}

/// Nobody takes batches any more.
struct Unheard;

impl Feed {
    /// The reading side, and where its batches come out.
    pub(super) fn new(
        inputs: Vec<Input>,
        rules: Rules,
        counted: Arc<InputBytes>,
        ahead: usize,
    ) -> (Self, mpsc::Receiver<Read>) {
        let (to, batches) = mpsc::channel(ahead);
        (Self { inputs, rules, counted, to }, batches)
    }

    /// Reads all inputs to their end, or to the first line that is no event.
    pub(super) fn run(self) {
        for input in &self.inputs {
            let read = match input.open(&self.counted) {
                Ok(lines) => self.read(input, lines),
                Err(error) => self.hand_on(Read::Failed(error)).and(Err(Unheard)),
            };
            if read.is_err() {
                return;
            }
        }
    }

    /// Reads one input; it ends early when a line is bad or nobody listens.
    fn read(&self, input: &Input, mut lines: Lines) -> Result<(), Unheard> {
        let bounds = self.rules.batch_bounds();
        let mut batch = Batch::of(input);
        loop {
            let next = lines.next(&self.counted).map(|line| line.map(|line| (line.len(), self.rules.prepare(line))));
            let failure = match next {
                Ok(Some((size_bytes, Ok(event)))) => {
                    let is_full = batch.events.len() >= bounds.max_events
                        || batch.size_bytes + size_bytes > bounds.max_bytes && !batch.events.is_empty();
                    if is_full {
                        self.hand_on_batch(&mut batch, input)?;
                    }
                    batch.events.push(event);
                    batch.lines.push(lines.number);
                    batch.size_bytes += size_bytes;
                    continue;
                }
                Ok(None) => return self.hand_on_batch(&mut batch, input),
                Ok(Some((_, Err(problem)))) if lines.is_ended => problem,
                Ok(Some((_, Err(problem)))) => format!("{problem} (the input ends within this line: it was cut off)"),
                Err(error) => format!("{error:#}"),
            };
            self.hand_on_batch(&mut batch, input)?;
            self.hand_on(Read::Failed(anyhow!("{}, line {}: {failure}", input.name, lines.number)))?;
            return Err(Unheard);
        }
    }

    fn hand_on_batch(&self, batch: &mut Batch, input: &Input) -> Result<(), Unheard> {
        let mut whole = std::mem::replace(batch, Batch::of(input));
        if whole.events.is_empty() {
            return Ok(());
        }
        whole.bytes_read = self.counted.bytes();
        self.hand_on(Read::Batch(whole))
    }

    fn hand_on(&self, read: Read) -> Result<(), Unheard> {
        self.to.blocking_send(read).map_err(|_| Unheard)
    }
}

impl Batch {
    fn of(input: &Input) -> Self {
        Self { input: Arc::clone(&input.name), lines: Vec::new(), events: Vec::new(), bytes_read: 0, size_bytes: 0 }
    }

    /// Says of which lines an error is.
    pub(super) fn blame(&self, error: anyhow::Error) -> anyhow::Error {
        let (first, last) = (self.lines.first().copied().unwrap_or(0), self.lines.last().copied().unwrap_or(0));
        let index = match (error.downcast_ref::<RefusedEvent>(), error.downcast_ref::<Refusal>()) {
            (Some(refused), _) => Some(refused.index),
            (None, refusal) => refusal.and_then(|refusal| refusal.index),
        };
        match index.and_then(|index| self.lines.get(index)) {
            Some(line) => anyhow!(
                "{}, line {line}: {error:#} (it was sent with lines {first} to {last}, of which nothing was appended)",
                self.input
            ),
            None => error.context(format!("{}, lines {first} to {last}", self.input)),
        }
    }
}

impl fmt::Display for RefusedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for RefusedEvent {}
