//! Deliveries as platforms make them: two workspaces 90 to 10, 500 subscriptions of which a few have most deliveries,
//! three event types, 1 to 4 attempts, payloads around 500 bytes.
//!
//! Everything follows from the seed, but for the ids, which also follow from the run: the same seed gives the same
//! load again, and a ledger that has seen it takes it as new. Ids and tokens are as unpredictable as real ones, or
//! what is measured would compress better than what is.
//!
//! Events come in the order of their time: the attempts of hundreds of deliveries interleave. Waits between attempts
//! are a few hundred milliseconds where they would be minutes, so that a few thousand events hold whole lives.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::event::{Data, DeliveryId, Event, EventId, SubscriptionId};
use super::moment::MomentWriter;
use super::payload::Payload;
use super::zipf::Zipf;

/// When the first delivery is made: 2026-01-15T10:00:00Z.
const START_US: i64 = 1_768_471_200_000_000;

/// How far apart deliveries are made, at most; half of it on average.
const BETWEEN_DELIVERIES_MAX_US: i64 = 2_000;

/// How long a delivery waits for its first attempt.
const FIRST_WAIT_US: i64 = 5_000;

/// How long it waits after the first failure; after each later one twice as long.
const RETRY_WAIT_US: i64 = 200_000;

const ATTEMPTS_MAX: u8 = 4;

const EVENT_TYPES: [&str; 3] = ["contact.created", "invoice.paid", "order.shipped"];

/// The two workspaces: their names, how many subscriptions they have, and out of how many deliveries (of ten).
const LARGE: (&str, u16) = ("ws_large", 450);
const SMALL: (&str, u16) = ("ws_small", 50);
const SMALL_ONE_IN: u32 = 10;

/// Makes events, without an end.
#[derive(Debug)]
pub(crate) struct Generator {
    choices: Xoshiro256PlusPlus,
    ids: Xoshiro256PlusPlus,
    /// The workspace of all events, in the place of the two.
    workspace: Option<String>,
    large: Zipf,
    small: Zipf,
    moments: MomentWriter,
    /// When the next delivery is made.
    next_delivery_us: i64,
    /// The attempts that are to come, the next first.
    attempts: BinaryHeap<Reverse<Attempt>>,
}

/// An attempt that will have ended at that time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    ended_us: i64,
    delivery: Delivery,
    number: u8,
    duration_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Delivery {
    /// No two are made at the same time: what happens at once has an order that does not follow from the ids.
    created_us: i64,
    /// With the time it was made at, its id.
    random: u64,
    is_small: bool,
    subscription: u16,
    attempts: u8,
    /// Whether its last attempt succeeds.
    succeeds: bool,
}

impl Generator {
    /// The events of that seed, with the ids of that run of it.
    pub(crate) fn new(seed: u64, run: u64) -> Self {
        Self {
            choices: Xoshiro256PlusPlus::seed_from_u64(seed),
            // Another sequence than that of the choices, also in run 0.
            ids: Xoshiro256PlusPlus::seed_from_u64(!seed ^ run),
            workspace: None,
            large: Zipf::over(LARGE.1),
            small: Zipf::over(SMALL.1),
            moments: MomentWriter::new(),
            next_delivery_us: START_US,
            attempts: BinaryHeap::new(),
        }
    }

    /// The same, all in one workspace.
    pub(crate) fn in_workspace(mut self, workspace: Option<String>) -> Self {
        self.workspace = workspace;
        self
    }

    /// How far the time of the events has come, from the first one on.
    pub(super) fn elapsed_us(&self) -> i64 {
        self.next_delivery_us - START_US
    }

    /// The next event.
    pub(crate) fn next_event(&mut self) -> Event {
        match self.attempts.peek() {
            Some(Reverse(attempt)) if attempt.ended_us <= self.next_delivery_us => {
                let Reverse(attempt) = self.attempts.pop().expect("it was seen");
                self.end(&attempt)
            }
            Some(_) | None => self.create(),
        }
    }

    fn create(&mut self) -> Event {
        let created_us = self.next_delivery_us;
        self.next_delivery_us += self.choices.random_range(1..BETWEEN_DELIVERIES_MAX_US);
        let is_small = self.choices.random_ratio(1, SMALL_ONE_IN);
        let zipf = if is_small { &self.small } else { &self.large };
        let delivery = Delivery {
            created_us,
            random: self.ids.random(),
            is_small,
            subscription: zipf.pick(&mut self.choices),
            attempts: self.choices.random_range(1..=ATTEMPTS_MAX),
            succeeds: self.choices.random_ratio(9, 10),
        };
        self.schedule(delivery, 1, created_us + FIRST_WAIT_US);
        let payload = Box::new(Payload::new(&mut self.choices));
        let event_type = EVENT_TYPES[self.choices.random_range(0..EVENT_TYPES.len())];
        let max_attempts = ATTEMPTS_MAX;
        self.event(&delivery, created_us, Data::Created { event_type, max_attempts, payload })
    }

    fn end(&mut self, attempt: &Attempt) -> Event {
        let Attempt { ended_us, delivery, number, duration_ms } = *attempt;
        let is_last = number == delivery.attempts;
        let data = if is_last && delivery.succeeds {
            Data::succeeded(number, duration_ms, self.choices.random())
        } else if is_last {
            Data::failed(number, duration_ms, None)
        } else {
            let next_us = ended_us + (RETRY_WAIT_US << (number - 1));
            self.schedule(delivery, number + 1, next_us);
            Data::failed(number, duration_ms, Some((self.moments.text(next_us), next_us)))
        };
        self.event(&delivery, ended_us, data)
    }

    /// Most answers come soon and some late, as they do.
    fn schedule(&mut self, delivery: Delivery, number: u8, begun_us: i64) {
        let slow: f64 = self.choices.random_range(0.0..1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 20 to 420")]
        let duration_ms = (20.0 + 400.0 * slow.powi(4)) as u32;
        let ended_us = begun_us + i64::from(duration_ms) * 1_000 + self.choices.random_range(0..1_000);
        self.attempts.push(Reverse(Attempt { ended_us, delivery, number, duration_ms }));
    }

    fn event(&mut self, delivery: &Delivery, occurred_us: i64, data: Data) -> Event {
        let (name, first) = if delivery.is_small { (SMALL.0, LARGE.1) } else { (LARGE.0, 0) };
        Event {
            id: EventId(self.ids.random()),
            kind: data.kind(),
            workspace_id: self.workspace.clone().unwrap_or_else(|| name.to_owned()),
            subscription_id: SubscriptionId(first + delivery.subscription),
            delivery_id: DeliveryId::new(delivery.created_us, delivery.random),
            occurred_at: self.moments.text(occurred_us),
            occurred_us,
            data,
        }
    }
}

#[cfg(test)]
mod tests;
