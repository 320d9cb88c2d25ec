//! `ingest`: events from files into a folder or a server, and what stops it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::events::{at, created, failed, started, succeeded, with, without};
use crate::support::{Dump, Ledger, Outcome, Program, Running, Server, Signal, Token};

/// The life of some deliveries, an event a line.
fn lives(deliveries: u32) -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..deliveries {
        let (subscription, id) = (format!("whsub_{}", number % 3), format!("whdel_{number:05}"));
        let delivery = (subscription.as_str(), id.as_str());
        events.push(created(delivery, &at(number)));
        events.push(started(delivery, 1, &at(number + 1)));
        events.push(failed(delivery, 1, &at(number + 2), 10 + number));
        events.push(succeeded(delivery, 2, &at(number + 9), 20));
    }
    events
}

fn lines(events: &[Value]) -> String {
    events.iter().fold(String::new(), |mut lines, event| {
        writeln!(lines, "{event}").expect("memory takes any text");
        lines
    })
}

fn file(ledger: &Ledger, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = ledger.beside(name);
    fs::write(&path, content).expect("there is room");
    path
}

fn ingest(ledger: &Ledger, files: &[&PathBuf]) -> Outcome {
    let ingest = Program::line("ingest --workspace ws_1 --data-dir").arg(ledger.data_dir());
    files.iter().fold(ingest, Program::arg).run()
}

/// A served ledger with a token, which is there before the server: it takes up a new one only after a moment.
async fn served(grant: &str) -> (Ledger, Server, Token) {
    let ledger = Ledger::new();
    let token = ledger.token(grant);
    let server = ledger.serve().await;
    (ledger, server, token)
}

async fn dump(ledger: &Ledger) -> Dump {
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let dump = Dump::of(&server.client(&token), "ws_1").await;
    server.terminate().await;
    dump
}

#[tokio::test]
async fn files_go_into_a_new_folder_and_once_more_without_harm() {
    let ledger = Ledger::new();
    let events = lives(600);
    let (first, second) =
        (file(&ledger, "a.ndjson", lines(&events[..7])), file(&ledger, "b.ndjson", lines(&events[7..])));
    let done = ingest(&ledger, &[&first, &second]).expect_code(0);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.starts_with("appended 2400 events, 0 duplicates, of 2400 lines read"), "{}", done.stderr);
    assert!(done.stderr.contains("position 2400"), "{}", done.stderr);
    let once = dump(&ledger).await;
    assert_eq!((once.rows.len(), once.sum("total")), (600, 1200));

    let again = ingest(&ledger, &[&second, &first]).expect_code(0);
    assert!(again.stderr.starts_with("appended 0 events, 2400 duplicates"), "{}", again.stderr);
    assert_eq!(dump(&ledger).await, once);
}

