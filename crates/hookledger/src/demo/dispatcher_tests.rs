//! The dispatcher against the receiver, with a ledger that keeps everything in memory.

use std::collections::BTreeMap;

use super::*;
use crate::demo::fake_ledger::{FakeLedger, Mishap};
use crate::demo::plan::{Behaviour, Form, Planned};
use crate::demo::recorder::Recorded;
use crate::demo::tally::Tally;

/// Long enough for a busy machine to answer within it, but for the endpoint that never answers.
const PATIENT: Duration = Duration::from_secs(6000);

const POLICY: Policy = Policy {
    max_attempts: 4,
    timeout: PATIENT,
    backoff: Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(4) },
    concurrency: 16,
};

struct Outcome {
    ledger: FakeLedger,
    recorded: Recorded,
    tallies: Vec<DeliveryTally>,
    plan: Plan,
    verified: u64,
}

/// Makes so many deliveries to the subscriptions that behave so.
async fn dispatch(behaviour: Behaviour, form: Form, deliveries: u32, policy: Policy, mishaps: &[Mishap]) -> Outcome {
    let mut plan = Plan::new("run", 5, 0);
    let target = |subscription: &crate::demo::plan::Subscription| {
        subscription.behaviour == behaviour && subscription.form == form
    };
    let subscription = plan.subscriptions.iter().position(target).expect("there is one");
    plan.deliveries = (1..=deliveries).map(|number| Planned { number, source_event: number, subscription }).collect();
    let clock = Arc::new(Clock::start(200));
    let receiver = Receiver::start(&plan.subscriptions, Arc::clone(&clock)).await.expect("it can listen");
    let ledger = FakeLedger::start(mishaps.iter().copied()).await;
    let (recorder, recording) = Recorder::start(ledger.client());
    let dispatcher = Dispatcher::new(plan.clone(), "ws_1", policy, clock, &receiver, recorder).expect("it can be made");
    let mut ends = Vec::new();
    let tallies = dispatcher.dispatch(|ended| ends.push(ended)).await.expect("the recorder goes on");
    let recorded = recording.await.expect("it does not panic").expect("the ledger takes all");
    assert_eq!(ends, (1..=tallies.len()).collect::<Vec<_>>());
    let received = receiver.received(&plan.subscriptions[subscription]);
    assert_eq!(received.forged, 0);
    Outcome { ledger, recorded, tallies, plan, verified: received.verified }
}

impl Outcome {
    /// The kinds of the events of each delivery.
    fn kinds(&self) -> BTreeMap<String, Vec<String>> {
        self.ledger.kinds(&self.plan.subscription(self.plan.deliveries[0]).id)
    }

    fn tally(&self) -> Tally {
        Tally::of(&self.tallies)
    }
}

#[tokio::test]
async fn a_fast_endpoint_gets_each_delivery() {
    let outcome = dispatch(Behaviour::Fast, Form::EveryStep, 20, POLICY, &[]).await;
    assert_eq!((outcome.tally().deliveries, outcome.tally().delivered), (20, 20));
    assert_eq!(outcome.tally().attempts.success_count, outcome.verified);
    for kinds in outcome.kinds().values() {
        assert_eq!(kinds[..3], ["delivery.created", "attempt.started", "attempt.succeeded"]);
    }
}

#[tokio::test]
async fn a_slow_endpoint_is_waited_for_and_measured() {
    let outcome = dispatch(Behaviour::Slow, Form::EveryStep, 5, POLICY, &[]).await;
    assert_eq!(outcome.tally().delivered, 5);
    // 4 to 12 nominal seconds, 200 times as fast.
    assert!(outcome.tally().attempts.duration_avg_ms() >= 20);
}

#[tokio::test]
async fn a_broken_endpoint_exhausts_its_attempts() {
    let outcome = dispatch(Behaviour::Broken, Form::EveryStep, 20, POLICY, &[]).await;
    assert_eq!(outcome.tally().delivered, 0);
    let mut redeliveries = 0;
    for tally in &outcome.tallies {
        let last = tally.last.as_ref().expect("it was sent");
        assert_eq!((last.status, last.error.as_deref()), (Some(500), Some("HTTP 500")));
        let kinds = &outcome.kinds()[&tally.id];
        let asked_for = kinds.iter().filter(|kind| *kind == "delivery.retry_scheduled").count();
        assert_eq!(tally.attempts as usize, 4 + asked_for);
        redeliveries += asked_for;
    }
    assert!((1..20).contains(&redeliveries), "somebody asks for a redelivery now and then, not always");
    for event in outcome.ledger.events().iter().filter(|event| event["kind"] == "attempt.failed") {
        let is_last = event["data"]["attempt"].as_u64() >= Some(4);
        assert_eq!(event["data"]["next_attempt_at"].is_null(), is_last, "{event}");
    }
}

