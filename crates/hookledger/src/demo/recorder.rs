//! How a sender of webhooks reports to the ledger: the part to copy into a dispatcher of your own.
//!
//! - Sending never waits for the ledger: events go into a bounded queue, and one task sends what waits, as many
//!   events at once as there are. An idle ledger gets small requests at once, a busy one gets large requests.
//! - An answer that does not come, or says 429 or 5xx, is no loss: the same events go again, with the same ids, until
//!   the ledger says that it has them. It keeps each once, so nobody has to know which of them arrived.
//! - Any other answer is a mistake in the program (the ledger says which event and why) or in its token. Trying again
//!   would not help, so the recorder ends and says so.
//! - A full queue makes the sender wait: the ledger may be away for a while, not for ever. A dispatcher that must not
//!   lose an event when it is itself killed keeps events in its own database and deletes them after `Stored`.

use anyhow::ensure;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::events::Event;
use crate::client::LedgerClient;

/// The most events that wait. A sender that is faster than the ledger waits when there are so many.
const QUEUE_MAX_EVENTS: usize = 4096;

/// The most events of one request: the ledger takes 10 000, but smaller ones are answered sooner.
const REQUEST_MAX_EVENTS: usize = 500;

/// The most bytes of one request, unless a single event is larger: half of what the ledger takes.
const REQUEST_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Takes events for the ledger. Clones feed the same queue; when the last one is dropped the queue is sent to its end.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Vec<u8>>,
}

/// The recorder has ended before its time; its task says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecorderEnded;

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Events that the ledger has because of us.
    pub(crate) events: u64,
    /// Of these, the ones that it had already when they were sent for the last time.
    pub(crate) duplicates: u64,
    /// Requests that the ledger accepted.
    pub(crate) requests: u64,
    /// Requests that had to be sent again.
    pub(crate) retries: u64,
    /// The highest `Ledger-Position` of its answers: a reader that names it sees all of them.
    pub(crate) position: u64,
}

impl Recorder {
    /// Starts the task that sends. It returns when all recorders are dropped, or when the ledger refuses.
    pub(crate) fn start(ledger: LedgerClient) -> (Self, JoinHandle<anyhow::Result<Recorded>>) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX_EVENTS);
        (Self { queue }, tokio::spawn(send_all(ledger, waiting)))
    }

    /// Takes one event; waits while the queue is full.
    pub(crate) async fn record(&self, event: &Event<'_>) -> Result<(), RecorderEnded> {
        let mut line = serde_json::to_vec(event).expect("an event has only string keys and finite numbers");
        line.push(b'\n');
        self.queue.send(line).await.map_err(|_| RecorderEnded)
    }
}

/// Sends until the queue is closed and empty.
async fn send_all(ledger: LedgerClient, mut waiting: mpsc::Receiver<Vec<u8>>) -> anyhow::Result<Recorded> {
    let mut recorded = Recorded::default();
    let mut lines = Vec::with_capacity(REQUEST_MAX_EVENTS);
    while waiting.recv_many(&mut lines, REQUEST_MAX_EVENTS).await > 0 {
        for request in requests(lines.drain(..)) {
            let answer = ledger.append_all(&request.body).await?;
            ensure!(
                answer.appended + answer.duplicates == request.events,
                "the ledger counted {} new and {} known events where {} were sent",
                answer.appended,
                answer.duplicates,
                request.events,
            );
            recorded.events += request.events;
            recorded.duplicates += answer.duplicates;
            recorded.requests += 1;
            recorded.retries += answer.retries;
            recorded.position = recorded.position.max(answer.position);
        }
    }
    Ok(recorded)
}

struct Request {
    body: Vec<u8>,
    events: u64,
}

