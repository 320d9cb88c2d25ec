//! The cold tier: what is sealed is archived, backed up, and enough to restore a ledger from.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::events::{at, event, succeeded};
use crate::support::{Client, Dump, Ledger, Outcome, Program, Server, Token, damage, eventually};

/// A request that takes about 100 KB of the log: larger than a segment is here.
fn request(number: u32) -> Value {
    let mut events = Vec::new();
    let mut state = u64::from(number) + 0x9e37_79b9_7f4a_7c15;
    for n in 0..5 {
        let id = format!("whdel_{number}_{n}");
        let delivery = ("whsub_1", id.as_str());
        let mut noise = String::new();
        while noise.len() < 40_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise += &format!("{state:016x}");
        }
        let data = json!({"event_type": "contact.created", "payload": {"n": n, "noise": noise}});
        events.push(event("delivery.created", delivery, &at(number), data));
        events.push(succeeded(delivery, 1, &at(number + 1), 5));
    }
    events.into()
}

/// Serves so that each request is sealed, and leaves the hot tier at once.
async fn serve(ledger: &Ledger, archive: Option<&Path>) -> Server {
    ledger
        .serve_with(|program| {
            let program = program.arg("--segment-bytes=65536").arg("--hot-log-bytes=0");
            match archive {
                Some(archive) => program.arg("--archive").arg(archive),
                None => program,
            }
        })
        .await
}

async fn wait_until(client: &Client, gauge: &str, position: u64) {
    eventually(&format!("{gauge} is {position}"), async || {
        let metrics = client.get("/metrics").await.text;
        let line =
            metrics.lines().find_map(|line| line.strip_prefix(&format!("hookledger_{gauge} ")).map(str::to_owned));
        line.is_some_and(|value| value.parse() == Ok(position))
    })
    .await;
}

/// A closed ledger of five requests, all of them sealed, with its archive, its token and what it said.
async fn archived() -> (Ledger, Token, Dump) {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let archive = ledger.beside("archive");
    let server = serve(&ledger, Some(&archive)).await;
    let client = server.client(&token);
    for number in 0..5 {
        client.must_append(&request(number)).await;
        wait_until(&client, "log_archived_position", u64::from(number + 1) * 10).await;
    }
    let dump = Dump::of(&client, "ws_1").await;
    server.terminate().await;
    (ledger, token, dump)
}

fn on(ledger: &Ledger, command: &str) -> Outcome {
    Program::line(command).arg("--data-dir").arg(ledger.data_dir()).run()
}

fn restore(ledger: &Ledger, archive: &Path) -> Outcome {
    Program::line("restore --archive").arg(archive).arg("--data-dir").arg(ledger.data_dir()).run()
}

/// The head that a command printed.
fn head(outcome: &Outcome) -> String {
    let line = outcome.stdout.lines().find_map(|line| line.strip_prefix("head"));
    line.unwrap_or_else(|| panic!("it prints a head:\n{}", outcome.stdout)).trim().to_owned()
}

fn segment(dir: &Path, first: u64) -> std::path::PathBuf {
    dir.join(format!("{first:020}.segment"))
}

#[tokio::test]
async fn a_ledger_that_lost_everything_is_restored_from_its_archive_with_the_same_head() {
    let (ledger, token, dump) = archived().await;
    let verified = on(&ledger, "verify").expect_code(0);
    assert!(verified.stdout.contains("segments  5, up to position 50"), "{}", verified.stdout);
    for lost in ["log", "segments", "views"] {
        fs::remove_dir_all(ledger.data_dir().join(lost)).expect("it is there");
    }
    let restored = restore(&ledger, &ledger.beside("archive")).expect_code(0);
    assert!(restored.stdout.contains("restored  50 events"), "{}", restored.stdout);
    assert_eq!(head(&restored), head(&verified));
    assert_eq!(head(&on(&ledger, "verify").expect_code(0)), head(&verified));
    for first in [1, 11, 21, 31, 41] {
        let (made, kept) =
            (segment(&ledger.data_dir().join("segments"), first), segment(&ledger.beside("archive"), first));
        assert_eq!(fs::read(made).expect("it is there"), fs::read(kept).expect("it is there"));
    }
    let server = serve(&ledger, Some(&ledger.beside("archive"))).await;
    let client = server.client(&token);
    assert_eq!(Dump::of(&client, "ws_1").await, dump);
    client.must_append(&request(9)).await;
    wait_until(&client, "log_archived_position", 60).await;
}

