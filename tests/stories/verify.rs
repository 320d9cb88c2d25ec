//! `verify`: a log that is whole says so and can be proved again later; a log that is not is named by position.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::events::{at, created, succeeded};
use crate::support::{Ledger, Outcome, Program, damage, serve_workspace};

fn verify(ledger: &Ledger) -> Outcome {
    verify_with(ledger, "")
}

fn verify_with(ledger: &Ledger, arguments: &str) -> Outcome {
    Program::line(&format!("verify {arguments}")).arg("--data-dir").arg(ledger.data_dir()).run()
}

/// A closed ledger whose chunks are of positions 1 to 2, 3 to 4, 5 to 6.
async fn three_chunks() -> Ledger {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    for name in ["a", "b", "c"] {
        let delivery = ("whsub_1", name);
        client.must_append(&json!([created(delivery, &at(0)), succeeded(delivery, 1, &at(1), 5)])).await;
    }
    client.history("workspace_id=ws_1").await.expect_status(200);
    server.terminate().await;
    ledger
}

/// The head that `verify` printed.
fn head(verified: &Outcome) -> String {
    let line = verified.stdout.lines().find_map(|line| line.strip_prefix("head"));
    line.unwrap_or_else(|| panic!("it prints a head:\n{}", verified.stdout)).trim().to_owned()
}

