//! Any file of a log, cut or changed anywhere: what comes of it is said, and the log is never quietly another one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::events::{at, created, succeeded};
use crate::support::{Ledger, Outcome, Program, copy_folder, serve_workspace};

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