#[test]
fn an_archive_in_the_ledgers_own_folder_is_refused() {
    let ledger = Ledger::new();
    let serve = ledger.serve_program().arg("--archive").arg(ledger.data_dir().join("archive"));
    let refused = serve.run().expect_code(1);
    assert!(refused.stderr.contains("would be lost with it"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_log_that_is_whole_is_not_restored_unless_that_is_asked_for() {
    let (ledger, ..) = archived().await;
    let refused = restore(&ledger, &ledger.beside("archive")).expect_code(1);
    assert!(refused.stderr.contains("is whole, up to position 50"), "{}", refused.stderr);
    let verified = on(&ledger, "verify").expect_code(0);
    let forced = on(&ledger, "restore --force").expect_code(0);
    assert_eq!(head(&forced), head(&verified));
}

#[tokio::test]
async fn damage_is_named_with_its_remedy_and_mended_from_what_is_whole() {
    let (ledger, token, dump) = archived().await;
    let kept = head(&on(&ledger, "verify").expect_code(0));
    let (log, segments) = (ledger.data_dir().join("log"), ledger.data_dir().join("segments"));
    let damages: [(&dyn Fn(), &str); 6] = [
        (
            &|| damage::flip_byte_of_file(&segment(&segments, 21)),
            "00000000000000000021.segment is damaged at position 21",
        ),
        (&|| fs::remove_file(segment(&segments, 11)).expect("it is there"), "the segment from position 11 is missing"),
        (
            &|| fs::write(segment(&segments, 41), "nonsense").expect("it is there"),
            "00000000000000000041.segment is damaged",
        ),
        (
            &|| fs::remove_dir_all(&log).expect("it is there"),
            "log is missing, and segments up to position 50 are there",
        ),
        (&|| fs::remove_dir_all(&segments).expect("it is there"), "no chunk holds that position"),
        (&|| fs::write(log.join("db"), "nonsense").expect("it is there"), "log"),
    ];
    for (damage, words) in damages {
        damage();
        let named = on(&ledger, "verify").expect_code(1);
        assert!(
            named.stderr.contains(words) && named.stderr.contains("`hookledger restore`"),
            "{words}: {}",
            named.stderr
        );
        assert!(named.stderr.lines().count() == 1 && named.stdout.is_empty(), "{}", named.stderr);
        let restored = restore(&ledger, &ledger.beside("archive")).expect_code(0);
        assert_eq!(head(&restored), kept, "{words}");
        assert_eq!(head(&on(&ledger, "verify").expect_code(0)), kept);
    }
    let left = fs::read_dir(ledger.data_dir()).expect("it is listed");
    let names: Vec<_> =
        left.map(|entry| entry.expect("it is listed").file_name().into_string().expect("it is text")).collect();
    assert!(names.iter().any(|name| name.starts_with("log.damaged-")), "{names:?}");
    assert!(!names.iter().any(|name| name == "restored" || name == "log.probed"), "{names:?}");
    let server = serve(&ledger, None).await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, dump);
}

#[tokio::test]
async fn what_is_lost_for_good_is_told_and_views_that_saw_it_are_not_served() {
    let (ledger, token, _) = archived().await;
    let archive = ledger.beside("archive");
    for dir in [&archive, &ledger.data_dir().join("segments")] {
        fs::remove_file(segment(dir, 31)).expect("it is there");
    }
    damage::remove_journal(&ledger.data_dir().join("log"));
    let restored = restore(&ledger, &archive).expect_code(0);
    for words in [
        "restored  30 events",
        "Events after position 30 are lost",
        "goes on at position 41",
        "The views have seen events up to position 50",
        "What was there before is kept in",
    ] {
        assert!(restored.stdout.contains(words), "{words}: {}", restored.stdout);
    }
    let refused = ledger.serve_program().run().expect_code(1);
    assert!(refused.stderr.contains("the log ends at position 30"), "{}", refused.stderr);
    fs::rename(ledger.data_dir().join("views"), ledger.beside("old views")).expect("they are on one disk");
    let server = serve(&ledger, None).await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await.rows.len(), 15);
}

#[tokio::test]
async fn segments_of_two_ledgers_are_not_mixed() {
    let ((one, ..), (other, ..)) = (archived().await, archived().await);
    fs::remove_dir_all(one.data_dir().join("log")).expect("it is there");
    let refused = restore(&one, &other.beside("archive")).expect_code(1);
    assert!(refused.stderr.contains("there are segments of two ledgers"), "{}", refused.stderr);
    let empty = restore(&one, &one.data_dir().join("views")).expect_code(1);
    assert!(empty.stderr.contains("holds no segments"), "{}", empty.stderr);
    let nothing = Program::line("restore --data-dir").arg(one.beside("new")).run().expect_code(1);
    assert!(nothing.stderr.contains("nothing is left of the log"), "{}", nothing.stderr);
}

/// The names in a folder.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("it can be listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it is listed").file_name().into_string().expect("it is text")).collect();
    names.sort();
    names
}

