//! What an operator sees: health, metrics, problems, request ids, one server per folder, help.

use serde_json::json;

use crate::support::events::{at, created, event, failed, started, succeeded};
use crate::support::{Answer, Ledger, Program, serve_workspace};

#[tokio::test]
async fn health_readiness_and_metrics_are_open_to_all() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    let anyone = server.open_client();
    anyone.get("/healthz").await.expect_status(200);
    anyone.get("/metrics").await.expect_status(200);
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    client.history("workspace_id=ws_1").await.expect_status(200);
    let ready = anyone.get("/readyz").await.expect_status(200).json();
    assert_eq!(ready, json!({"status": "ready", "log_position": 1, "views_position": 1}));
}

/// The value of a metric without labels.
fn figure(metrics: &str, name: &str) -> u64 {
    let prefix = format!("{name} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&prefix));
    let value = line.unwrap_or_else(|| panic!("{name} is missing in:\n{metrics}"));
    value.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
}

#[tokio::test]
async fn the_metrics_count_what_was_done() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    let delivery = ("whsub_1", "a");
    client.must_append(&json!([created(delivery, &at(0)), started(delivery, 1, &at(1))])).await;
    client.must_append(&json!([started(delivery, 1, &at(1)), failed(delivery, 1, &at(2), 5)])).await;
    client.must_append(&succeeded(("whsub_1", "undescribed"), 1, &at(3), 5)).await;
    client.append(&event("attempt.started", delivery, &at(1), json!({"attempt": 0}))).await.problem(422);
    server.open_client().append(&created(delivery, &at(0))).await.problem(401);
    client.stats("whsub_1").await.expect_status(200);

    let answer = server.open_client().get("/metrics").await.expect_status(200);
    let content_type = answer.header("Content-Type").unwrap_or_default();
    assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
    let figures = [
        ("hookledger_events_appended_total", 4),
        ("hookledger_events_duplicate_total", 1),
        ("hookledger_append_requests_refused_total", 2),
        ("hookledger_deliveries_waiting", 1),
        ("hookledger_events_projected_total", 4),
        ("hookledger_log_position", 4),
        ("hookledger_views_position", 4),
        ("hookledger_views_lag_events", 0),
        ("hookledger_appends_held", 0),
    ];
    for (name, value) in figures {
        assert_eq!(figure(&answer.text, name), value, "{name}");
    }
    assert!(answer.text.ends_with("# EOF\n"), "an OpenMetrics text has an end");
}

#[tokio::test]
async fn requests_and_their_latencies_are_told_by_route_and_not_by_address() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    for webhook in ["whsub_1", "whsub_2", "whsub_3"] {
        client.stats(webhook).await.expect_status(200);
    }
    client.history("").await.error(400);
    client.get("/nowhere/at/all").await.problem(404);

    let metrics = server.open_client().get("/metrics").await.text;
    let stats = "/api/v1/workspace/webhooks/{webhook_id}/stats";
    let counts = [
        r#"hookledger_http_requests_total{method="POST",route="/v1/events",status="200"} 1"#,
        &format!(r#"hookledger_http_requests_total{{method="GET",route="{stats}",status="200"}} 3"#),
        r#"hookledger_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        &format!(r#"hookledger_http_request_seconds_count{{route="{stats}"}} 3"#),
    ];
    for line in counts {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in:\n{metrics}");
    }
    let history = r#"route="/api/webhookSubscriptions.deliveries",status="400"} 1"#;
    assert!(metrics.contains(history), "{metrics}");
    assert!(!metrics.contains("whsub_2") && !metrics.contains("nowhere"), "{metrics}");
}

#[tokio::test]
async fn the_document_of_every_address_is_open_to_all_and_is_the_committed_one() {
    let (_ledger, server, _client) = serve_workspace("ws_1").await;
    let answer = server.open_client().get("/openapi.json").await.expect_status(200);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let committed = include_str!("../../proto-schemas/openapi/hookledger.openapi.json");
    assert_eq!(answer.json(), serde_json::from_str::<serde_json::Value>(committed).expect("it is JSON"));
    let head = Answer::to(server.open_client().request(reqwest::Method::HEAD, "/openapi.json")).await;
    assert_eq!(head.expect_status(200).text, "");
}