#[tokio::test]
async fn the_same_file_through_a_server_gives_the_same_answers() {
    let events = lives(300);
    let folder = Ledger::new();
    let input = file(&folder, "a.ndjson", lines(&events));
    ingest(&folder, &[&input]).expect_code(0);

    let (_served, server, token) = served("--workspace ws_1 --scope append --scope read").await;
    let client = server.client(&token);
    let through = || Program::line("ingest --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret).arg(&input);
    let done = through().run().expect_code(0);
    assert!(done.stderr.starts_with("appended 1200 events, 0 duplicates"), "{}", done.stderr);
    let again = through().run().expect_code(0);
    assert!(again.stderr.starts_with("appended 0 events, 1200 duplicates"), "{}", again.stderr);
    client.must_append(&created(("whsub_9", "last"), &at(0))).await;
    let mut there = Dump::of(&client, "ws_1").await;
    there.rows.retain(|row| row["id"] != "last");
    there.stats.remove("whsub_9");
    assert_eq!(there, dump(&folder).await);
}

#[tokio::test]
async fn lines_without_ids_get_the_same_ones_at_every_run_and_by_every_way() {
    let (ledger, server, token) = served("--workspace ws_1 --scope append --scope read").await;
    let client = server.client(&token);
    let bare: Vec<_> = lives(20).into_iter().map(|event| without(event, "id")).collect();
    let input = file(&ledger, "bare.ndjson", lines(&bare));
    // Other white space, an explicit null and a place in another log do not make it another event.
    let spaced: Vec<_> = bare.iter().map(|event| with(with(event.clone(), "id", Value::Null), "position", 7)).collect();
    let spaced = file(&ledger, "spaced.ndjson", lines(&spaced).replace(":{", " : { "));
    let through =
        |file| Program::line("ingest --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret).arg(file);
    let first = through(&input).run().expect_code(0);
    assert!(first.stderr.starts_with("appended 80 events, 0 duplicates"), "{}", first.stderr);
    let second = through(&spaced).run().expect_code(0);
    assert!(second.stderr.starts_with("appended 0 events, 80 duplicates"), "{}", second.stderr);
    client.wait_for(80);
    let page = client.history("workspace_id=ws_1").await.json();
    assert_eq!(page["total"], 20);
    server.terminate().await;
    let third = ingest(&ledger, &[&input]).expect_code(0);
    assert!(third.stderr.starts_with("appended 0 events, 80 duplicates"), "{}", third.stderr);
}

#[tokio::test]
async fn a_bad_line_is_named_and_what_stands_before_it_is_appended() {
    let events = lives(400);
    for (bad, words) in [
        (
            events[902].to_string().replace("\"attempt\":1", "\"attempt\":0"),
            "data.attempt must be an integer from 1 to 1000",
        ),
        ("{\"id\":\"e\",".to_owned(), "not JSON: EOF while parsing"),
        (without(without(events[902].clone(), "id"), "occurred_at").to_string(), "occurred_at is missing"),
        (with(events[902].clone(), "extra", 1).to_string(), "extra is not a known field"),
    ] {
        let ledger = Ledger::new();
        let mut text = lines(&events[..1300]);
        writeln!(text, "\n{bad}\n{}", lines(&events[1300..])).expect("memory takes any text");
        let input = file(&ledger, "a.ndjson", text);
        let stopped = ingest(&ledger, &[&input]).expect_code(1);
        assert!(
            stopped.stderr.contains("a.ndjson, line 1302: ") && stopped.stderr.contains(words),
            "{}",
            stopped.stderr
        );
        assert!(stopped.stderr.starts_with("appended 1300 events, 0 duplicates"), "{}", stopped.stderr);

        let mended = file(&ledger, "a.ndjson", lines(&events));
        let done = ingest(&ledger, &[&mended]).expect_code(0);
        assert!(done.stderr.starts_with("appended 300 events, 1300 duplicates"), "{}", done.stderr);
    }
}

#[tokio::test]
async fn an_id_with_other_content_is_named_by_its_line_on_both_ways() {
    let (ledger, server, token) = served("--workspace ws_1 --scope append").await;
    let events = lives(10);
    let mut changed = events.clone();
    changed[33] = with(changed[33].clone(), "occurred_at", at(3000));
    let (input, changed) = (file(&ledger, "a.ndjson", lines(&events)), file(&ledger, "b.ndjson", lines(&changed)));
    let through =
        |file| Program::line("ingest --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret).arg(file);
    through(&input).run().expect_code(0);
    let refused = through(&changed).run().expect_code(1);
    assert!(
        refused.stderr.contains("b.ndjson, line 34: ") && refused.stderr.contains("other content"),
        "{}",
        refused.stderr
    );
    server.terminate().await;
    let refused = ingest(&ledger, &[&changed]).expect_code(1);
    assert!(
        refused.stderr.contains("b.ndjson, line 34: ") && refused.stderr.contains("other content"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_file_that_was_cut_off_is_noticed_at_its_last_line() {
    let ledger = Ledger::new();
    let text = lines(&lives(5));
    let input = file(&ledger, "cut.ndjson", &text[..text.len() - 9]);
    let stopped = ingest(&ledger, &[&input]).expect_code(1);
    assert!(stopped.stderr.contains("cut.ndjson, line 20: not JSON"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("it was cut off"), "{}", stopped.stderr);
    assert!(stopped.stderr.starts_with("appended 19 events"), "{}", stopped.stderr);
}

#[tokio::test]
async fn standard_input_is_read_and_zstd_is_unpacked_where_it_is_met() {
    let ledger = Ledger::new();
    let text = lines(&lives(50));
    let mut running =
        Running::start(Program::line("ingest --workspace ws_1 --data-dir").arg(ledger.data_dir()).arg("-"));
    running.stdin().write_all(text.as_bytes()).expect("it reads");
    let done = running.finish().await.expect_code(0);
    assert!(done.stderr.starts_with("appended 200 events, 0 duplicates"), "{}", done.stderr);

    let packed = zstd::encode_all(text.as_bytes(), 3).expect("memory takes it");
    let input = file(&ledger, "a.ndjson.zst", packed);
    let again = ingest(&ledger, &[&input]).expect_code(0);
    assert!(again.stderr.starts_with("appended 0 events, 200 duplicates, of 200 lines"), "{}", again.stderr);

    let gzip = file(&ledger, "a.ndjson.gz", [0x1f, 0x8b, 8, 0]);
    let refused = ingest(&ledger, &[&gzip]).expect_code(1);
    assert!(refused.stderr.contains("gunzip -c"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_read_stops_it_before_anything_is_appended() {
    let ledger = Ledger::new();
    let input = file(&ledger, "a.ndjson", lines(&lives(1)));
    let missing = ingest(&ledger, &[&input, &ledger.beside("none.ndjson")]).expect_code(1);
    assert!(missing.stderr.contains("none.ndjson") && missing.stderr.contains("No such file"), "{}", missing.stderr);
    let folder = ingest(&ledger, &[&input, &ledger.beside("")]).expect_code(1);
    assert!(folder.stderr.contains("is a folder"), "{}", folder.stderr);
    assert!(!ledger.data_dir().exists(), "nothing was made");
    let both = Program::line("ingest --data-dir d --url http://localhost:1 -").run().expect_code(2);
    assert!(both.stderr.contains("give one of them"), "{}", both.stderr);
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_the_way_out() {
    let (ledger, server, token) = served("--scope append").await;
    let input = file(&ledger, "a.ndjson", lines(&lives(1)));
    let refused = ingest(&ledger, &[&input]).expect_code(1);
    assert!(
        refused.stderr.contains("in use by a running server") && refused.stderr.contains("--url"),
        "{}",
        refused.stderr
    );
    let through = |more: &str| {
        Program::line(&format!("ingest {more} --url"))
            .arg(server.url())
            .env("HOOKLEDGER_TOKEN", &token.secret)
            .arg(&input)
    };
    let refused = through("").run().expect_code(1);
    assert!(
        refused.stderr.contains("a.ndjson, line 1: ") && refused.stderr.contains("workspace_id is missing"),
        "{}",
        refused.stderr
    );
    through("--workspace ws_1").run().expect_code(0);
    let refused = Program::line("ingest --token none --url").arg(server.url()).arg(&input).run().expect_code(1);
    assert!(refused.stderr.contains("401") && refused.stderr.contains("token create"), "{}", refused.stderr);
}

#[tokio::test]
async fn ctrl_c_finishes_what_is_under_way_and_the_next_run_the_rest() {
    for by_server in [false, true] {
        let ledger = Ledger::new();
        let token = ledger.workspace_token("ws_1");
        let server = match by_server {
            true => Some(ledger.serve().await),
            false => None,
        };
        let program = || match &server {
            Some(server) => Program::line("ingest --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret),
            None => Program::line("ingest --workspace ws_1 --data-dir").arg(ledger.data_dir()),
        };
        let events = lives(3000);
        // It waits for more of its input, so that it is not over before the signal.
        let mut running = Running::start(program().arg("-"));
        running.stdin().write_all(lines(&events[..11_000]).as_bytes()).expect("it reads");
        running.signal(Signal::Interrupt);
        let interrupted = running.outcome().await.expect_code(130);
        let (first, rest) = interrupted.stderr.split_once(" events, 0 duplicates").expect("it says what was appended");
        assert!(rest.trim_end().ends_with("error: interrupted"), "{}", interrupted.stderr);
        let appended: usize = first.strip_prefix("appended ").and_then(|count| count.parse().ok()).expect("a count");

        let input = file(&ledger, "a.ndjson", lines(&events));
        let done = program().arg(&input).run().expect_code(0);
        let expected = format!("appended {} events, {appended} duplicates", events.len() - appended);
        assert!(done.stderr.starts_with(&expected), "{expected}: {}", done.stderr);
        if let Some(server) = server {
            let page = server.client(&token).get("/readyz").await.json();
            assert_eq!(page["log_position"], json!(events.len()));
            server.terminate().await;
        }
        assert_eq!(dump(&ledger).await.rows.len(), 3000);
    }
}

#[test]
fn help_has_examples() {
    for command in ["ingest", "export"] {
        let help = Program::line(&format!("{command} --help")).run().expect_code(0).stdout;
        assert!(help.contains("Usage:") && help.contains("Examples:"), "{command}: {help}");
    }
}
