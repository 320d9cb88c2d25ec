//! The views while they are written: killed in the middle, and read under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::events::{at, created, failed, started, succeeded};
use crate::support::{Client, Ledger, Program, Server};

const KILLS: u32 = 30;
/// Deliveries of one request: with their payloads more than a layer of changes may take under the smallest cache.
const DELIVERIES: u32 = 120;

/// The event with a payload of so many characters.
fn with_text(mut made: Value, characters: usize) -> Value {
    made["data"]["payload"] = json!({"text": "x".repeat(characters)});
    made
}

/// A request of deliveries of several subscriptions, with late and repeated reports about those of the request before.
fn events(round: u32, number: u32) -> Value {
    let mut events = Vec::new();
    for n in 0..DELIVERIES {
        let (subscription, delivery) = (format!("whsub_{}", n % 7), format!("whdel_{round:03}_{number}_{n:03}"));
        let delivery = (subscription.as_str(), delivery.as_str());
        let made = created(delivery, &at(round * 60 + (n * 37) % 50));
        events.push(with_text(made, 2_000));
        events.push(started(delivery, 1, &at(round * 60 + 51)));
        if n % 3 > 0 {
            events.push(failed(delivery, 1, &at(round * 60 + 52), n + 1));
        }
        if let Some(before) = number.checked_sub(1) {
            let late = format!("whdel_{round:03}_{before}_{n:03}");
            events.push(succeeded((&subscription, &late), 2, &at(round * 60 + 55), 7));
        }
    }
    events.into()
}

/// A server whose views are written to the disk every few hundred events.
async fn serve(ledger: &Ledger) -> Server {
    ledger.serve_with(|program| program.env("HOOKLEDGER_VIEWS_CACHE_BYTES", "1048576")).await
}

#[tokio::test]
async fn views_of_a_server_that_is_killed_while_it_writes_them_equal_those_made_anew() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let mut requests = 0;
    for round in 0..KILLS {
        let server = serve(&ledger).await;
        let client = server.client(&token);
        for number in 0..=round % 4 {
            client.must_append(&events(round, number)).await;
            requests += 1;
        }
        // Every other time when the views show all of it and are being written, else while they are being folded.
        if round % 2 == 0 {
            let page = client.history("workspace_id=ws_1&limit=1").await.expect_status(200).json();
            assert_eq!(page["total"], u64::from(requests * DELIVERIES));
        }
        server.kill9();
        if round % 6 == 5 {
            Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
        }
    }
    let server = serve(&ledger).await;
    let page = server.client(&token).history("workspace_id=ws_1&limit=1").await.expect_status(200).json();
    assert_eq!(page["total"], u64::from(requests * DELIVERIES));
    server.terminate().await;
    Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
}

/// Reads pages until it is told to stop: each is of one commit, and none is older than the one before.
async fn read_whole_pages(reader: Client, is_over: Arc<AtomicBool>) -> u32 {
    let (mut pages, mut last) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let answer =
            reader.get("/api/webhookSubscriptions.deliveries?workspace_id=ws_1&limit=3").await.expect_status(200);
        let (position, page) = (answer.position(), answer.json());
        assert!(position >= last, "a reader is not taken back");
        last = position;
        // Each request holds one delivery of one event, made a second after the one before.
        assert_eq!(page["total"], position, "the total is that of the position");
        if let Some(newest) = page["deliveries"][0]["id"].as_str() {
            assert_eq!(newest, format!("whdel_{position:06}"), "so is the newest row");
        }
        pages += 1;
    }
    pages
}

#[tokio::test]
async fn total_rows_and_position_of_an_answer_agree_under_load() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = serve(&ledger).await;
    let client = server.client(&token);
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| tokio::spawn(read_whole_pages(Client::new(&server.url(), Some(&token.secret)), Arc::clone(&is_over))))
        .collect();
    let mut position = 0_u32;
    for size in (1..=40).cycle().take(160) {
        let made = |number: u32| {
            let id = format!("whdel_{number:06}");
            with_text(created(("whsub_1", &id), &at(number)), 1_500)
        };
        let events: Vec<Value> = (position + 1..=position + size).map(made).collect();
        client.must_append(&events.into()).await;
        position += size;
    }
    let page = client.history("workspace_id=ws_1&limit=1").await.expect_status(200).json();
    assert_eq!(page["total"], position);
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.expect("no page was torn") > 0);
    }
    server.terminate().await;
}