#[tokio::test]
async fn an_unknown_address_is_a_problem_that_names_it() {
    let (_ledger, server, _client) = serve_workspace("ws_1").await;
    for path in ["/", "/v1", "/v1/nothing", "/api/webhookSubscriptions.list"] {
        let problem = server.open_client().get(path).await.problem(404);
        assert!(problem["detail"].as_str().expect("it is text").contains(path), "{problem}");
    }
}

#[tokio::test]
async fn another_method_on_an_open_address_is_a_405_problem() {
    let (_ledger, server, _client) = serve_workspace("ws_1").await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = Answer::to(server.open_client().request(reqwest::Method::POST, path)).await;
        answer.problem(405);
        assert!(answer.header("Allow").unwrap_or_default().contains("GET"), "{path}: {:?}", answer.header("Allow"));
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_the_callers_own_when_it_sends_one() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    let mut seen = Vec::new();
    for path in ["/healthz", "/nowhere", "/metrics", "/api/webhookSubscriptions.deliveries"] {
        let answer = client.get(path).await;
        seen.push(answer.header("X-Request-Id").expect("it has one").to_owned());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "each is another");

    let request = server.open_client().request(reqwest::Method::GET, "/healthz").header("X-Request-Id", "mine-7");
    assert_eq!(Answer::to(request).await.header("X-Request-Id"), Some("mine-7"));
}

#[tokio::test]
async fn log_lines_are_json_when_asked_for_and_carry_the_request_id() {
    let ledger = Ledger::new();
    let server = ledger.serve_with(|serve| serve.arg("--log-format=json").arg("--log-level=debug")).await;
    let request = server.open_client().request(reqwest::Method::GET, "/healthz").header("X-Request-Id", "mine-8");
    Answer::to(request).await.expect_status(200);
    server.terminate().await;
    let log = std::fs::read_to_string(ledger.beside("stderr.log")).expect("it is text");
    for line in log.lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line.is_object()), "{line}");
    }
    assert!(log.lines().any(|line| line.contains("mine-8")), "{log}");
}

#[tokio::test]
async fn a_second_server_on_the_folder_is_refused_and_told_the_way_out() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    let second = ledger.serve_program().run().expect_code(1);
    assert_eq!(second.stdout, "");
    let folder = ledger.data_dir().display().to_string();
    for words in [folder.as_str(), "in use by a running server", "stop it"] {
        assert!(second.stderr.contains(words), "{words}: {}", second.stderr);
    }
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    server.terminate().await;
    ledger.serve().await;
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let (ledger, server, _client) = serve_workspace("ws_1").await;
    server.terminate().await;
    let format = ledger.data_dir().join("FORMAT");
    std::fs::write(&format, "hookledger 99\n").expect("it is written");
    let refused = ledger.serve_program().run().expect_code(1);
    assert!(refused.stderr.contains("format 99") && refused.stderr.contains("newer hookledger"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&format).expect("it is there"), "hookledger 99\n");
}

#[tokio::test]
async fn an_address_in_use_is_refused_by_its_name() {
    let (_ledger, server, _client) = serve_workspace("ws_1").await;
    let other = Ledger::new();
    let serve = Program::line("serve --listen").arg(server.address()).arg("--data-dir").arg(other.data_dir());
    let refused = serve.run().expect_code(1);
    assert!(refused.stderr.contains(server.address()), "{}", refused.stderr);
}

#[test]
fn help_has_examples_and_the_version_is_told() {
    for command in ["", "serve", "token", "token create", "token list", "token revoke", "demo"] {
        let help = Program::line(&format!("{command} --help")).run().expect_code(0).stdout;
        assert!(help.contains("Usage:") && help.contains("Examples:"), "{command}: {help}");
    }
    let version = Program::line("--version").run().expect_code(0).stdout;
    assert_eq!(version.trim_end(), format!("hookledger {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_not_understood_exits_with_2_and_says_what() {
    for (line, words) in [
        ("serve --nonsense", "--nonsense"),
        ("serve --listen nowhere", "--listen"),
        ("token create --workspace ws_1", "--scope"),
        ("dance", "dance"),
    ] {
        let refused = Program::line(line).run().expect_code(2);
        assert!(refused.stderr.contains(words), "{line}: {}", refused.stderr);
    }
}
