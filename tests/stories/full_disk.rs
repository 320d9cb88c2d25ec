//! A disk that takes no more: nothing is acknowledged that was not stored, reads go on, and all is well once there is
//! room.
//!
//! The disk is full for the server alone: its files may not grow beyond a limit of the system's.

use serde_json::{Value, json};

use crate::support::events::{at, created};
use crate::support::{Client, Ledger, Program, Server, eventually};

/// How large a file may become, in blocks of 512 bytes.
const FILE_MAX_BLOCKS: u32 = 4096;

/// Events with payloads that do not compress.
fn events(request: u64) -> Value {
    let event = |n: u64| {
        let mut event = created(("whsub_1", &format!("whdel_{request}_{n}")), &at(0));
        event["data"]["payload"] = json!({"noise": noise(request * 1000 + n)});
        event
    };
    (0..50).map(event).collect()
}

/// 6 000 digits that follow from a number and nothing else.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let digit = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from_digit(u32::try_from(state >> 60).expect("it is four bits"), 16).expect("it is a digit")
    };
    (0..6_000).map(digit).collect()
}

/// The same call with a limit on its files; the signal that says so is passed over, as a full disk sends none.
fn limited(program: Program) -> Program {
    let command = program.into_command();
    let script = format!("trap '' XFSZ; ulimit -f {FILE_MAX_BLOCKS}; exec \"$0\" \"$@\"");
    let limited = Program::of("sh", ["-c", &script]).arg(command.get_program());
    command.get_args().fold(limited, Program::arg)
}

#[tokio::test]
async fn a_full_disk_stops_appends_and_nothing_else_and_loses_nothing() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = Server::start(limited(ledger.serve_program()), &ledger.beside("stderr.log")).await;
    let client = server.client(&token);
    let mut acknowledged = 0;
    let refused = loop {
        let answer = client.append(&events(acknowledged / 50)).await;
        if answer.status != 200 {
            break answer;
        }
        acknowledged += 50;
        assert!(acknowledged < 5_000, "the disk is full some day");
    };
    let problem = refused.problem(503);
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("cannot write its log")), "{problem}");
    assert!(acknowledged > 0);
    client.append(&created(("whsub_1", "later"), &at(1))).await.problem(503);
    let ready = server.open_client().get("/readyz").await.expect_status(503).json();
    assert!(ready["reason"].as_str().is_some_and(|text| text.contains("the log takes no appends")), "{ready}");
    // The views may be full too, and then stay where they are.
    let reader = Client::new(&server.url(), Some(&token.secret));
    let page = reader.get("/v1/events?limit=1").await.expect_status(200);
    assert_eq!(page.position(), acknowledged, "what is readable is what was acknowledged");
    reader.history("workspace_id=ws_1&limit=1").await.expect_status(200);
    server.kill9();

    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&created(("whsub_1", "later"), &at(1))).await;
    eventually("the views show all of it", async || {
        let page = client.history("workspace_id=ws_1&limit=1").await.expect_status(200).json();
        let total = page["total"].as_u64().expect("it is a number");
        // What was refused when the disk became full may have been stored all the same.
        total == acknowledged + 1 || total == acknowledged + 51
    })
    .await;
    server.terminate().await;
    Program::line("verify --data-dir").arg(ledger.data_dir()).run().expect_code(0);
    Program::line("replay --check --data-dir").arg(ledger.data_dir()).run().expect_code(0);
}