/// It fails with a plain sentence: nothing of a panic, and nothing on standard output.
#[track_caller]
fn expect_damage(outcome: Outcome, words: &[&str]) {
    let outcome = outcome.expect_code(1);
    assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.lines().count() == 1, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    for word in words {
        assert!(outcome.stderr.contains(word), "{word} is missing: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_whole_log_prints_its_events_and_its_head() {
    let ledger = three_chunks().await;
    let verified = verify(&ledger).expect_code(0);
    for line in ["events    6", "chunks    3", "views     at position 6, of this log", "The log is whole."] {
        assert!(verified.stdout.lines().any(|found| found == line), "{line}: {}", verified.stdout);
    }
    assert!(head(&verified).starts_with("6:"), "{}", verified.stdout);
    assert_eq!(verified.stderr, "", "no bar where there is no terminal");
}

#[tokio::test]
async fn a_new_ledger_is_whole_and_is_left_as_it_is() {
    let ledger = Ledger::new();
    ledger.workspace_token("ws_1");
    let verified = verify(&ledger).expect_code(0);
    assert!(verified.stdout.contains("events    0\n"), "{}", verified.stdout);
    assert!(!ledger.data_dir().join("log").exists(), "nothing was made");
}

#[tokio::test]
async fn a_head_that_was_kept_proves_later_that_nothing_was_lost_or_changed() {
    let ledger = three_chunks().await;
    let kept = head(&verify(&ledger).expect_code(0));
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&created(("whsub_1", "d"), &at(9))).await;
    server.terminate().await;

    let proved = verify_with(&ledger, &format!("--head {kept}")).expect_code(0);
    assert!(proved.stdout.contains("The log holds everything up to position 6, unchanged."), "{}", proved.stdout);
    assert!(head(&proved).starts_with("7:"), "{}", proved.stdout);

    let hash = kept.split_once(':').expect("a head has a colon").1;
    let refusals = [
        (format!("6:{}", "0".repeat(64)), "another chunk ends at position 6"),
        (format!("5:{hash}"), "no chunk ends at position 5"),
        (format!("8:{hash}"), "the log ends at position 7, before 8"),
    ];
    for (head, words) in refusals {
        expect_damage(verify_with(&ledger, &format!("--head {head}")), &[words]);
    }
    let misspelt = verify_with(&ledger, "--head 6:abc").expect_code(2);
    assert!(misspelt.stderr.contains("64 hexadecimal digits"), "{}", misspelt.stderr);
}

#[tokio::test]
async fn a_byte_that_is_flipped_beneath_the_checksums_of_the_storage_engine_is_named_by_position() {
    let ledger = three_chunks().await;
    damage::flip_byte_of_chunk(&ledger.data_dir().join("log"), 3);
    expect_damage(verify(&ledger), &["the chunk at position 3 is damaged", "checksum"]);
}

#[tokio::test]
async fn a_chunk_that_is_missing_is_named_by_position() {
    let ledger = three_chunks().await;
    damage::remove_chunk(&ledger.data_dir().join("log"), 1);
    expect_damage(verify(&ledger), &["position 1 is damaged", "no chunk holds that position"]);
}

#[tokio::test]
async fn a_byte_that_is_flipped_in_the_file_of_the_log_fails_with_a_plain_sentence() {
    let ledger = three_chunks().await;
    let log = ledger.data_dir().join("log");
    // What follows the byte is in the journal too, until it turns over.
    damage::remove_journal(&log);
    damage::flip_byte_of_file(&log.join("db"));
    let verified = verify(&ledger);
    // The storage engine may say so, or quietly give up what follows: then the note beside its files is the witness.
    let words = if verified.stderr.contains("corrupted") { "corrupted" } else { "the log was seen up to position 6" };
    expect_damage(verified, &[&log.display().to_string(), words]);
}

#[tokio::test]
async fn what_the_storage_engine_gives_up_over_a_flipped_byte_comes_back_from_the_journal() {
    let ledger = three_chunks().await;
    let whole = verify(&ledger).expect_code(0).stdout;
    let log = ledger.data_dir().join("log");
    damage::flip_byte_of_file(&log.join("db"));
    let verified = verify(&ledger);
    // Where the storage engine refuses to open at all, it says so.
    match verified.code {
        Some(0) => assert_eq!(verified.stdout, whole),
        _ => expect_damage(verified, &[&log.display().to_string(), "corrupted"]),
    }
}

#[tokio::test]
async fn a_log_that_was_emptied_under_its_views_is_damaged() {
    let ledger = three_chunks().await;
    let log = ledger.data_dir().join("log");
    fs::remove_dir_all(&log).expect("it is in a folder of its own");
    let lost = ["the log ends at position 0", "the views have folded it up to 6", "it has lost events"];
    expect_damage(verify(&ledger), &lost);
    assert!(!log.exists(), "nothing was made in its place");
    fs::create_dir(&log).expect("it is gone");
    expect_damage(verify(&ledger), &lost);
}

#[tokio::test]
async fn a_log_of_another_ledger_under_the_views_is_damaged() {
    let (ledger, other) = (three_chunks().await, three_chunks().await);
    let log = |ledger: &Ledger| ledger.data_dir().join("log");
    fs::remove_dir_all(log(&ledger)).expect("it is in a folder of its own");
    fs::rename(log(&other), log(&ledger)).expect("they are on one disk");
    expect_damage(verify(&ledger), &["position 5 is not the one that the views were folded from"]);
}

#[tokio::test]
async fn views_that_do_not_open_are_told_and_do_not_make_the_log_less_whole() {
    let ledger = three_chunks().await;
    damage::break_settings(&ledger.current_views());
    let verified = verify(&ledger).expect_code(0);
    let views = "views     cannot be opened, `hookledger replay` makes them anew";
    assert!(verified.stdout.contains(views) && verified.stdout.contains("The log is whole."), "{}", verified.stdout);
    assert_eq!(verified.stderr, "");
}

#[tokio::test]
async fn a_folder_that_a_server_has_open_is_refused() {
    let (ledger, server, _client) = serve_workspace("ws_1").await;
    for command in ["verify", "replay", "replay --check", "status"] {
        let refused = Program::line(command).arg("--data-dir").arg(ledger.data_dir()).run();
        expect_damage(refused, &["is in use by a running server: stop it"]);
    }
    server.terminate().await;
}

#[test]
fn a_folder_that_holds_no_ledger_is_refused() {
    let ledger = Ledger::new();
    expect_damage(verify(&ledger), &["holds no ledger"]);
    assert!(!Path::new(&ledger.data_dir()).exists());
}
