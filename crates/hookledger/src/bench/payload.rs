//! What the webhooks carry.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use serde::Serialize;

const ITEMS: usize = 3;

const NAMES: [&str; 8] = [
    "Žofie Nováková",
    "Jean-Luc Lefèvre",
    "Ólöf Þórsdóttir",
    "Maria Rossi",
    "John Smith",
    "Αθηνά Παππά",
    "Robert \"Bob\" Tables",
    "Ada Lovelace",
];

const NOTES: [&str; 4] = [
    "Please leave the parcel with the neighbours if nobody answers the door.",
    "Deliver in the afternoon, second floor on the left, ring twice.",
    "Gift: no invoice in the box, and a card that says \"congratulations\".",
    "Call before you come; the gate is closed and the dog is not friendly.",
];

/// An order of about 500 bytes.
#[derive(Debug, Serialize)]
pub(super) struct Payload {
    id: u64,
    customer: Customer,
    items: [Item; ITEMS],
    currency: &'static str,
    note: &'static str,
    /// What every platform has somewhere, and nothing compresses.
    idempotency_token: String,
}

#[derive(Debug, Serialize)]
struct Customer {
    email: String,
    name: &'static str,
    tags: [&'static str; 3],
}

#[derive(Debug, Serialize)]
struct Item {
    sku: String,
    title: &'static str,
    price_cents: u32,
    quantity: u8,
}

impl Payload {
    pub(super) fn new(rng: &mut Xoshiro256PlusPlus) -> Self {
        let items: [Item; ITEMS] = std::array::from_fn(|_| item(rng));
        let number = rng.random_range(1..1_000_000_u64);
        let customer = Customer {
            email: format!("customer{number}@example.com"),
            name: NAMES[rng.random_range(0..NAMES.len())],
            tags: ["new", "vip", "newsletter"],
        };
        Self {
            id: rng.random_range(1 << 40..1 << 42),
            customer,
            items,
            currency: "EUR",
            note: NOTES[rng.random_range(0..NOTES.len())],
            idempotency_token: format!("{:032x}", rng.random::<u128>()),
        }
    }
}

fn item(rng: &mut Xoshiro256PlusPlus) -> Item {
    let number = rng.random_range(0..100_000_u32);
    let title = ["Coffee, 250 g", "T-shirt, size M", "USB cable, 2 m"][rng.random_range(0..3)];
    Item {
        sku: format!("SKU-{number:05}"),
        title,
        price_cents: number % 9_000 + 100,
        quantity: rng.random_range(1..10),
    }
}
