//! `replay`: views are made anew from the log, whole or not at all, and checked against it row by row.

use std::fs;

use serde_json::Value;

use crate::support::events::{at, created, failed, started, succeeded};
use crate::support::{Client, Dump, Ledger, Outcome, Program, Token, copy_folder, damage, eventually};

fn replay(ledger: &Ledger, arguments: &str) -> Outcome {
    Program::line(&format!("replay {arguments}")).arg("--data-dir").arg(ledger.data_dir()).run()
}

/// So many deliveries of two subscriptions with two attempts each, and one that waits.
fn history(deliveries: u32) -> Vec<Value> {
    let mut events = Vec::new();
    for n in 0..deliveries {
        let id = format!("whdel_{n:05}");
        let delivery = (if n % 3 == 0 { "whsub_a" } else { "whsub_b" }, id.as_str());
        let t = n * 7 % 60 * 10;
        events.extend([
            created(delivery, &at(t)),
            failed(delivery, 1, &at(t + 1), 10 + n % 100),
            if n % 2 == 0 { succeeded(delivery, 2, &at(t + 9), 7) } else { started(delivery, 2, &at(t + 9)) },
        ]);
    }
    events.push(succeeded(("whsub_a", "undescribed"), 1, &at(9), 5));
    events
}

/// A closed ledger with that history, its token and what it said.
async fn told(deliveries: u32) -> (Ledger, Token, Dump) {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    for part in history(deliveries).chunks(5_000) {
        client.must_append(&part.into()).await;
    }
    let dump = if deliveries < 100 { Dump::of(&client, "ws_1").await } else { newest(&client).await };
    server.terminate().await;
    (ledger, token, dump)
}

/// The newest page alone, of a history that is long.
async fn newest(client: &Client) -> Dump {
    let page = client.history("workspace_id=ws_1&limit=100").await.expect_status(200).json();
    Dump { rows: page["deliveries"].as_array().expect("it is a list").clone(), stats: Default::default() }
}

