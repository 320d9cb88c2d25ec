//! A restart keeps everything; views are made anew when they are gone.

use serde_json::{Value, json};

use crate::support::events::{at, created, event, failed, started, succeeded};
use crate::support::{Dump, Ledger, Server, Token};

/// Deliveries in every state, of two subscriptions, some of them out of order, one not described.
fn history() -> Vec<Value> {
    let mut events = Vec::new();
    for n in 0..60 {
        let id = format!("whdel_{n:02}");
        let delivery = (if n % 3 == 0 { "whsub_a" } else { "whsub_b" }, id.as_str());
        let (t, duration_ms) = (n * 7 % 60 * 10, 10 + n);
        let mut own = vec![created(delivery, &at(t)), started(delivery, 1, &at(t + 1))];
        match n % 5 {
            0 => own.push(succeeded(delivery, 1, &at(t + 2), duration_ms)),
            1 => own.extend([failed(delivery, 1, &at(t + 2), duration_ms), succeeded(delivery, 3, &at(t + 9), 77)]),
            2 => own.push(failed(delivery, 1, &at(t + 2), duration_ms)),
            3 => own.push(event("delivery.cancelled", delivery, &at(t + 5), json!({"reason": "paused"}))),
            _ => {}
        }
        if n % 2 == 0 {
            own.reverse();
        }
        events.extend(own);
    }
    events.push(succeeded(("whsub_a", "undescribed"), 1, &at(9), 5));
    events
}

/// A ledger with that history, its server and what it says.
async fn told() -> (Ledger, Token, Server, Dump) {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    for part in history().chunks(17) {
        client.must_append(&part.into()).await;
    }
    let dump = Dump::of(&client, "ws_1").await;
    assert_eq!(dump.rows.len(), 60);
    (ledger, token, server, dump)
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let (ledger, token, server, before) = told().await;
    server.terminate().await;
    let server = ledger.serve().await;
    let client = server.client(&token);
    assert_eq!(Dump::of(&client, "ws_1").await, before);

    let again = client.must_append(&history().into()).await.json();
    assert_eq!((&again["appended"], &again["duplicates"]), (&json!(0), &json!(history().len())), "ids are kept too");
    let next = client.must_append(&created(("whsub_a", "undescribed"), &at(0))).await.json();
    assert_eq!(next["first_position"], history().len() + 1);
    assert_eq!(Dump::of(&client, "ws_1").await.rows.len(), 61);
}

#[tokio::test]
async fn a_kill_when_nothing_is_under_way_changes_nothing() {
    let (ledger, token, server, before) = told().await;
    server.kill9();
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

#[tokio::test]
async fn views_that_were_deleted_are_rebuilt_to_the_same_answers() {
    let (ledger, token, server, before) = told().await;
    server.terminate().await;
    std::fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    let server = ledger.serve().await;
    let client = server.client(&token);
    let page = client.history("workspace_id=ws_1").await.expect_status(200);
    assert_eq!(page.position(), u64::try_from(history().len()).expect("it is small"), "ready means caught up");
    assert_eq!(Dump::of(&client, "ws_1").await, before);
}

#[tokio::test]
async fn views_that_are_ahead_of_the_log_stop_the_server_loudly() {
    let (ledger, _token, server, _) = told().await;
    server.terminate().await;
    std::fs::remove_dir_all(ledger.data_dir().join("log")).expect("it is in a folder of its own");
    let refused = ledger.serve_program().run().expect_code(1);
    for words in ["the log ends at position 0", "the views have folded it up to"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
}
