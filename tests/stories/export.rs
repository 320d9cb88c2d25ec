//! `export`: the log as lines, as MessagePack and as rows, and what an export is good for.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::events::{at, created, event, failed, started, succeeded, with};
use crate::support::{Client, Ledger, Outcome, Program, Running, Server, Signal, Token, eventually};

/// Deliveries of every fate, with all that events can carry.
fn fates() -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..60_u32 {
        let (subscription, id) = (format!("whsub_{}", number % 4), format!("whdel_{number:03}"));
        let delivery = (subscription.as_str(), id.as_str());
        let (a, b, c) = (at(number * 10), at(number * 10 + 1), at(number * 10 + 2));
        let described = json!({
            "event_type": "order.shipped", "payload": {"n": number, "ž": "\u{1f600} \" \\ <\u{7f}>"},
            "max_attempts": 3, "next_attempt_at": b, "url": "https://example.com/hook?a=1&b=2", "source_event_id": "src_1",
        });
        match number % 5 {
            0 => events.push(event("delivery.created", delivery, &a, described)),
            1 => {
                events.push(created(delivery, &a));
                events.push(event("delivery.cancelled", delivery, &c, json!({"reason": "the customer left"})));
            }
            2 => {
                // The attempt is reported before its delivery.
                events.push(succeeded(delivery, 1, &b, number));
                events.push(created(delivery, &a));
            }
            3 => {
                let mut embedded = described;
                embedded["created_at"] = json!(a);
                let data = json!({
                    "attempt": 7, "error": "=cmd|' /C calc'!A0", "duration_ms": 12, "response_status": 503,
                    "response_headers": {"retry-after": "60"}, "response_body": "busy,\n\"very\"", "delivery": embedded,
                });
                events.push(event("attempt.failed", delivery, &c, data));
            }
            _ => {
                events.push(created(delivery, &a));
                events.push(started(delivery, 1, &a));
                events.push(failed(delivery, 1, &b, number));
                let again = json!({"next_attempt_at": at(9000), "reason": "asked for by a person"});
                events.push(event("delivery.retry_scheduled", delivery, &c, again));
            }
        }
    }
    events
}

/// A served ledger with those events in two workspaces.
struct Filled {
    ledger: Ledger,
    server: Server,
    /// For all workspaces.
    token: Token,
    /// For `ws_2`.
    narrow: Token,
}

/// Fills a ledger.
async fn filled() -> Filled {
    // Tokens before the server, which takes up a new one only after a moment.
    let ledger = Ledger::new();
    let token = ledger.token("--scope append --scope read");
    let narrow = ledger.workspace_token("ws_2");
    let server = ledger.serve().await;
    let client = server.client(&token);
    for workspace in ["ws_1", "ws_2"] {
        let events: Vec<_> = fates().into_iter().map(|event| with(event, "workspace_id", workspace)).collect();
        for request in events.chunks(37) {
            client.must_append(&json!(request)).await;
        }
    }
    // A number that no float holds, and white space that is not kept.
    let odd = r#"{"id":"odd","kind":"delivery.created","workspace_id":"ws_1","subscription_id":"whsub_0","delivery_id":"odd",
        "occurred_at":"2024-01-15T12:00:00+02:00","data":{"event_type":"t","payload":{"b": 1.50e+3, "a": 12345678901234567890123}}}"#;
    client.append_text("application/json", odd).await.expect_status(200);
    Filled { ledger, server, token, narrow }
}

fn export(ledger: &Ledger, more: &str) -> Outcome {
    Program::line(&format!("export {more} --data-dir")).arg(ledger.data_dir()).run()
}

fn export_through(server: &Server, token: &Token, more: &str) -> Outcome {
    Program::line(&format!("export {more} --url")).arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret).run()
}

/// What both endpoints say, to the letter.
async fn answers(client: &Client, workspace: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for offset in (0..80).step_by(7) {
        let query = format!("workspace_id={workspace}&limit=7&offset={offset}");
        texts.push(client.history(&query).await.expect_status(200).text);
    }
    for subscription in 0..4 {
        let query = format!("workspace_id={workspace}&subscription_id=whsub_{subscription}&limit=100");
        texts.push(client.history(&query).await.expect_status(200).text);
        let stats = format!("/api/v1/workspace/webhooks/whsub_{subscription}/stats?workspace_id={workspace}");
        texts.push(client.get(&stats).await.expect_status(200).text);
    }
    texts
}