/// The names of a backup: sealed segments by their first positions, and the tail, if there is one.
fn backup_names(sealed: &[u64], tail: Option<(u64, u64)>) -> Vec<String> {
    let mut names: Vec<_> = sealed.iter().map(|first| format!("{first:020}.segment")).collect();
    names.extend(tail.map(|(first, last)| format!("{first:020}-{last:020}.tail.segment")));
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_of_a_running_server_adds_what_is_new_and_restores_to_the_position_it_told() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let admin = ledger.token("--scope admin");
    let (weak_in_reach, weak_in_scope) = (ledger.token("--workspace ws_1 --scope admin"), ledger.token("--scope read"));
    let server = serve(&ledger, None).await;
    let client = server.client(&token);
    let small = |n: u32| json!([succeeded(("whsub_1", "small"), n, &at(n), 5)]);
    let output = ledger.beside("backup");
    let backup = |token: &Token| {
        Program::line("backup --url").arg(server.url()).arg("--token").arg(&token.secret).arg("-o").arg(&output).run()
    };

    client.must_append(&small(1)).await;
    let first = backup(&admin).expect_code(0);
    assert!(first.stdout.starts_with("events    1\nsegments  1, of which 1 are new\nhead      1:"), "{}", first.stdout);
    assert_eq!(names(&output), backup_names(&[], Some((1, 1))));

    client.must_append(&request(0)).await;
    wait_until(&client, "log_sealed_position", 11).await;
    client.must_append(&small(2)).await;
    let second = backup(&admin).expect_code(0);
    assert!(second.stdout.starts_with("events    12\nsegments  2, of which 2 are new\n"), "{}", second.stdout);
    assert_eq!(names(&output), backup_names(&[1], Some((12, 12))));
    let again = backup(&admin).expect_code(0);
    assert_eq!(head(&again), head(&second));
    let dump = Dump::of(&client, "ws_1").await;
    client.must_append(&request(1)).await;

    for weak in [&token, &weak_in_reach, &weak_in_scope] {
        assert!(backup(weak).expect_code(1).stderr.contains("403"));
    }
    let other = Ledger::new();
    let restored = restore(&other, &output).expect_code(0);
    assert_eq!(head(&restored), head(&second));
    let token = other.workspace_token("ws_1");
    let served = serve(&other, None).await;
    assert_eq!(Dump::of(&served.client(&token), "ws_1").await, dump);
}

#[tokio::test]
async fn a_backup_of_a_folder_is_the_same_and_leaves_another_ledgers_alone() {
    let (ledger, token, _) = archived().await;
    let output = ledger.beside("backup");
    let backup =
        |ledger: &Ledger| Program::line("backup -o").arg(&output).arg("--data-dir").arg(ledger.data_dir()).run();
    let first = backup(&ledger).expect_code(0);
    assert_eq!(head(&first), head(&on(&ledger, "verify").expect_code(0)));
    assert_eq!(names(&output), backup_names(&[1, 11, 21, 31, 41], None));
    let server = ledger.serve().await;
    server.client(&token).must_append(&succeeded(("whsub_1", "small"), 1, &at(1), 5)).await;
    server.terminate().await;
    let second = backup(&ledger).expect_code(0);
    assert!(second.stdout.contains("segments  6, of which 1 are new"), "{}", second.stdout);
    assert_eq!(names(&output), backup_names(&[1, 11, 21, 31, 41], Some((51, 51))));

    let (other, ..) = archived().await;
    let refused = backup(&other).expect_code(1);
    assert!(refused.stderr.contains("name another folder"), "{}", refused.stderr);
    fs::remove_dir_all(ledger.data_dir().join("log")).expect("it is there");
    fs::remove_dir_all(ledger.data_dir().join("segments")).expect("it is there");
    assert_eq!(head(&restore(&ledger, &output).expect_code(0)), head(&second));
}

#[tokio::test]
async fn a_restore_that_was_interrupted_is_finished_before_anything_opens_the_folder() {
    let (ledger, ..) = archived().await;
    let kept = head(&on(&ledger, "verify").expect_code(0));
    // As after a crash between two renames.
    let restored = ledger.data_dir().join("restored");
    fs::create_dir(&restored).expect("there is room");
    fs::write(restored.join("WHOLE"), "1794524400\n").expect("it is written");
    fs::rename(ledger.data_dir().join("log"), restored.join("log")).expect("they are on one disk");
    for command in ["verify", "status", "replay"] {
        let refused = on(&ledger, command).expect_code(1);
        assert!(
            refused.stderr.contains("was interrupted") && refused.stderr.contains("hookledger restore"),
            "{}",
            refused.stderr
        );
    }
    assert!(ledger.serve_program().run().expect_code(1).stderr.contains("was interrupted"));
    let finished = on(&ledger, "restore").expect_code(0);
    assert!(finished.stdout.starts_with("An interrupted restore is finished."), "{}", finished.stdout);
    assert_eq!(head(&on(&ledger, "verify").expect_code(0)), kept);
}
