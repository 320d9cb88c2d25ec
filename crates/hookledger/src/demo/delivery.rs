//! One delivery, from its creation to its end, and what is recorded on the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::attempt::{self, Answer, Exchange};
use super::clock::Moment;
use super::dispatcher::{Dispatcher, Endpoint};
use super::events::{Description, Event, Fact, Finish, Headers};
use super::payloads::Message;
use super::plan::{Form, Planned};
use super::recorder::RecorderEnded;
use super::tally::{DeliveryTally, Finished};
use crate::client::retry_after;

/// How likely somebody asks for a redelivery of what failed for good, and of what was delivered.
const REDELIVERY_OF_FAILED: f64 = 0.25;
const REDELIVERY_OF_DELIVERED: f64 = 0.03;

/// How long somebody takes to ask for it, and how soon it is then due, in nominal time.
const REDELIVERY_ASKED_AFTER: Duration = Duration::from_secs(20);
const REDELIVERY_DUE_AFTER: Duration = Duration::from_secs(5);

const REDELIVERY_REASON: &str = "a redelivery was asked for in the console";
const GONE_REASON: &str = "the endpoint is gone: it answered 410";

/// A delivery under way.
pub(crate) struct Delivery {
    dispatcher: Arc<Dispatcher>,
    planned: Planned,
    message: Message,
    source_event_id: String,
    tally: DeliveryTally,
    rng: Xoshiro256PlusPlus,
}

/// What comes after an attempt.
enum Next {
    /// It was accepted.
    Delivered,
    /// Another attempt at that moment.
    Retry(Moment),
    /// No further attempt: there were enough.
    Exhausted,
    /// The receiver wants nothing more.
    Gone,
}

impl Delivery {
    /// Makes a delivery: creates it, sends it until it is over, and now and then once more because somebody asks.
    pub(crate) async fn make(dispatcher: Arc<Dispatcher>, planned: Planned) -> Result<DeliveryTally, RecorderEnded> {
        let mut delivery = Self::new(dispatcher, planned);
        if delivery.form() == Form::EveryStep {
            let created_at = delivery.tally.created_at;
            let description = Description { next_attempt_at: Some(created_at), ..delivery.description(None) };
            delivery.record("created", created_at, Fact::DeliveryCreated(description)).await?;
        }
        while let Some(next_attempt_at) = delivery.attempt_or_cancel().await? {
            delivery.dispatcher.clock.wait_until(next_attempt_at).await;
        }
        if delivery.wants_redelivery() {
            delivery.redeliver().await?;
        }
        Ok(delivery.tally)
    }

    fn new(dispatcher: Arc<Dispatcher>, planned: Planned) -> Self {
        let id = dispatcher.plan.delivery_id(planned);
        let tally = DeliveryTally::created(planned, id, dispatcher.clock.now());
        Self {
            planned,
            message: dispatcher.payloads.message(planned.source_event),
            source_event_id: dispatcher.plan.source_event_id(planned),
            tally,
            rng: Xoshiro256PlusPlus::seed_from_u64(dispatcher.plan.seed.wrapping_add(planned.number.into())),
            dispatcher,
        }
    }

    /// Sends it, cancels it when its endpoint is gone, and tells when to send it again.
    async fn attempt_or_cancel(&mut self) -> Result<Option<Moment>, RecorderEnded> {
        match self.attempt(self.dispatcher.policy.max_attempts).await? {
            Next::Retry(next_attempt_at) => Ok(Some(next_attempt_at)),
            Next::Delivered | Next::Exhausted => Ok(None),
            Next::Gone => {
                self.endpoint().gone.store(true, Ordering::Relaxed);
                self.cancel().await?;
                Ok(None)
            }
        }
    }

    /// Sends it once, when it is its turn, and records how that went; nothing is sent to an endpoint that is gone.
    async fn attempt(&mut self, max_attempts: u32) -> Result<Next, RecorderEnded> {
        let dispatcher = Arc::clone(&self.dispatcher);
        let endpoint = &dispatcher.endpoints[self.planned.subscription];
        let open = "slots are never closed";
        let _of_subscription = endpoint.slots.acquire().await.expect(open);
        let _of_all = dispatcher.slots.acquire().await.expect(open);
        if endpoint.gone.load(Ordering::Relaxed) {
            return Ok(Next::Gone);
        }

        let attempt = self.tally.attempts + 1;
        let body = self.message.payload.get().to_owned();
        let headers = attempt::signed(&endpoint.signer, &self.tally.id, &body).expect("our ids are header values");
        if self.form() == Form::EveryStep {
            let request_headers = &attempt::recordable(&headers);
            let started = Fact::AttemptStarted { attempt, url: &endpoint.url, request_headers };
            self.record(&format!("attempt.{attempt}.started"), dispatcher.clock.now(), started).await?;
        }
        let timeout = dispatcher.clock.shortened(dispatcher.policy.timeout);
        let exchange = attempt::send(&dispatcher.client, &endpoint.url, headers, body, timeout).await;
        let finished_at = dispatcher.clock.now();
        let next = self.decide(&exchange, attempt, max_attempts, finished_at);
        self.record_finish(attempt, finished_at, exchange, &next).await?;
        Ok(next)
    }

