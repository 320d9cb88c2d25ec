//! Deliveries as platforms make them, the same at every run: two workspaces 90 to 10, 500 subscriptions of which a
//! few have most deliveries, three event types, 1 to 4 attempts, payloads around 500 bytes.

use std::fmt::Write;

use ledger_event::{Completion, Event, EventDraft, EventId, Timestamp, parse_json};

const SUBSCRIPTIONS: u64 = 500;
const START_US: i64 = 1_768_471_200_000_000;

/// A small generator of numbers (SplitMix64): the same sequence for the same seed, on every machine.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Events of deliveries numbered from `first`, as JSON, an event a string.
pub(crate) fn events_as_json(first: u64, deliveries: u64) -> Vec<String> {
    let mut numbers = Numbers::new(first);
    let mut events = Vec::new();
    for delivery in first..first + deliveries {
        let workspace = if numbers.below(10) == 0 { "ws_small" } else { "ws_large" };
        // The product of two draws leans to the low numbers, as a few receivers get most events.
        let subscription = numbers.below(SUBSCRIPTIONS) * numbers.below(SUBSCRIPTIONS) / SUBSCRIPTIONS;
        let kind = ["contact.created", "invoice.paid", "order.shipped"][(delivery % 3) as usize];
        let around = format!(
            r#""workspace_id":"{workspace}","subscription_id":"whsub_{subscription}","delivery_id":"whdel_{delivery:012}""#
        );
        let at = |step: i64| moment(i64::try_from(delivery).expect("it is small") * 1_000 + step);
        events.push(format!(
            r#"{{"id":"c{delivery}","kind":"delivery.created",{around},"occurred_at":"{}","data":{{"event_type":"{kind}","payload":{}}}}}"#,
            at(0),
            payload(&mut numbers, delivery)
        ));
        let attempts = 1 + numbers.below(4);
        for attempt in 1..=attempts {
            let (duration, when) = (20 + numbers.below(400), at(i64::try_from(attempt).expect("it is small") * 100));
            let (kind, outcome) = match attempt == attempts {
                true => ("attempt.succeeded", r#""response_status":200,"response_body":"{\"received\":true}""#),
                false => ("attempt.failed", r#""response_status":503,"error":"HTTP 503","response_body":"busy""#),
            };
            events.push(format!(
                r#"{{"id":"a{delivery}-{attempt}","kind":"{kind}",{around},"occurred_at":"{when}","data":{{"attempt":{attempt},"duration_ms":{duration},{outcome}}}}}"#
            ));
        }
    }
    events
}

/// The same, as events.
pub(crate) fn events(first: u64, deliveries: u64) -> Vec<Event> {
    let received_at = Timestamp::parse("2027-01-01T00:00:00Z").expect("it is a time");
    let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 1024 };
    let parse = |json: &String| {
        let draft: EventDraft = parse_json(json.as_bytes()).expect("it is an event");
        draft.complete(&completion, || EventId::parse("none").expect("it is an id")).expect("it is complete").event
    };
    events_as_json(first, deliveries).iter().map(parse).collect()
}

fn moment(offset_ms: i64) -> Timestamp {
    Timestamp::from_micros(START_US + offset_ms * 1_000).expect("it is this century")
}

fn payload(numbers: &mut Numbers, delivery: u64) -> String {
    let mut items = String::new();
    for item in 0..4 {
        let comma = if item == 0 { "" } else { "," };
        let (price, quantity) = (numbers.below(100_000), 1 + numbers.below(9));
        write!(
            items,
            r#"{comma}{{"sku":"SKU-{price:05}","price":{}.{:02},"quantity":{quantity}}}"#,
            price / 100,
            price % 100
        )
        .expect("memory takes any text");
    }
    format!(
        r#"{{"id":{delivery},"customer":{{"email":"customer{}@example.com","name":"Žofie Nováková","tags":["new","vip","newsletter"]}},"items":[{items}],"currency":"EUR","note":"Please leave the parcel with the neighbours if nobody answers the door."}}"#,
        numbers.below(10_000)
    )
}