/// Puts lines together to requests within [`REQUEST_MAX_BYTES`].
fn requests(lines: impl Iterator<Item = Vec<u8>>) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    for line in lines {
        match requests.last_mut() {
            Some(request) if request.body.len() + line.len() <= REQUEST_MAX_BYTES => {
                request.body.extend_from_slice(&line);
                request.events += 1;
            }
            Some(_) | None => requests.push(Request { body: line, events: 1 }),
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::demo::clock::{Clock, Moment};
    use crate::demo::events::Fact;
    use crate::demo::fake_ledger::{FakeLedger, Mishap};

    fn event(number: usize, occurred_at: Moment) -> Event<'static> {
        Event {
            id: format!("id_{number:05}"),
            workspace_id: "ws_1",
            subscription_id: "whsub_1",
            delivery_id: "whdel_1",
            occurred_at,
            fact: Fact::DeliveryCancelled { reason: "r" },
        }
    }

    /// Records so many events and closes the queue.
    async fn record(ledger: &FakeLedger, events: usize) -> anyhow::Result<Recorded> {
        let clock = Clock::start(1);
        let (recorder, recording) = Recorder::start(ledger.client());
        for number in 0..events {
            if recorder.record(&event(number, clock.now())).await.is_err() {
                break;
            }
        }
        drop(recorder);
        recording.await.expect("it does not panic")
    }

    fn ids(ledger: &FakeLedger) -> Vec<String> {
        ledger.events().iter().map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[tokio::test]
    async fn events_arrive_once_in_order_and_many_at_a_time() {
        let ledger = FakeLedger::start([]).await;
        let recorded = record(&ledger, 6000).await.expect("the ledger takes them");
        assert_eq!(ids(&ledger), (0..6000).map(|number| format!("id_{number:05}")).collect::<Vec<_>>());
        assert_eq!((recorded.events, recorded.duplicates, recorded.position), (6000, 0, 6000));
        assert!(ledger.largest_request() <= REQUEST_MAX_EVENTS);
        assert!(recorded.requests < 6000, "{} requests", recorded.requests);
    }

    #[tokio::test]
    async fn nothing_is_lost_or_doubled_while_the_ledger_is_busy_or_connections_break() {
        let mishaps = [Mishap::Unavailable, Mishap::AnswerLost, Mishap::RequestLost, Mishap::AnswerLost];
        let ledger = FakeLedger::start(mishaps).await;
        let recorded = record(&ledger, 1000).await.expect("the ledger comes back");
        assert_eq!(ids(&ledger), (0..1000).map(|number| format!("id_{number:05}")).collect::<Vec<_>>());
        assert_eq!((recorded.events, recorded.retries), (1000, 4));
        assert!(recorded.duplicates > 0, "a lost answer makes the same events come again");
    }

    #[tokio::test]
    async fn a_refusal_ends_the_recorder_with_the_words_of_the_ledger() {
        let ledger = FakeLedger::start([]).await;
        ledger.refuse(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": "event 3: data.attempt is missing" }));
        let error = record(&ledger, 10_000).await.expect_err("the ledger refuses");
        assert!(format!("{error:#}").contains("event 3: data.attempt is missing"), "{error:#}");
        ledger.refuse(StatusCode::UNAUTHORIZED, json!({ "detail": "no such token" }));
        let error = record(&ledger, 1).await.expect_err("the ledger refuses");
        assert!(format!("{error:#}").contains("hookledger token create"), "{error:#}");
    }

    #[test]
    fn a_request_is_bounded_in_bytes_and_a_larger_event_goes_alone() {
        let line = |bytes| vec![b'x'; bytes];
        let lines = [line(1), line(REQUEST_MAX_BYTES - 1), line(1), line(REQUEST_MAX_BYTES + 1), line(2), line(3)];
        let requests = requests(lines.into_iter());
        let sizes: Vec<_> = requests.iter().map(|request| (request.events, request.body.len())).collect();
        assert_eq!(sizes, [(2, REQUEST_MAX_BYTES), (1, 1), (1, REQUEST_MAX_BYTES + 1), (2, 5)]);
    }
}