/// The lines as objects, without when they were recorded.
fn events_of(export: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let mut event: Value = serde_json::from_str(line).expect("a line is JSON");
        event.as_object_mut().expect("an event is an object").remove("recorded_at").expect("it is there");
        event
    };
    export.lines().map(parse).collect()
}

#[tokio::test]
async fn an_export_ingested_into_an_empty_ledger_gives_the_same_answers_to_the_letter() {
    let Filled { ledger, server, token, .. } = filled().await;
    let before = [answers(&server.client(&token), "ws_1").await, answers(&server.client(&token), "ws_2").await];
    let served = export_through(&server, &token, "").expect_code(0).stdout;
    server.terminate().await;
    let exported = export(&ledger, "").expect_code(0);
    assert_eq!(exported.stdout, served, "both ways write the same");
    assert!(exported.stderr.starts_with(&format!("exported {} events", served.lines().count())), "{}", exported.stderr);
    let odd = served.lines().find(|line| line.contains("\"id\":\"odd\"")).expect("it is there");
    assert!(odd.contains(r#""payload":{"b":1.50e+3,"a":12345678901234567890123}"#), "{odd}");

    let file = ledger.beside("all.ndjson");
    fs::write(&file, &served).expect("there is room");
    for by_server in [false, true] {
        let other = Ledger::new();
        let token = other.token("--scope append --scope read");
        if by_server {
            let server = other.serve().await;
            let ingest = Program::line("ingest --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret);
            ingest.arg(&file).run().expect_code(0);
            server.terminate().await;
        } else {
            Program::line("ingest --data-dir").arg(other.data_dir()).arg(&file).run().expect_code(0);
        }
        let again = export(&other, "").expect_code(0).stdout;
        assert_eq!(events_of(&again), events_of(&served), "positions and events are the same");
        let server = other.serve().await;
        let client = server.client(&token);
        assert_eq!([answers(&client, "ws_1").await, answers(&client, "ws_2").await], before);
    }
}

#[tokio::test]
async fn a_range_and_a_workspace_are_cut_out_of_the_log_on_both_ways() {
    let Filled { ledger, server, token, .. } = filled().await;
    let all = export_through(&server, &token, "").expect_code(0).stdout;
    let head = all.lines().count();
    let ranges: Vec<_> = ["--from 30 --to 60", "--from 70 --workspace ws_1", "--to 1", "--workspace ws_3"]
        .into_iter()
        .map(|more| (more, export_through(&server, &token, more).expect_code(0).stdout))
        .collect();
    let wrong = [
        ("--from 9 --to 8".to_owned(), "--from 9 is after --to 8".to_owned()),
        (format!("--to {}", head + 1), format!("--to {} is beyond the end of the log, position {head}", head + 1)),
        (format!("--from {}", head + 2), format!("--from {} is beyond the end of the log", head + 2)),
    ];
    for (more, words) in &wrong {
        let refused = export_through(&server, &token, more).expect_code(1);
        assert!(refused.stderr.contains(words) && refused.stdout.is_empty(), "{}", refused.stderr);
    }
    server.terminate().await;
    assert_eq!(ranges[0].1, all.lines().skip(29).take(31).map(|line| format!("{line}\n")).collect::<String>());
    let of_workspace = |line: &&str| line.contains("\"workspace_id\":\"ws_1\"");
    assert_eq!(ranges[1].1.lines().collect::<Vec<_>>(), all.lines().skip(69).filter(of_workspace).collect::<Vec<_>>());
    assert_eq!((ranges[2].1.lines().count(), ranges[3].1.as_str()), (1, ""));
    for (more, served) in &ranges {
        assert_eq!(export(&ledger, more).expect_code(0).stdout, *served, "{more}");
    }
    for (more, words) in &wrong {
        assert!(export(&ledger, more).expect_code(1).stderr.contains(words), "{more}");
    }
    assert_eq!(export(&ledger, &format!("--from {}", head + 1)).expect_code(0).stdout, "", "nothing is new");
}

/// Takes out the times, which the formats write differently.
fn take_times(value: &mut Value, seen: &mut impl FnMut(&Value)) {
    let Some(fields) = value.as_object_mut() else { return };
    fields.retain(|name, value| {
        if name.ends_with("_at") {
            seen(value);
            return false;
        }
        take_times(value, seen);
        true
    });
}

#[tokio::test]
async fn messagepack_says_the_same_as_the_lines() {
    let Filled { ledger, server, token, .. } = filled().await;
    let served = ledger.beside("served.msgpack");
    let through =
        Program::line("export --format msgpack --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret);
    through.arg("-o").arg(&served).run().expect_code(0);
    let lines = export_through(&server, &token, "").expect_code(0).stdout;
    server.terminate().await;
    let file = ledger.beside("all.msgpack");
    Program::line("export --format msgpack -o")
        .arg(&file)
        .arg("--data-dir")
        .arg(ledger.data_dir())
        .run()
        .expect_code(0);
    let packed = fs::read(&file).expect("it is there");
    assert_eq!(packed, fs::read(served).expect("it is there"), "both ways write the same");

    let mut rest = packed.as_slice();
    for line in lines.lines() {
        let mut event: Value = rmp_serde::from_read(&mut rest).expect("it is a map");
        let mut expected: Value = serde_json::from_str(line).expect("it is JSON");
        // A payload is the text that was sent, so that nothing of it is lost.
        for path in ["/data/payload", "/data/delivery/payload"] {
            if let Some(payload) = event.pointer_mut(path) {
                let text = payload.as_str().expect("it is text").to_owned();
                assert!(line.contains(&text), "{text} is not in {line}");
                *payload = serde_json::from_str(&text).expect("it is JSON");
            }
        }
        take_times(&mut event, &mut |time| assert!(time.is_u64(), "{time} is not in microseconds"));
        take_times(&mut expected, &mut |time| assert!(time.is_string(), "{time} is not RFC 3339"));
        assert_eq!(event, expected);
    }
    assert!(rest.is_empty());
}

#[tokio::test]
async fn rows_are_attempts_that_no_spreadsheet_takes_for_formulas() {
    let Filled { ledger, server, token, .. } = filled().await;
    let served = export_through(&server, &token, "--format csv --workspace ws_2").expect_code(0).stdout;
    server.terminate().await;
    let csv = export(&ledger, "--format csv --workspace ws_2").expect_code(0).stdout;
    assert_eq!(csv, served, "both ways write the same");
    let header = "workspace_id,subscription_id,delivery_id,event_type,url,attempt,kind,started_at,finished_at,duration_ms,\
                  response_status,error,next_attempt_at,id,position,recorded_at";
    assert_eq!(csv.lines().next(), Some(header));
    assert_eq!(csv.lines().count(), 1 + 12 + 12 + 24);
    let failed = csv.lines().find(|line| line.contains("whdel_003")).expect("it is there");
    let expected = "ws_2,whsub_3,whdel_003,order.shipped,https://example.com/hook?a=1&b=2,7,attempt.failed,,\
                    2024-01-15T10:00:32Z,12,503,'=cmd|' /C calc'!A0,,";
    assert!(failed.starts_with(expected), "{failed}");
    let known = csv.lines().find(|line| line.contains("whdel_004") && line.contains("attempt.started"));
    assert!(
        known.expect("it is there").contains(",contact.created,,1,attempt.started,2024-01-15T10:00:40Z,,,,,,"),
        "{known:?}"
    );
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it can be listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_appears_or_is_replaced_when_it_is_whole() {
    let Filled { ledger, server, .. } = filled().await;
    server.terminate().await;
    let folder = ledger.beside("out");
    fs::create_dir(&folder).expect("there is room");
    let file = folder.join("all.ndjson");
    fs::write(&file, "old").expect("there is room");
    let to_file =
        |more: &str| Program::line(&format!("export {more} --data-dir")).arg(ledger.data_dir()).arg("-o").arg(&file);
    to_file("--to 99999").run().expect_code(1);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "old", "a failure leaves it");
    let done = to_file("").run().expect_code(0);
    assert_eq!(done.stdout, "");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), export(&ledger, "").expect_code(0).stdout);
    assert_eq!(names_in(&folder), ["all.ndjson"]);
    let into_folder = Program::line("export --data-dir").arg(ledger.data_dir()).arg("-o").arg(&folder).run();
    assert!(into_folder.expect_code(1).stderr.contains("Is a directory"));
}

/// A ledger whose export is larger than what a pipe and our own buffers hold.
fn large() -> Ledger {
    let ledger = Ledger::new();
    let mut text = String::new();
    for number in 0..3000 {
        let id = format!("whdel_{number:05}");
        let body = "b".repeat(900);
        let event = event("delivery.cancelled", ("whsub_1", &id), &at(number), json!({"reason": body}));
        text.push_str(&format!("{}\n", with(event, "workspace_id", "ws_1")));
    }
    let file = ledger.beside("large.ndjson");
    fs::write(&file, text).expect("there is room");
    Program::line("ingest --data-dir").arg(ledger.data_dir()).arg(&file).run().expect_code(0);
    ledger
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure_and_a_full_disk_is_one() {
    let ledger = large();
    for format in ["ndjson", "csv", "msgpack"] {
        let full = export(&ledger, &format!("--format {format} -o /dev/full"));
        let expected = if format == "csv" { "No space left" } else { "cannot write the export: No space left" };
        assert!(full.expect_code(1).stderr.contains(expected), "{format}");
    }
    let mut running = Running::start(Program::line("export --data-dir").arg(ledger.data_dir()));
    assert!(running.head().starts_with("{\"position\":1,"));
    let left = running.finish().await.expect_code(0);
    assert_eq!(left.stderr, "");
}

/// A ledger of one event that says so, and then never gives it. It listens until the story ends.
fn stalled() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let accepting = listener.try_clone().expect("it is a socket");
    std::thread::spawn(move || {
        let (mut stream, _) = accepting.accept().expect("somebody comes");
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).expect("it asks") > 0);
        let answer = "HTTP/1.1 200 OK\r\nledger-position: 1\r\nledger-next-position: 2\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("it listens");
        // Reads what comes, and says nothing.
        while stream.read(&mut head).is_ok_and(|read| read > 0) {}
    });
    listener
}

