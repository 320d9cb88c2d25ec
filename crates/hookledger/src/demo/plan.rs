//! What a run is going to do: its subscriptions, and which source event is delivered to whom.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// Bytes of a subscription's signing secret: Standard Webhooks asks for 24 to 64.
const SECRET_BYTES: usize = 32;

/// The most subscriptions one source event goes to, after the first, which goes to all.
const FAN_OUT_MAX: usize = 3;

/// How a receiver's endpoint behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 200 at once.
    Fast,
    /// 200 after a while.
    Slow,
    /// Two bad requests, two good ones, and so on.
    Flapping,
    /// 503 with `Retry-After` to the first tries of a delivery, then 200.
    Busy,
    /// 500 to everything.
    Broken,
    /// 410: the receiver wants nothing more.
    Gone,
    /// Takes the request and never answers.
    Silent,
    /// Nobody listens there.
    Refused,
}

/// What a sender records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `delivery.created`, then `attempt.started` and its end for each attempt.
    EveryStep,
    /// Only the end of each attempt, with `data.delivery` inside.
    AttemptsOnly,
}

/// A configured receiver.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    /// `whsub_…`, with the run in it.
    pub(crate) id: String,
    /// Its name in reports.
    pub(crate) name: &'static str,
    /// How its endpoint behaves.
    pub(crate) behaviour: Behaviour,
    /// What is recorded about it.
    pub(crate) form: Form,
    /// What its requests are signed with.
    pub(crate) secret: Vec<u8>,
}

/// The subscriptions, the one with the most deliveries first.
const SUBSCRIPTIONS: [(&str, Behaviour, Form); 12] = [
    ("fast", Behaviour::Fast, Form::EveryStep),
    ("slow", Behaviour::Slow, Form::EveryStep),
    ("flapping", Behaviour::Flapping, Form::EveryStep),
    ("fast_attempts_only", Behaviour::Fast, Form::AttemptsOnly),
    ("busy", Behaviour::Busy, Form::EveryStep),
    ("broken", Behaviour::Broken, Form::EveryStep),
    ("flapping_attempts_only", Behaviour::Flapping, Form::AttemptsOnly),
    ("gone", Behaviour::Gone, Form::EveryStep),
    ("busy_attempts_only", Behaviour::Busy, Form::AttemptsOnly),
    ("silent", Behaviour::Silent, Form::EveryStep),
    ("refused", Behaviour::Refused, Form::EveryStep),
    ("slow_attempts_only", Behaviour::Slow, Form::AttemptsOnly),
];

/// One delivery to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its number in the run, from 1.
    pub(crate) number: u32,
    /// The number of the source event, from 1.
    pub(crate) source_event: u32,
    /// Which of the plan's subscriptions it goes to.
    pub(crate) subscription: usize,
}

/// A run: everything in it follows from the seed, but for the ids, which also carry the run's own.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What tells the ids of this run from those of others.
    pub(crate) run_id: String,
    /// What the random choices start from.
    pub(crate) seed: u64,
    /// The receivers.
    pub(crate) subscriptions: Vec<Subscription>,
    /// The deliveries, in the order they are created in.
    pub(crate) deliveries: Vec<Planned>,
}

impl Plan {
    /// Plans so many deliveries.
    ///
    /// The first source event goes to every subscription, the others to one to three of them, which are chosen by
    /// Zipf's law: the second subscription gets half of what the first gets, the third a third, and so on.
    pub(crate) fn new(run_id: &str, seed: u64, deliveries: u32) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let subscriptions: Vec<_> = SUBSCRIPTIONS.into_iter().map(|row| subscription(run_id, row, &mut rng)).collect();
        let mut plan = Self { run_id: run_id.to_owned(), seed, subscriptions, deliveries: Vec::new() };
        let mut source_event = 1;
        let mut targets: Vec<usize> = (0..plan.subscriptions.len()).collect();
        for number in 1..=deliveries {
            if targets.is_empty() {
                source_event += 1;
                targets = some_targets(plan.subscriptions.len(), &mut rng);
            }
            let subscription = targets.remove(0);
            plan.deliveries.push(Planned { number, source_event, subscription });
        }
        plan
    }

    /// The id of a delivery.
    pub(crate) fn delivery_id(&self, planned: Planned) -> String {
        format!("whdel_{}_{:06}", self.run_id, planned.number)
    }

    /// The id of the event that a delivery is made from.
    pub(crate) fn source_event_id(&self, planned: Planned) -> String {
        format!("evt_{}_{:06}", self.run_id, planned.source_event)
    }

    /// The subscription that a delivery goes to.
    pub(crate) fn subscription(&self, planned: Planned) -> &Subscription {
        &self.subscriptions[planned.subscription]
    }
}

fn subscription(
    run_id: &str,
    (name, behaviour, form): (&'static str, Behaviour, Form),
    rng: &mut Xoshiro256PlusPlus,
) -> Subscription {
    let secret: [u8; SECRET_BYTES] = rng.random();
    Subscription { id: format!("whsub_{run_id}_{name}"), name, behaviour, form, secret: secret.to_vec() }
}

/// One to three different subscriptions.
fn some_targets(subscriptions: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    let mut targets = Vec::new();
    for _ in 0..rng.random_range(1..=FAN_OUT_MAX) {
        let target = zipf(subscriptions, rng);
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

/// A number below `count`, with a probability in proportion to 1 / (number + 1).
fn zipf(count: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
    let weights = (0..count).map(|number| 1.0 / (number as f64 + 1.0));
    let mut left = rng.random_range(0.0..1.0) * weights.clone().sum::<f64>();
    for (number, weight) in weights.enumerate() {
        if left < weight {
            return number;
        }
        left -= weight;
    }
    count - 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_subscription_gets_a_delivery_and_the_first_the_most() {
        let plan = Plan::new("run", 1, 1000);
        let count = |index| plan.deliveries.iter().filter(|planned| planned.subscription == index).count();
        let counts: Vec<_> = (0..plan.subscriptions.len()).map(count).collect();
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        assert_eq!(counts.iter().max(), counts.first(), "{counts:?}");
        assert_eq!(counts.iter().sum::<usize>(), 1000);
    }

    #[test]
    fn a_source_event_goes_to_a_subscription_once() {
        let plan = Plan::new("run", 2, 1000);
        let pairs: HashSet<_> =
            plan.deliveries.iter().map(|planned| (planned.source_event, planned.subscription)).collect();
        assert_eq!(pairs.len(), 1000);
        let numbers: Vec<_> = plan.deliveries.iter().map(|planned| planned.number).collect();
        assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_seed_gives_one_plan_and_two_runs_share_no_id() {
        let (first, second) = (Plan::new("a", 3, 50), Plan::new("b", 3, 50));
        assert_eq!(first.deliveries, second.deliveries);
        assert_ne!(first.deliveries, Plan::new("a", 4, 50).deliveries);
        for planned in first.deliveries.iter().copied() {
            assert_ne!(first.delivery_id(planned), second.delivery_id(planned));
            assert_ne!(first.subscription(planned).id, second.subscription(planned).id);
        }
    }
}
