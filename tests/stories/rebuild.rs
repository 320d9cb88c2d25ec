//! A rebuild while the ledger serves: the same answers before, meanwhile and after, and damage that mends itself.

use serde_json::{Value, json};

use crate::support::events::{at, created, failed, succeeded};
use crate::support::{Client, Ledger, Outcome, Program, Server, Token, damage, eventually};

/// A token that may rebuild.
fn admin(ledger: &Ledger) -> Token {
    ledger.token("--scope admin")
}

/// Asks the server for a rebuild and waits for it, without holding up the story's own tasks.
async fn replay(server: &Server, token: &Token) -> Outcome {
    let program = Program::line("replay --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret);
    tokio::task::spawn_blocking(|| program.run()).await.expect("nothing panics")
}

/// So many deliveries of two subscriptions, with two attempts each.
fn history(deliveries: std::ops::Range<u32>) -> Vec<Value> {
    let mut events = Vec::new();
    for n in deliveries {
        let id = format!("whdel_{n:05}");
        let delivery = (if n % 3 == 0 { "whsub_a" } else { "whsub_b" }, id.as_str());
        let t = n * 7 % 60 * 10;
        events.extend([
            created(delivery, &at(t)),
            failed(delivery, 1, &at(t + 1), 10 + n % 100),
            succeeded(delivery, 2, &at(t + 9), 7),
        ]);
    }
    events
}

/// A server with that history, read up to its end.
async fn serving(deliveries: u32) -> (Ledger, Token, Server, Client) {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let admin = admin(&ledger);
    let server = ledger.serve().await;
    let client = server.client(&token);
    for part in history(0..deliveries).chunks(5_000) {
        client.must_append(&part.into()).await;
    }
    client.history("workspace_id=ws_1").await.expect_status(200);
    (ledger, admin, server, client)
}

#[tokio::test]
async fn a_rebuild_is_asked_for_and_waited_for_from_the_terminal_while_readers_and_senders_go_on() {
    let (ledger, admin, server, client) = serving(3_000).await;
    let old = ledger.current_views();
    let rebuilding = replay(&server, &admin);
    let going_on = async {
        let (mut position, mut total) = (0, 0);
        for n in 3_000..3_100 {
            client.must_append(&history(n..n + 1).into()).await;
            let page = client.history("workspace_id=ws_1&limit=1").await.expect_status(200);
            let (now, listed) = (page.position(), page.json()["total"].as_u64().expect("it is a number"));
            assert!(now >= position && listed >= total, "from {position} with {total} to {now} with {listed}");
            assert_eq!(listed, u64::from(n) + 1, "it shows what was just sent");
            (position, total) = (now, listed);
        }
    };
    let (rebuilt, ()) = tokio::join!(rebuilding, going_on);
    let rebuilt = rebuilt.expect_code(0);
    assert!(rebuilt.stdout.starts_with("The views are made anew from "), "{}", rebuilt.stdout);
    assert_ne!(ledger.current_views(), old);
    let stats = client.stats("whsub_b").await.expect_status(200).json();
    assert_eq!((&stats["success_count"], &stats["failed_count"]), (&json!(2066), &json!(2066)));
    server.terminate().await;
    assert!(!old.exists(), "the old views are gone");
    let checked = Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
    assert!(checked.stdout.starts_with("identical: "), "{}", checked.stdout);
}

#[tokio::test]
async fn the_last_rebuild_is_told_and_one_that_runs_is_joined() {
    let (_ledger, admin, server, _client) = serving(1_000).await;
    let client = server.client(&admin);
    let never = client.get("/v1/admin/rebuild").await.expect_status(200).json();
    let expected = json!({"state": "never", "started_at": null, "finished_at": null, "position": 0, "views_position": 3000, "error": null});
    assert_eq!(never, expected);
    let started = client.post("/v1/admin/rebuild").await.expect_status(202).json();
    assert_eq!((&started["state"], &started["finished_at"]), (&json!("running"), &Value::Null));
    let joined = client.post("/v1/admin/rebuild").await.expect_status(202).json();
    if joined["state"] == "running" {
        assert_eq!(joined["started_at"], started["started_at"]);
    }
    eventually("the rebuild is done", async || {
        let now = client.get("/v1/admin/rebuild").await.expect_status(200).json();
        now["state"] == "done" && now["position"] == 3000 && now["finished_at"].is_string()
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_is_for_an_administrator_of_all_workspaces() {
    let ledger = Ledger::new();
    let refused = [
        (ledger.token("--workspace ws_1 --scope admin"), "about all of them"),
        (ledger.token("--scope read --scope append"), "no scope `admin`"),
    ];
    let server = ledger.serve().await;
    for (token, why) in &refused {
        let client = server.client(token);
        for answer in [client.get("/v1/admin/rebuild").await, client.post("/v1/admin/rebuild").await] {
            let problem = answer.problem(403);
            assert!(problem["detail"].as_str().expect("it is text").contains(why), "{problem}");
        }
        let told = replay(&server, token).await.expect_code(1);
        assert!(told.stderr.contains(why), "{}", told.stderr);
    }
    server.open_client().get("/v1/admin/rebuild").await.problem(401);
    let check = Program::line("replay --check --url").arg(server.url()).run().expect_code(1);
    assert!(check.stderr.contains("use --data-dir"), "{}", check.stderr);
}

#[tokio::test]
async fn views_that_are_found_damaged_while_serving_are_rebuilt_by_themselves() {
    let (ledger, _admin, server, _client) = serving(50).await;
    let token = ledger.workspace_token("ws_1");
    server.terminate().await;
    damage::change_pages(&ledger.current_views(), damage::STATES, |_| b"nonsense".to_vec());

    let server = ledger.serve().await;
    let client = server.client(&token);
    // Another attempt of a delivery whose row is nonsense: the projector meets it.
    client.must_append(&succeeded(("whsub_a", "whdel_00000"), 3, &at(99), 5)).await;
    let page = client.history("workspace_id=ws_1&subscription_id=whsub_a&limit=100").await.expect_status(200).json();
    let rows = page["deliveries"].as_array().expect("it is a list");
    let row = rows.iter().find(|row| row["id"] == "whdel_00000").expect("it is listed");
    assert_eq!((&row["attempts"], &row["status"]), (&json!(3), &json!("delivered")));
    eventually("it is ready, and says why it was not", async || {
        let is_ready = server.open_client().get("/readyz").await.status == 200;
        is_ready && server.stderr().contains("the views were rebuilt from the log")
    })
    .await;
    server.terminate().await;
    Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_of_rebuilds_serves_whole_views() {
    let (ledger, admin, mut server, client) = serving(1_500).await;
    let before = client.history("workspace_id=ws_1&limit=100&offset=700").await.expect_status(200).text;
    let token = ledger.workspace_token("ws_1");
    for deliveries in 0..6 {
        server.client(&admin).post("/v1/admin/rebuild").await.expect_status(202);
        // At another moment each time: counted in answers, of which each takes a little.
        for _ in 0..deliveries * 12 {
            server.client(&admin).get("/v1/admin/rebuild").await.expect_status(200);
        }
        server.kill9();
        server = ledger.serve().await;
        let after = server.client(&token).history("workspace_id=ws_1&limit=100&offset=700").await;
        assert_eq!(after.expect_status(200).text, before);
    }
    server.terminate().await;
    Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
}
