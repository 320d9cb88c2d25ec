//! `bench`: generated events against a served ledger, and the same events printed.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Ledger, Outcome, Program, Server, Token};

fn bench(server: &Server, token: &Token, arguments: &str) -> Outcome {
    let bench = Program::line("bench --url").arg(server.url()).arg("--token").arg(&token.secret);
    arguments.split_whitespace().fold(bench, Program::arg).run()
}

/// The events of NDJSON, without what differs from run to run and what the ledger adds.
fn events(ndjson: &str) -> Vec<Value> {
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).expect("a line is JSON");
        let object = event.as_object_mut().expect("a line is an object");
        for field in ["id", "delivery_id", "position", "recorded_at"] {
            object.remove(field);
        }
        let occurred_at = object["occurred_at"].as_str().expect("it is a time").trim_end_matches(['0', '.', 'Z']);
        object["occurred_at"] = occurred_at.into();
        let next = object["data"]["next_attempt_at"].as_str().map(|at| at.trim_end_matches(['0', '.', 'Z']).to_owned());
        object["data"]["next_attempt_at"] = next.into();
        event
    };
    ndjson.lines().map(event).collect()
}

fn export(ledger: &Ledger) -> Vec<Value> {
    events(&Program::line("export --data-dir").arg(ledger.data_dir()).run().expect_code(0).stdout)
}

#[tokio::test]
async fn the_ledger_holds_exactly_what_the_bench_sent_which_is_what_it_prints() {
    let printed = events(&Program::line("bench --print 250 --seed 7").run().expect_code(0).stdout);
    assert_eq!(printed.len(), 250);
    for format in ["ndjson", "json", "msgpack"] {
        let ledger = Ledger::new();
        let token = ledger.token("--scope append");
        let server = ledger.serve().await;
        let arguments = format!("--events 250 --connections 1 --batch 100 --seed 7 --json --format {format}");
        let told: Value = serde_json::from_str(&bench(&server, &token, &arguments).expect_code(0).stdout)
            .expect("--json writes JSON");
        let counts = |field: &str| told[field].as_u64().expect("it is a count");
        assert_eq!((counts("requests"), counts("appended"), counts("duplicates")), (3, 250, 0), "{told}");
        assert!(told["latency_ms"]["p50"].as_f64().is_some_and(|ms| ms > 0.0), "{told}");
        server.terminate().await;
        let exported = export(&ledger);
        assert_eq!(exported.len(), printed.len(), "{format}");
        for (exported, printed) in exported.iter().zip(&printed) {
            assert_eq!(exported, printed, "{format}");
        }
    }
}

#[tokio::test]
async fn a_second_run_is_new_to_the_ledger_also_over_many_connections_and_at_a_rate() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let first = bench(&server, &token, "--workspace ws_1 --events 300 --connections 8").expect_code(0);
    assert!(first.stdout.contains("p99.9") && !first.stdout.contains("duplicates"), "{}", first.stdout);
    bench(&server, &token, "--workspace ws_1 --events 300 --connections 8 --rate 20000").expect_code(0);
    server.terminate().await;
    assert_eq!(export(&ledger).len(), 600);
}

#[tokio::test]
async fn senders_who_are_held_to_the_pace_of_the_views_lose_nothing() {
    let ledger = Ledger::new();
    let token = ledger.token("--scope append --scope read");
    let server = ledger.serve_with(|program| program.arg("--views-lag-events=10000")).await;
    let run = "--events 40000 --connections 8 --batch 500 --workspace ws_1 --json";
    let told: Value = serde_json::from_str(&bench(&server, &token, run).expect_code(0).stdout).expect("it is JSON");
    assert_eq!(told["appended"], 40_000, "{told}");
    let read = server.client(&token).request(Method::GET, "/api/webhookSubscriptions.deliveries?workspace_id=ws_1");
    Answer::to(read.header("Ledger-Min-Position", 40_000)).await.expect_status(200);
    server.terminate().await;
    Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
}

#[tokio::test]
async fn what_the_token_or_the_address_does_not_allow_is_said_and_nothing_is_sent() {
    let ledger = Ledger::new();
    let (appender, reader) = (ledger.workspace_token("ws_1"), ledger.token("--scope read"));
    let server = ledger.serve().await;
    let wrong = Token { secret: "hl_wrong".to_owned(), id: String::new() };
    for (token, reason) in [(&wrong, "401"), (&reader, "403"), (&appender, "--workspace")] {
        let refused = bench(&server, token, "--events 10").expect_code(1);
        assert!(refused.stderr.contains(reason) && refused.stdout.is_empty(), "{}", refused.stderr);
    }
    let url = server.url();
    server.terminate().await;
    let alone = Program::line("bench --events 1 --token hl_any --url").arg(&url).run().expect_code(1);
    assert!(alone.stderr.contains("hookledger serve"), "{}", alone.stderr);
    let encrypted = Program::line("bench --events 1 --token hl_any --url https://localhost").run().expect_code(1);
    assert!(encrypted.stderr.contains("plain HTTP"), "{}", encrypted.stderr);
    assert_eq!(export(&ledger), Vec::<Value>::new());
}
