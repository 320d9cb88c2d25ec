//! `stats` and `deliveries`: the two reads from the terminal, and the pages that the program writes about itself.

use serde_json::{Value, json};

use crate::support::events::{at, created, failed, succeeded, with};
use crate::support::{Ledger, Program, Server, Token, serve_workspace};

/// Reads as JSON.
#[track_caller]
fn json_of(program: Program) -> Value {
    let told = program.arg("--json").run().expect_code(0);
    serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}: {}", told.stdout))
}

fn of_folder(ledger: &Ledger, line: &str) -> Program {
    Program::line(line).arg("--data-dir").arg(ledger.data_dir())
}

fn of_server(server: &Server, token: &Token, line: &str) -> Program {
    Program::line(line).arg("--url").arg(server.url()).arg("--token").arg(&token.secret)
}

#[tokio::test]
async fn server_and_folder_answer_what_the_endpoints_answer() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    for n in 0..5 {
        let delivery = format!("whdel_{n}");
        let delivery = ("whsub_1", delivery.as_str());
        client.must_append(&json!([created(delivery, &at(n)), failed(delivery, 1, &at(n + 1), 7 + n)])).await;
    }
    client.must_append(&created(("whsub_2", "other"), &at(50))).await;
    let stats = client.stats("whsub_1").await.expect_status(200).json();
    let query = "workspace_id=ws_1&subscription_id=whsub_1&limit=2&offset=1";
    let page = client.history(query).await.expect_status(200).json();

    let stats_line = "stats --workspace ws_1 --subscription whsub_1";
    let page_line = "deliveries --workspace ws_1 --subscription whsub_1 --limit 2 --offset 1";
    assert_eq!(json_of(of_server(&server, &token, stats_line)), stats);
    assert_eq!(json_of(of_server(&server, &token, "stats --subscription whsub_1")), stats, "the token has a workspace");
    assert_eq!(json_of(of_server(&server, &token, page_line)), page);
    server.terminate().await;
    assert_eq!(json_of(of_folder(&ledger, stats_line)), stats);
    assert_eq!(json_of(of_folder(&ledger, page_line)), page);

    let table = of_folder(&ledger, page_line).run().expect_code(0).stdout;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("CREATED ") && lines[1].contains("whdel_3"), "{table}");
    assert_eq!(lines[3], "2 to 3 of 5 deliveries, at position 11.");
    let table = of_folder(&ledger, stats_line).run().expect_code(0).stdout;
    assert!(table.contains("failed             5\n") && table.contains("at position        11\n"), "{table}");
    let beyond = of_folder(&ledger, "deliveries --workspace ws_1 --offset 9").run().expect_code(0).stdout;
    assert_eq!(beyond, "No deliveries after the first 9: there are 6, at position 11.\n");
}

#[tokio::test]
async fn a_folder_without_views_is_folded_first() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    let delivery = ("whsub_1", "a");
    client.must_append(&json!([created(delivery, &at(0)), succeeded(delivery, 1, &at(1), 5)])).await;
    let stats = client.stats("whsub_1").await.expect_status(200).json();
    server.terminate().await;
    std::fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    assert_eq!(json_of(of_folder(&ledger, "stats --workspace ws_1 --subscription whsub_1")), stats);
}