#[tokio::test]
async fn a_busy_endpoint_is_left_alone_as_long_as_it_asks_and_then_takes_the_delivery() {
    let outcome = dispatch(Behaviour::Busy, Form::EveryStep, 5, POLICY, &[]).await;
    assert_eq!((outcome.tally().delivered, outcome.tally().attempts.failed_count), (5, 10));
    for event in outcome.ledger.events().iter().filter(|event| event["kind"] == "attempt.failed") {
        assert_eq!(event["data"]["response_headers"]["retry-after"], "20");
        let at = |moment: &serde_json::Value| {
            chrono::DateTime::parse_from_rfc3339(moment.as_str().unwrap_or_default()).expect("it is a time")
        };
        // 20 nominal seconds, 200 times as fast; the back-off alone waits for 20 ms at most.
        let wait = at(&event["data"]["next_attempt_at"]) - at(&event["occurred_at"]);
        assert_eq!(wait.num_milliseconds(), 100);
    }
}

#[tokio::test]
async fn deliveries_to_an_endpoint_that_is_gone_are_cancelled() {
    let outcome = dispatch(Behaviour::Gone, Form::EveryStep, 40, POLICY, &[]).await;
    assert!(outcome.tallies.iter().all(|tally| tally.cancelled.is_some() && tally.attempts <= 1));
    assert!(outcome.verified < 40, "nothing is sent once it is known");
    for kinds in outcome.kinds().values() {
        assert_eq!(kinds.last().map(String::as_str), Some("delivery.cancelled"));
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_fails_without_a_status() {
    let outcome = dispatch(Behaviour::Refused, Form::EveryStep, 3, POLICY, &[]).await;
    assert_eq!((outcome.tally().delivered, outcome.verified), (0, 0));
    for tally in &outcome.tallies {
        let last = tally.last.as_ref().expect("it was tried");
        assert_eq!(last.status, None);
        assert!(tally.last_error().is_some_and(|error| error.to_lowercase().contains("refused")), "{tally:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_never_answers_times_out() {
    let policy = Policy { timeout: Duration::from_secs(10), max_attempts: 2, ..POLICY };
    let outcome = dispatch(Behaviour::Silent, Form::EveryStep, 3, policy, &[]).await;
    assert_eq!(outcome.tally().delivered, 0);
    for tally in &outcome.tallies {
        assert_eq!(tally.last_error(), Some("no answer within 50 ms"));
    }
}

#[tokio::test]
async fn a_flapping_endpoint_takes_some_at_once_and_others_later() {
    let policy = Policy { max_attempts: 20, ..POLICY };
    let outcome = dispatch(Behaviour::Flapping, Form::EveryStep, 10, policy, &[]).await;
    assert_eq!(outcome.tally().delivered, 10);
    assert!(outcome.tally().attempts.failed_count > 0);
}

#[tokio::test]
async fn a_sender_of_attempts_alone_describes_the_delivery_in_each() {
    let outcome = dispatch(Behaviour::Busy, Form::AttemptsOnly, 4, POLICY, &[]).await;
    assert_eq!(outcome.tally().delivered, 4);
    for kinds in outcome.kinds().values() {
        assert_eq!(kinds[..], ["attempt.failed", "attempt.failed", "attempt.succeeded"]);
    }
    for (event, tally) in outcome.ledger.events().iter().zip(outcome.tallies.iter().cycle()) {
        let delivery = &event["data"]["delivery"];
        assert!(delivery["payload"].is_object() && delivery["created_at"].is_string(), "{event} {tally:?}");
    }
}

#[tokio::test]
async fn every_attempt_is_recorded_once_although_the_ledger_has_mishaps() {
    let mishaps = [Mishap::RequestLost, Mishap::AnswerLost, Mishap::Unavailable, Mishap::AnswerLost];
    let outcome = dispatch(Behaviour::Flapping, Form::EveryStep, 30, POLICY, &mishaps).await;
    let finishes = outcome
        .kinds()
        .values()
        .flatten()
        .filter(|kind| ["attempt.succeeded", "attempt.failed"].contains(&kind.as_str()))
        .count();
    assert_eq!(finishes as u64, outcome.tally().attempts.total());
    assert_eq!(outcome.recorded.events, outcome.ledger.events().len() as u64);
    assert!(outcome.recorded.duplicates > 0);
}