#[tokio::test]
async fn ctrl_c_leaves_no_half_a_file() {
    let listener = stalled();
    let folder = Ledger::new();
    let out = folder.beside("out");
    fs::create_dir(&out).expect("there is room");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let export = Program::line("export --url").arg(url).arg("-o").arg(out.join("all.ndjson"));
    let running = Running::start(export);
    eventually("it has begun to write", async || !names_in(&out).is_empty()).await;
    running.signal(Signal::Interrupt);
    let ended = running.outcome().await.expect_code(130);
    assert_eq!(ended.stderr, "error: interrupted\n");
    assert_eq!(names_in(&out), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_in_use_or_without_a_ledger_is_named_with_the_way_out() {
    let Filled { ledger, server, token, narrow } = filled().await;
    let refused = export(&ledger, "").expect_code(1);
    assert!(
        refused.stderr.contains("in use by a running server") && refused.stderr.contains("--url"),
        "{}",
        refused.stderr
    );
    let refused = export_through(&server, &narrow, "--workspace ws_1").expect_code(1);
    assert!(refused.stderr.contains("403"), "{}", refused.stderr);
    let own = export_through(&server, &narrow, "").expect_code(0).stdout;
    assert_eq!(own, export_through(&server, &token, "--workspace ws_2").expect_code(0).stdout);
    let none = Ledger::new();
    assert!(export(&none, "").expect_code(1).stderr.contains("holds no ledger"));
    none.token("--scope read");
    assert_eq!(export(&none, "").expect_code(0).stdout, "", "a ledger without events is an empty export");
    assert!(export(&none, "--format csv").expect_code(0).stdout.starts_with("workspace_id,"));
}
