//! Payloads such as platforms send, as JSON text.
//!
//! They are written as text and not through `serde_json::Value`, which would turn `12.50` into `12.5` and round
//! what is longer than a double: what a sender signs is bytes, and the check at the end compares bytes.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::value::RawValue;

use super::clock::Moment;

/// The most lines of an order or an invoice: several kB.
const LINES_MAX: usize = 40;

/// Names as they are: composed and decomposed letters, several scripts, both directions, an emoji that is several
/// code points, and what must be escaped in JSON.
const NAMES: [&str; 12] = [
    "Žofie Nováková",
    "李小龍",
    "محمد الأحمد",
    "José Ñandú",
    "Zoe\u{301} O’Brien",
    "Αθηνά Παππά",
    "Иван Петров",
    "Ólöf Þórsdóttir",
    "田中 さくら",
    "अनिका शर्मा",
    "Robert \"Bob\" Tables \\ Sons",
    "Ada 👩🏽‍🚀 Lovelace",
];

const PRODUCTS: [&str; 6] =
    ["Café crème 250 g", "Größe M – T‑Shirt", "Kabel USB‑C 2 m", "抹茶セット", "Piñata", "Tea \t& biscuits"];

/// What one source event was.
#[derive(Debug)]
pub(crate) struct Message {
    /// Such as `contact.created`.
    pub(crate) event_type: &'static str,
    /// The object that is sent, without white space outside strings.
    pub(crate) payload: Box<RawValue>,
}

/// The messages of a run: a function of the seed and the number of the source event, so that the check makes
/// them again and nobody has to remember what was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payloads {
    /// What the random choices start from.
    pub(crate) seed: u64,
    /// What the messages are dated by.
    pub(crate) started_at: Moment,
}

impl Payloads {
    /// The message of that source event.
    pub(crate) fn message(&self, source_event: u32) -> Message {
        // Neighbouring seeds give unrelated sequences: the generator mixes them.
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed ^ (u64::from(source_event) << 32));
        let (event_type, data) = match rng.random_range(0..10) {
            0..3 => ("contact.created", contact(&mut rng)),
            3..6 => ("email.delivered", email(&mut rng)),
            6..8 => ("invoice.paid", invoice(&mut rng)),
            8 => ("order.shipped", order(&mut rng)),
            _ => ("subscription.renewed", renewal(&mut rng)),
        };
        let at = self.started_at;
        let text = format!(r#"{{"type":"{event_type}","timestamp":"{at}","sequence":{source_event},"data":{data}}}"#);
        let payload = RawValue::from_string(text).expect("the templates below are JSON");
        Message { event_type, payload }
    }
}

fn contact(rng: &mut Xoshiro256PlusPlus) -> String {
    let name = quoted(pick(&NAMES, rng));
    let number = rng.random_range(1..100_000);
    // `\u00e9` and `\/` are legal ways to write é and /, and must come back as they went.
    format!(
        r#"{{"contact":{{"id":{id},"name":{name},"email":"contact+{number}@example.com","emails":[],"address":{{"street":"Rue du Caf\u00e9 {number}","city":"K\u00f8benhavn","country":"DK","geo":{{"lat":55.6760968,"lon":1.2568337E1}}}},"avatar":"https:\/\/cdn.example.com\/a\/{number}.png","custom":{{}},"tags":["vip","newsletter","2026‑Q1"],"score":0.10,"marketing_consent":true,"deleted_at":null}},"workspace":{{"plan":"pro","seats":25}}}}"#,
        id = big_id(rng),
    )
}

fn email(rng: &mut Xoshiro256PlusPlus) -> String {
    let to = quoted(pick(&NAMES, rng));
    let paragraphs: String = (0..rng.random_range(1..=LINES_MAX))
        .map(|n| format!("<p class=\"body\">{n}. Dobrý den, {} — děkujeme & na shledanou.</p>\n", pick(&NAMES, rng)))
        .collect();
    let html = quoted(&paragraphs);
    format!(
        r#"{{"message_id":"<{id}@mail.example.com>","recipient":{{"name":{to},"address":"someone@example.org"}},"campaign":{{"id":{id},"name":"Spring ☀️ sale","variant":"B"}},"opens":0,"smtp":{{"code":250,"enhanced":"2.0.0","latency_s":1.50}},"html":{html}}}"#,
        id = big_id(rng),
    )
}