    /// Decides what comes after an attempt that ended so.
    fn decide(&mut self, exchange: &Exchange, attempt: u32, max_attempts: u32, finished_at: Moment) -> Next {
        let asked = match &exchange.answer {
            Ok(answer) if accepted(answer) => return Next::Delivered,
            Ok(answer) if answer.status == StatusCode::GONE.as_u16() => return Next::Gone,
            Ok(answer) => retry_after(&answer.headers),
            Err(_) => None,
        };
        if attempt >= max_attempts {
            return Next::Exhausted;
        }
        let nominal = self.dispatcher.policy.backoff.wait(attempt, asked, &mut self.rng);
        Next::Retry(finished_at.after(self.dispatcher.clock.shortened(nominal)))
    }

    /// Records and counts the end of an attempt.
    async fn record_finish(
        &mut self,
        attempt: u32,
        finished_at: Moment,
        exchange: Exchange,
        next: &Next,
    ) -> Result<(), RecorderEnded> {
        let duration_ms = exchange.duration_ms;
        let (answer, no_answer) = match exchange.answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error)),
        };
        let refused =
            answer.as_ref().filter(|answer| !accepted(answer)).map(|answer| format!("HTTP {}", answer.status));
        let error = no_answer.or(refused);
        let response_headers: Option<Headers> = answer.as_ref().map(|answer| attempt::recordable(&answer.headers));
        let embedded = self.form() == Form::AttemptsOnly;
        let finish = Finish {
            attempt,
            duration_ms,
            response_status: answer.as_ref().map(|answer| answer.status),
            response_headers: response_headers.as_ref(),
            response_body: answer.as_ref().map(|answer| answer.body.as_str()),
            error: error.as_deref(),
            next_attempt_at: if let Next::Retry(moment) = next { Some(*moment) } else { None },
            delivery: embedded.then(|| self.description(Some(self.tally.created_at))),
        };
        let (ended, fact) = match error {
            None => ("succeeded", Fact::AttemptSucceeded(finish)),
            Some(_) => ("failed", Fact::AttemptFailed(finish)),
        };
        self.record(&format!("attempt.{attempt}.{ended}"), finished_at, fact).await?;
        let (status, body) = answer.map(|answer| (answer.status, answer.body)).unzip();
        self.tally.finished(Finished { at: finished_at, duration_ms, status, body, error });
        Ok(())
    }

    async fn cancel(&mut self) -> Result<(), RecorderEnded> {
        let cancelled = Fact::DeliveryCancelled { reason: GONE_REASON };
        self.record("cancelled", self.dispatcher.clock.now(), cancelled).await?;
        self.tally.cancelled = Some(GONE_REASON);
        Ok(())
    }

    fn wants_redelivery(&mut self) -> bool {
        if self.tally.cancelled.is_some() || self.form() == Form::AttemptsOnly {
            return false;
        }
        let delivered = self.tally.delivered_at.is_some();
        self.rng.random_bool(if delivered { REDELIVERY_OF_DELIVERED } else { REDELIVERY_OF_FAILED })
    }

    /// Sends it once more: an attempt beyond the dispatcher's own, whose failure changes nothing.
    async fn redeliver(&mut self) -> Result<(), RecorderEnded> {
        let dispatcher = Arc::clone(&self.dispatcher);
        let clock = &dispatcher.clock;
        clock.wait_until(clock.now().after(clock.shortened(REDELIVERY_ASKED_AFTER))).await;
        let asked_at = clock.now();
        let next_attempt_at = asked_at.after(clock.shortened(REDELIVERY_DUE_AFTER));
        let scheduled = Fact::DeliveryRetryScheduled { next_attempt_at, reason: REDELIVERY_REASON };
        self.record("retry_scheduled.1", asked_at, scheduled).await?;
        clock.wait_until(next_attempt_at).await;
        self.attempt(0).await?;
        Ok(())
    }

    /// Records that something happened to this delivery; `what` tells it from the delivery's other events.
    async fn record(&self, what: &str, occurred_at: Moment, fact: Fact<'_>) -> Result<(), RecorderEnded> {
        let delivery_id = &self.tally.id;
        let event = Event {
            id: format!("{delivery_id}.{what}"),
            workspace_id: &self.dispatcher.workspace,
            subscription_id: &self.dispatcher.plan.subscription(self.planned).id,
            delivery_id,
            occurred_at,
            fact,
        };
        self.dispatcher.recorder.record(&event).await
    }

    fn description(&self, created_at: Option<Moment>) -> Description<'_> {
        Description {
            created_at,
            event_type: self.message.event_type,
            payload: &self.message.payload,
            max_attempts: self.dispatcher.policy.max_attempts,
            next_attempt_at: None,
            url: &self.endpoint().url,
            source_event_id: &self.source_event_id,
        }
    }

    fn endpoint(&self) -> &Endpoint {
        &self.dispatcher.endpoints[self.planned.subscription]
    }

    fn form(&self) -> Form {
        self.dispatcher.plan.subscription(self.planned).form
    }
}

fn accepted(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}
