//! Any file of a log, cut or changed anywhere: what comes of it is said, and the log is never quietly another one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::events::{at, created, succeeded};
use crate::support::{Ledger, Outcome, Program, Running, copy_folder, serve_workspace};

/// How many places of a file are changed, and how many lengths it is cut to.
const PLACES: u64 = 12;

/// A closed ledger without views, which would tell what the log must hold; and the head that `verify` told.
async fn closed() -> (Ledger, String) {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    for name in 0..40 {
        let id = format!("whdel_{name}");
        client
            .must_append(&json!([created(("whsub_1", &id), &at(0)), succeeded(("whsub_1", &id), 1, &at(1), 5)]))
            .await;
    }
    server.terminate().await;
    fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are there");
    let head = head(&verify(&ledger).expect_code(0)).expect("it prints one");
    (ledger, head)
}

fn verify(ledger: &Ledger) -> Outcome {
    Program::line("verify").arg("--data-dir").arg(ledger.data_dir()).run()
}

fn head(outcome: &Outcome) -> Option<String> {
    let line = outcome.stdout.lines().find_map(|line| line.strip_prefix("head"))?;
    Some(line.trim().to_owned())
}

/// It is whole as it was, or says in a line what is damaged and what mends that.
fn see(outcome: &Outcome, whole: &str, what: &str) {
    match outcome.code {
        Some(0) => assert_eq!(head(outcome).as_deref(), Some(whole), "{what}"),
        Some(1) => {
            let said = &outcome.stderr;
            assert!(said.contains("hookledger restore") && said.lines().count() == 1, "{what}: {said}");
            assert!(!said.contains("thread '"), "{what}: {said}");
        }
        code => panic!("{what}: it ended with {code:?}: {}", outcome.stderr),
    }
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("it is listed").map(|entry| entry.expect("it is listed").path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// How much of a file is used: the storage engine makes room ahead.
fn used(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

/// Does that to each file of the hot tier in turn, at several places, and verifies; the tier is put back after each.
async fn sweep(what: &str, places: impl Fn(&[u8]) -> Vec<u64>, change: impl Fn(&mut Vec<u8>, u64)) {
    let (ledger, whole) = closed().await;
    let (log, kept) = (ledger.data_dir().join("log"), ledger.beside("kept"));
    copy_folder(&log, &kept);
    for file in files_in(&kept) {
        let name = file.file_name().expect("it has a name");
        let original = fs::read(&file).expect("it reads");
        for place in places(&original) {
            fs::remove_dir_all(&log).expect("it is there");
            copy_folder(&kept, &log);
            let mut bytes = original.clone();
            change(&mut bytes, place);
            fs::write(log.join(name), bytes).expect("it is written");
            see(&verify(&ledger), &whole, &format!("{} {what} at {place} of {}", name.display(), original.len()));
        }
    }
}

#[tokio::test]
async fn flipped_bytes_in_any_file_of_the_hot_tier_are_told_or_do_no_harm() {
    let places = |bytes: &[u8]| (0..PLACES).map(|n| n * used(bytes) / PLACES).collect();
    let flip = |bytes: &mut Vec<u8>, at: u64| {
        for byte in bytes.iter_mut().skip(usize::try_from(at).expect("it is a file of a test")).take(8) {
            *byte ^= 0xff;
        }
    };
    sweep("flipped", places, flip).await;
}

#[tokio::test]
async fn a_file_of_the_hot_tier_that_is_cut_anywhere_is_told_or_does_no_harm() {
    let places = |bytes: &[u8]| {
        let lengths = (0..PLACES / 2).map(|n| n * used(bytes) / (PLACES / 2));
        lengths
            .chain([used(bytes).saturating_sub(1), bytes.len() as u64 / 2, (bytes.len() as u64).saturating_sub(1)])
            .collect()
    };
    let cut = |bytes: &mut Vec<u8>, at: u64| bytes.truncate(usize::try_from(at).expect("it is a file of a test"));
    sweep("cut", places, cut).await;
}

/// A ledger that was closed once, served again and killed after another append.
async fn killed() -> Ledger {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    for name in 0..40 {
        client.must_append(&created(("whsub_1", &format!("whdel_{name}")), &at(0))).await;
    }
    server.terminate().await;
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    server.client(&token).must_append(&created(("whsub_1", "whdel_last"), &at(1))).await;
    server.kill9();
    ledger
}

fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files_in(dir).into_iter().map(|path| (path.clone(), fs::read(path).expect("it reads"))).collect()
}

/// It ends by itself, with a line that says what is damaged and what mends it.
fn see_refusal(outcome: &Outcome, what: &str) {
    let said = &outcome.stderr;
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((outcome.code, lines.len()), (Some(1), 1), "{what}: {said}");
    assert!(lines[0].starts_with("error: the log is damaged; `hookledger restore`"), "{what}: {said}");
    assert!(
        lines[0].contains("/log: ") && !said.contains("log.probed") && !said.contains("thread '"),
        "{what}: {said}"
    );
}

#[tokio::test]
async fn a_log_that_was_cut_after_a_kill_is_refused_by_the_server_and_every_tool_and_left_as_it_is() {
    let ledger = killed().await;
    let (log, kept) = (ledger.data_dir().join("log"), ledger.beside("kept"));
    copy_folder(&log, &kept);
    let db = fs::read(kept.join("db")).expect("it is there");
    for length in [100, used(&db) / 2, used(&db) - 1] {
        fs::write(log.join("db"), &db[..usize::try_from(length).expect("it is small")]).expect("it is written");
        let cut = contents(&log);
        let server = Running::start(ledger.serve_program()).outcome().await;
        see_refusal(&server, &format!("serve, cut to {length}"));
        let backup = format!("backup -o {}", ledger.beside("backup").display());
        for tool in ["status", "export", "replay", &backup, "ingest -", "checkpoint"] {
            let called = Program::line(tool).arg("--data-dir").arg(ledger.data_dir()).run();
            see_refusal(&called, &format!("{tool}, cut to {length}"));
        }
        assert_eq!(contents(&log), cut, "it is for the restore to change anything");
        assert!(!ledger.data_dir().join("log.probed").exists(), "the copy is gone");
    }
    fs::write(log.join("db"), &db).expect("it is written");
    ledger.serve().await.terminate().await;
    assert_eq!(
        verify(&ledger).expect_code(0).stdout.lines().next(),
        Some("events    41"),
        "a kill alone damages nothing"
    );
}

#[tokio::test]
async fn a_log_that_was_cut_after_a_clean_end_is_refused_as_well() {
    let (ledger, _) = closed().await;
    let log = ledger.data_dir().join("log");
    let db = fs::read(log.join("db")).expect("it is there");
    let half = usize::try_from(used(&db) / 2).expect("it is small");
    fs::write(log.join("db"), &db[..half]).expect("it is written");
    let server = Running::start(ledger.serve_program()).outcome().await;
    see_refusal(&server, "serve");
}
