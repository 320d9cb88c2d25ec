//! Two workspaces share a ledger; tokens come and go while it serves.

use reqwest::Method;
use serde_json::json;

use crate::support::events::{at, created, succeeded, with};
use crate::support::{Answer, Ledger, Program, eventually};

#[tokio::test]
async fn two_workspaces_see_nothing_of_each_other_through_any_endpoint() {
    let ledger = Ledger::new();
    let tokens = ["ws_1", "ws_2"].map(|workspace| ledger.workspace_token(workspace));
    let server = ledger.serve().await;
    let [first, second] = tokens.map(|token| server.client(&token));
    // The same ids on both sides.
    let delivery = ("whsub_1", "whdel_1");
    first.must_append(&json!([created(delivery, &at(0)), succeeded(delivery, 1, &at(1), 5)])).await;
    let own = second.must_append(&created(delivery, &at(9))).await.json();
    assert_eq!((&own["appended"], &own["duplicates"]), (&json!(1), &json!(0)), "ids are the workspace's own");

    for (client, workspace, other, total) in [(&first, "ws_1", "ws_2", 1), (&second, "ws_2", "ws_1", 0)] {
        let page = client.history(&format!("workspace_id={workspace}")).await.expect_status(200).json();
        assert_eq!((&page["total"], &page["deliveries"][0]["attempts"]), (&json!(1), &json!(total)));
        assert_eq!(client.stats("whsub_1").await.expect_status(200).json()["total"], total);

        client.history(&format!("workspace_id={other}")).await.error(403);
        client.history(&format!("workspace_id={other}&subscription_id=whsub_1")).await.error(403);
        client.history("workspace_id=ws_never").await.error(403);
        let stats = format!("/api/v1/workspace/webhooks/whsub_1/stats?workspace_id={other}");
        client.get(&stats).await.expect_status(403);
        client.append(&with(created(("whsub_1", "x"), &at(0)), "workspace_id", other)).await.problem(403);
    }
}

#[tokio::test]
async fn a_token_made_and_revoked_while_serving_takes_effect() {
    let ledger = Ledger::new();
    let server = ledger.serve().await;
    let token = ledger.workspace_token("ws_1");
    let client = server.client(&token);
    eventually("the new token is known", async || client.history("workspace_id=ws_1").await.status == 200).await;
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;

    ledger.revoke(&token);
    eventually("the token is no longer valid", async || client.history("workspace_id=ws_1").await.status == 401).await;
    client.append(&created(("whsub_1", "b"), &at(1))).await.problem(401);
    client.stats("whsub_1").await.expect_status(401);

    let after = ledger.workspace_token("ws_1");
    let client = server.client(&after);
    eventually("the next token is known", async || client.history("workspace_id=ws_1").await.status == 200).await;
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 1);
}

#[tokio::test]
async fn a_token_is_valid_until_its_time_is_over() {
    let ledger = Ledger::new();
    let long = ledger.token("--workspace ws_1 --scope read --expires 30d");
    let short = ledger.token("--workspace ws_1 --scope read --expires 1s");
    let server = ledger.serve().await;
    let client = server.client(&short);
    eventually("its time is over", async || client.history("workspace_id=ws_1").await.status == 401).await;
    server.client(&long).history("workspace_id=ws_1").await.expect_status(200);
}

#[tokio::test]
async fn a_scope_implies_no_other() {
    let ledger = Ledger::new();
    let scopes = ["append", "read", "admin"].map(|scope| ledger.token(&format!("--workspace ws_1 --scope {scope}")));
    let server = ledger.serve().await;
    let [append, read, admin] = scopes.map(|token| server.client(&token));
    let event = created(("whsub_1", "a"), &at(0));
    append.must_append(&event).await;
    for client in [&read, &admin] {
        client.append(&event).await.problem(403);
    }
    read.history("workspace_id=ws_1").await.expect_status(200);
    read.stats("whsub_1").await.expect_status(200);
    for client in [&append, &admin] {
        client.history("workspace_id=ws_1").await.error(403);
        client.stats("whsub_1").await.expect_status(403);
    }
}