#[tokio::test]
async fn stats_as_of_a_position_or_a_time_are_what_they_were_then() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    let delivery = ("whsub_1", "a");
    // Each report replaces the one before: what the present has taken in cannot be taken out again.
    let reports = [
        json!([succeeded(delivery, 1, &at(60), 900)]),
        json!([created(delivery, &at(0)), created(("whsub_2", "a"), &at(0))]),
        json!([with(failed(delivery, 1, &at(50), 300), "id", "earlier"), succeeded(("whsub_2", "a"), 1, &at(1), 1)]),
        json!([with(succeeded(delivery, 1, &at(40), 20), "id", "earliest")]),
    ];
    let mut then = vec![(0, client.stats("whsub_1").await.expect_status(200).json())];
    for report in &reports {
        let position = client.must_append(report).await.json()["last_position"].as_u64().expect("it is a position");
        then.push((position, client.stats("whsub_1").await.expect_status(200).json()));
    }
    server.terminate().await;
    let as_of = |as_of: &str| {
        json_of(of_folder(&ledger, &format!("stats --workspace ws_1 --subscription whsub_1 --as-of {as_of}")))
    };
    for (position, stats) in &then {
        assert_eq!(&as_of(&position.to_string()), stats, "at position {position}");
    }
    let status = Program::line("status --json --data-dir").arg(ledger.data_dir()).run().expect_code(0).stdout;
    let status: Value = serde_json::from_str(&status).expect("it is JSON");
    let time = |field: &str| status[field].as_str().expect("it is a time").to_owned();
    assert_eq!(as_of(&time("newest_recorded_at")), then[4].1);
    assert_eq!(as_of(&time("oldest_recorded_at")), then[1].1);
    assert_eq!(as_of("2001-01-01T00:00:00Z"), then[0].1);
    let views = ledger.current_views();
    assert_eq!(
        std::fs::read_dir(views.parent().expect("it has one")).expect("it is there").count(),
        2,
        "nothing is left"
    );
    assert_eq!(status["views_position"], 6, "the views are what they were");

    let beyond = of_folder(&ledger, "stats --workspace ws_1 --subscription whsub_1 --as-of 7").run().expect_code(1);
    assert!(beyond.stderr.contains("the log ends at position 6, before 7"), "{}", beyond.stderr);
    let with_url = Program::line("stats --subscription s --as-of 7 --url http://127.0.0.1:1").run().expect_code(1);
    assert!(with_url.stderr.contains("use --data-dir"), "{}", with_url.stderr);
    let wrong = of_folder(&ledger, "stats --workspace ws_1 --subscription s --as-of yesterday").run().expect_code(2);
    assert!(wrong.stderr.contains("neither a position nor a time"), "{}", wrong.stderr);
}

#[tokio::test]
async fn a_token_that_may_not_is_refused_in_the_servers_words() {
    let ledger = Ledger::new();
    let token = ledger.token("--workspace ws_2 --scope read");
    let server = ledger.serve().await;
    for line in ["stats --workspace ws_1 --subscription whsub_1", "deliveries --workspace ws_1"] {
        let refused = of_server(&server, &token, line).run().expect_code(1);
        assert!(refused.stderr.contains("403"), "{}", refused.stderr);
    }
    let refused = Program::line("deliveries --workspace ws_1 --url").arg(server.url()).run().expect_code(1);
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
}

#[test]
fn every_command_has_completions_a_manual_page_and_examples() {
    let commands = ["verify", "replay", "status", "stats", "deliveries", "completions", "man"];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Program::line(&format!("completions {shell}")).run().expect_code(0).stdout;
        for command in commands {
            assert!(script.contains(command), "{shell} does not complete {command}");
        }
    }
    for command in commands {
        let help = Program::line(&format!("{command} --help")).run().expect_code(0).stdout;
        assert!(help.contains("Usage:") && help.contains("Examples:"), "{command}: {help}");
        let page = Program::line(&format!("man hookledger-{command}")).run().expect_code(0).stdout;
        assert!(page.contains(&format!(".TH hookledger-{command} 1")), "{page}");
        assert!(page.contains("Examples:"), "{page}");
    }
    let main = Program::line("man").run().expect_code(0).stdout;
    assert!(main.contains(".TH hookledger 1"), "{main}");
    let unknown = Program::line("man nothing").run().expect_code(1);
    assert!(unknown.stderr.contains("the pages are hookledger, hookledger-serve, "), "{}", unknown.stderr);
}

#[test]
fn all_manual_pages_are_written_into_a_folder() {
    let folder = tempfile::tempdir().expect("there is room");
    let out = folder.path().join("share/man1");
    Program::line("man --out").arg(&out).run().expect_code(0);
    for page in ["hookledger.1", "hookledger-replay.1", "hookledger-token-create.1"] {
        let text = std::fs::read_to_string(out.join(page)).expect("it was written");
        assert!(text.contains(".SH SYNOPSIS"), "{text}");
    }
}
