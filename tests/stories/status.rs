//! `status`: where log and views stand, from the folder or from the server.

use serde_json::{Value, json};

use crate::support::events::{at, created, succeeded};
use crate::support::{Ledger, Program, damage, serve_workspace};

fn in_folder(ledger: &Ledger) -> Value {
    let told = Program::line("status --json --data-dir").arg(ledger.data_dir()).run().expect_code(0);
    serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}: {}", told.stdout))
}

#[tokio::test]
async fn a_server_and_its_folder_tell_the_same_positions() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&json!([created(("whsub_1", "a"), &at(0)), created(("whsub_2", "b"), &at(1))])).await;
    client.must_append(&succeeded(("whsub_1", "undescribed"), 1, &at(2), 5)).await;
    client.history("workspace_id=ws_1").await.expect_status(200);

    let told = Program::line("status --json --url").arg(server.url()).run().expect_code(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    let shared = [("log_position", 3), ("views_position", 3), ("views_lag_events", 0), ("deliveries_waiting", 1)];
    for (field, value) in shared {
        assert_eq!(told[field], value, "{told}");
    }
    assert_eq!((&told["readiness"], &told["deliveries_listed"]), (&json!("ready"), &Value::Null));
    server.terminate().await;

    let told = in_folder(&ledger);
    for (field, value) in shared {
        assert_eq!(told[field], value, "{told}");
    }
    assert_eq!(told["deliveries_listed"], 2, "{told}");
    assert!(told["log_size_bytes"].as_u64() > Some(0) && told["views_size_bytes"].as_u64() > Some(0), "{told}");
    let recorded =
        ["oldest_recorded_at", "newest_recorded_at"].map(|field| told[field].as_str().expect("it is a time"));
    assert!(recorded[0] <= recorded[1], "{told}");
    assert_eq!(told["growth_events_per_day"], Value::Null, "seconds tell nothing of a day");
    let verified = Program::line("verify --data-dir").arg(ledger.data_dir()).run().expect_code(0);
    assert!(verified.stdout.contains(told["log_head"].as_str().expect("it is text")), "{}", verified.stdout);

    let text = Program::line("status --data-dir").arg(ledger.data_dir()).run().expect_code(0).stdout;
    assert!(text.lines().any(|line| line.split_whitespace().eq(["deliveries", "waiting", "1"])), "{text}");
}

#[tokio::test]
async fn views_that_are_damaged_or_gone_leave_the_rest_of_the_status() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    client.history("workspace_id=ws_1").await.expect_status(200);
    server.terminate().await;
    damage::break_settings(&ledger.current_views());
    let told = in_folder(&ledger);
    assert_eq!((&told["log_position"], &told["views_position"]), (&json!(1), &Value::Null));
    assert!(told["views_damage"].as_str().is_some_and(|text| !text.contains("panicked")), "{told}");
    std::fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    let told = in_folder(&ledger);
    assert_eq!((&told["views_position"], &told["views_damage"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let refused = Program::line("status --url http://127.0.0.1:1").run().expect_code(1);
    assert!(refused.stderr.contains("http://127.0.0.1:1") && refused.stderr.contains("serve"), "{}", refused.stderr);
}