#[tokio::test]
async fn views_that_are_made_anew_say_the_same_and_the_check_counts_them() {
    let (ledger, token, before) = told(40).await;
    let replayed = replay(&ledger, "").expect_code(0);
    let done = "The views are made anew from 121 events; 1 deliveries wait for their description.\n";
    assert_eq!((replayed.stdout.as_str(), replayed.stderr.as_str()), (done, ""));
    let checked = replay(&ledger, "--check").expect_code(0);
    let identical = "identical: 125 rows at position 121 (41 deliveries, the stats of 2 subscriptions, 81 entries of 4";
    assert!(checked.stdout.starts_with(identical), "{}", checked.stdout);
    assert_eq!(left_beside(&ledger), ["FORMAT", "head.key", "log", "tokens.toml", "views"]);

    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

/// What lies in the ledger's folder.
fn left_beside(ledger: &Ledger) -> Vec<String> {
    let entries = fs::read_dir(ledger.data_dir()).expect("it can be listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_check_folds_first_what_the_views_lack() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&history(5).into()).await;
    client.history("workspace_id=ws_1").await.expect_status(200);
    server.terminate().await;
    let older = ledger.beside("older views");
    copy_folder(&ledger.data_dir().join("views"), &older);
    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&created(("whsub_c", "later"), &at(0))).await;
    client.history("workspace_id=ws_1").await.expect_status(200);
    server.terminate().await;
    fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    fs::rename(older, ledger.data_dir().join("views")).expect("they are on one disk");

    let checked = replay(&ledger, "--check").expect_code(0);
    assert!(checked.stdout.contains("at position 17 "), "{}", checked.stdout);
}

#[tokio::test]
async fn rows_that_differ_are_named_with_their_field_and_a_replay_mends_them() {
    let (ledger, token, before) = told(40).await;
    // A payload of another number: the row reads well, and is wrong.
    let change = |page: &[u8]| {
        let mut changed = page.to_vec();
        let payloads = page.windows(7).enumerate().filter(|(_, bytes)| bytes == b"{\"n\":1}");
        payloads.for_each(|(at, _)| changed[at + 5] = b'2');
        changed
    };
    damage::change_pages(&ledger.current_views(), damage::PAYLOADS, change);
    let checked = replay(&ledger, "--check").expect_code(1);
    let first = "workspace ws_1 subscription whsub_a delivery whdel_00000: payload.n: the views have 2, the log says 1";
    assert_eq!(checked.stdout.lines().next(), Some(first), "{}", checked.stdout);
    assert!(checked.stdout.ends_with("… and 20 more\n"), "{}", checked.stdout);
    assert!(checked.stderr.contains("the views differ from the log in 40 places"), "{}", checked.stderr);

    replay(&ledger, "").expect_code(0);
    replay(&ledger, "--check").expect_code(0);
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

#[tokio::test]
async fn rows_that_cannot_be_read_and_files_that_do_not_open_are_damage_that_a_replay_mends() {
    let (ledger, token, before) = told(10).await;
    let damages: [&dyn Fn(); 3] = [
        &|| damage::change_pages(&ledger.current_views(), damage::STATES, |_| b"nonsense".to_vec()),
        &|| damage::break_settings(&ledger.current_views()),
        &|| fs::write(ledger.data_dir().join("views/CURRENT"), "nonsense").expect("it is written"),
    ];
    for damage in damages {
        damage();
        let checked = replay(&ledger, "--check").expect_code(1);
        assert!(checked.stderr.contains("the views are damaged"), "{}", checked.stderr);
        assert!(
            checked.stderr.contains("makes them anew") && !checked.stderr.contains("panicked"),
            "{}",
            checked.stderr
        );
        assert_eq!(checked.stdout, "");
        replay(&ledger, "").expect_code(0);
        replay(&ledger, "--check").expect_code(0);
    }
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

#[tokio::test]
async fn a_flipped_byte_in_the_file_of_the_views_is_mended_or_told() {
    let (ledger, token, before) = told(10).await;
    damage::flip_byte_of_file(&ledger.current_views().join("db"));
    // The storage engine may say so, or quietly give up what follows: then that is folded again.
    let checked = replay(&ledger, "--check");
    match checked.code {
        Some(0) => assert!(checked.stdout.starts_with("identical: "), "{}", checked.stdout),
        _ => assert!(checked.stderr.contains("makes them anew"), "{}", checked.stderr),
    }
    assert!(!checked.stderr.contains("panicked"), "{}", checked.stderr);
    replay(&ledger, "").expect_code(0);
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

#[tokio::test]
async fn views_that_were_deleted_are_made_and_the_check_says_that_there_are_none() {
    let (ledger, token, before) = told(10).await;
    fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    let checked = replay(&ledger, "--check").expect_code(1);
    assert!(checked.stderr.contains("has no views: `hookledger replay --data-dir"), "{}", checked.stderr);
    replay(&ledger, "").expect_code(0);
    replay(&ledger, "--check").expect_code(0);
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

#[tokio::test]
async fn views_that_saw_more_than_the_log_holds_are_not_replaced() {
    let (ledger, ..) = told(10).await;
    let log = ledger.data_dir().join("log");
    fs::remove_dir_all(&log).expect("it is in a folder of its own");
    for arguments in ["", "--check"] {
        let refused = replay(&ledger, arguments).expect_code(1);
        assert!(refused.stderr.contains("has no log"), "{}", refused.stderr);
    }
    let (shorter, ..) = told(5).await;
    fs::rename(shorter.data_dir().join("log"), &log).expect("they are on one disk");
    for arguments in ["", "--check"] {
        let refused = replay(&ledger, arguments).expect_code(1);
        assert!(refused.stderr.contains("the log ends at position 16"), "{}", refused.stderr);
    }
    assert!(ledger.data_dir().join("views").exists());
}

#[tokio::test]
async fn a_damaged_log_is_named_by_position_and_leaves_the_old_views() {
    let (ledger, token, before) = told(10).await;
    let log = ledger.data_dir().join("log");
    let whole = ledger.beside("whole log");
    copy_folder(&log, &whole);
    damage::flip_byte_of_chunk(&log, 1);
    let refused = replay(&ledger, "").expect_code(1);
    assert!(refused.stderr.contains("position 1 is damaged"), "{}", refused.stderr);
    assert_eq!(left_beside(&ledger), ["FORMAT", "head.key", "log", "tokens.toml", "views"]);
    fs::remove_dir_all(&log).expect("it is in a folder of its own");
    fs::rename(whole, log).expect("they are on one disk");
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, before);
}

#[tokio::test]
async fn a_replay_that_is_interrupted_leaves_the_old_views_and_the_next_one_cleans_up() {
    let (ledger, token, before) = told(8_000).await;
    let (old, new) = (ledger.current_views(), ledger.data_dir().join("views/2"));
    let program = Program::line("replay").arg("--data-dir").arg(ledger.data_dir());
    let mut child = program.into_command().spawn().expect("it was built");
    eventually("new views are being made", async || new.join("db").exists()).await;
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("the system has kill").success());
    let status = child.wait().expect("it is our child");
    assert!(!status.success(), "it was in the middle");

    let server = ledger.serve().await;
    assert_eq!(newest(&server.client(&token)).await, before, "the old views serve");
    assert!(old.exists() && !new.exists(), "what was begun is removed");
    server.terminate().await;
    replay(&ledger, "").expect_code(0);
    assert!(!old.exists() && ledger.current_views() == new);
    let server = ledger.serve().await;
    assert_eq!(newest(&server.client(&token)).await, before);
}