fn invoice(rng: &mut Xoshiro256PlusPlus) -> String {
    let lines = lines(rng);
    format!(
        r#"{{"invoice":{{"id":{id},"number":"INV‑2026‑{number:05}","currency":"EUR","total":{total}.50,"tax":{{"rate":0.190,"amount":12.50,"included":true}},"exchange_rate":0.00001250,"balance":-0.00,"customer":{{"id":{customer},"name":{name},"vat":null}},"lines":{lines},"metadata":{{"":"empty key","nested":{{"deep":{{"er":[[],[[]],{{}}]}}}}}}}},"livemode":false}}"#,
        id = big_id(rng),
        number = rng.random_range(1..100_000),
        total = rng.random_range(10..10_000),
        customer = big_id(rng),
        name = quoted(pick(&NAMES, rng)),
    )
}

fn order(rng: &mut Xoshiro256PlusPlus) -> String {
    let lines = lines(rng);
    format!(
        r#"{{"order":{{"id":{id},"lines":{lines},"shipment":{{"carrier":"DHL","tracking":"JD0{tracking:014}","weight_kg":1.250,"to":{name}}},"notes":"Ring twice.\nLeave at the door \ud83d\ude80."}}}}"#,
        id = big_id(rng),
        tracking = rng.random_range(0..1_000_000_u64),
        name = quoted(pick(&NAMES, rng)),
    )
}

fn renewal(rng: &mut Xoshiro256PlusPlus) -> String {
    format!(
        r#"{{"subscription":{{"id":{id},"plan":"team","price":49.00,"period":{{"months":1}},"renewals":{renewals}}},"owner":{name}}}"#,
        id = big_id(rng),
        renewals = rng.random_range(1..60),
        name = quoted(pick(&NAMES, rng)),
    )
}

/// Lines of an order or an invoice.
fn lines(rng: &mut Xoshiro256PlusPlus) -> String {
    let lines: Vec<String> = (0..rng.random_range(1..=LINES_MAX))
        .map(|_| {
            format!(
                r#"{{"sku":"SKU-{sku:06}","title":{title},"quantity":{quantity},"unit_price":{price}.90,"discounts":[],"attributes":{{"colour":"červená","weight_kg":0.50}}}}"#,
                sku = rng.random_range(0..1_000_000),
                title = quoted(pick(&PRODUCTS, rng)),
                quantity = rng.random_range(1..10),
                price = rng.random_range(1..500),
            )
        })
        .collect();
    format!("[{}]", lines.join(","))
}

/// An id that no double holds: the kind that a ledger must not round.
fn big_id(rng: &mut Xoshiro256PlusPlus) -> u64 {
    rng.random_range(1 << 62..u64::MAX) | 1
}

fn pick<'a>(texts: &[&'a str], rng: &mut Xoshiro256PlusPlus) -> &'a str {
    texts[rng.random_range(0..texts.len())]
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ledger_event::JsonText;

    use super::*;
    use crate::demo::clock::Clock;

    #[test]
    fn payloads_are_objects_without_white_space_outside_strings() {
        let payloads = Payloads { seed: 1, started_at: Clock::start(1).now() };
        let messages: Vec<_> = (1..500).map(|number| payloads.message(number)).collect();
        for message in &messages {
            let text = message.payload.get();
            assert_eq!(JsonText::parse(text).expect("it is an object").as_str(), text);
        }
        let event_types: HashSet<_> = messages.iter().map(|message| message.event_type).collect();
        assert_eq!(event_types.len(), 5);
        assert!(messages.iter().any(|message| message.payload.get().len() > 4096));
        assert!(messages.iter().any(|message| message.payload.get().contains(r#""amount":12.50"#)));
    }

    #[test]
    fn a_message_is_made_again_the_same() {
        let payloads = Payloads { seed: 7, started_at: Clock::start(1).now() };
        assert_eq!(payloads.message(3).payload.get(), payloads.message(3).payload.get());
        assert_ne!(payloads.message(3).payload.get(), payloads.message(4).payload.get());
    }
}