#[tokio::test]
async fn a_token_for_a_subscription_reaches_it_alone() {
    let ledger = Ledger::new();
    let customer = ledger.token("--workspace ws_1 --subscription whsub_1 --scope append --scope read");
    let operator = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let operator = server.client(&operator);
    operator.must_append(&json!([created(("whsub_1", "a"), &at(0)), created(("whsub_2", "b"), &at(1))])).await;
    // The customer waits for nothing that others have sent.
    operator.history("workspace_id=ws_1").await.expect_status(200);

    let customer = server.client(&customer);
    let own = customer.history("workspace_id=ws_1&subscription_id=whsub_1").await.expect_status(200).json();
    assert_eq!(own["total"], 1);
    customer.stats("whsub_1").await.expect_status(200);
    customer.must_append(&succeeded(("whsub_1", "a"), 1, &at(2), 5)).await;

    customer.history("workspace_id=ws_1&subscription_id=whsub_2").await.error(403);
    customer.stats("whsub_2").await.expect_status(403);
    for whole in ["workspace_id=ws_1", "workspace_id=ws_1&subscription_id="] {
        let error = customer.history(whole).await.error(403);
        assert!(error.contains("whsub_1"), "it is told what to name: {error}");
    }
    let mixed = json!([created(("whsub_1", "c"), &at(3)), created(("whsub_2", "c"), &at(3))]);
    assert_eq!(customer.append(&mixed).await.problem(403)["index"], 1);
    assert_eq!(operator.history("workspace_id=ws_1").await.json()["total"], 2);
}

#[tokio::test]
async fn a_token_for_all_workspaces_reaches_each() {
    let ledger = Ledger::new();
    let all = ledger.token("--scope append --scope read");
    let server = ledger.serve().await;
    let client = server.client(&all);
    for workspace in ["ws_1", "ws_2"] {
        client.must_append(&with(created(("whsub_1", "a"), &at(0)), "workspace_id", workspace)).await;
        assert_eq!(client.history(&format!("workspace_id={workspace}")).await.json()["total"], 1);
    }
    assert_eq!(client.history("workspace_id=ws_3").await.expect_status(200).json()["total"], 0);
}

#[test]
fn the_folder_keeps_the_hash_of_a_token_and_not_the_token() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    assert!(token.secret.starts_with("hl_") && token.id.starts_with("tok_"), "{token:?}");
    let file = std::fs::read_to_string(ledger.data_dir().join("tokens.toml")).expect("it is there");
    assert!(file.contains(&token.id) && !file.contains(&token.secret), "{file}");
}

#[test]
fn tokens_are_listed_the_revoked_ones_too() {
    let ledger = Ledger::new();
    let (kept, revoked) = (ledger.workspace_token("ws_1"), ledger.token("--scope read"));
    ledger.revoke(&revoked);
    let list = Program::line("token list --data-dir").arg(ledger.data_dir()).run().expect_code(0).stdout;
    let line = |id: &str| list.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id}: {list}"));
    assert!(line(&kept.id).contains("ws_1") && !line(&kept.id).contains("revoked"), "{list}");
    assert!(line(&revoked.id).contains("revoked"), "{list}");
    assert!(!list.contains(&kept.secret), "{list}");
}

#[tokio::test]
async fn a_damaged_file_of_tokens_leaves_those_that_were_valid() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    std::fs::write(ledger.data_dir().join("tokens.toml"), "nonsense").expect("it is written");
    eventually("the server tells that the file is damaged", async || server.stderr().contains("tokens.toml")).await;
    client.history("workspace_id=ws_1").await.expect_status(200);
    let request = server.open_client().request(Method::GET, "/readyz");
    Answer::to(request).await.expect_status(200);
}
