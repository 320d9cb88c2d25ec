//! Signed heads: kept elsewhere, they prove later what the log held.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::events::{at, created};
use crate::support::{Ledger, Outcome, Program, serve_workspace};

fn in_folder(ledger: &Ledger, line: &str) -> Outcome {
    Program::line(line).arg("--data-dir").arg(ledger.data_dir()).run()
}

#[tokio::test]
async fn a_checkpoint_that_a_server_gave_is_verified_against_the_folder_later() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    let answer = client.get("/v1/log/checkpoint").await.expect_status(200);
    assert_eq!((answer.position(), answer.header("Content-Type")), (1, Some("text/plain; charset=utf-8")));
    let asked = Program::line("checkpoint --url").arg(server.url()).env("HOOKLEDGER_TOKEN", &token.secret);
    let written = tokio::task::spawn_blocking(|| asked.run()).await.expect("nothing panics").expect_code(0).stdout;
    assert_eq!(written, answer.text);
    client.must_append(&created(("whsub_1", "b"), &at(1))).await;
    server.terminate().await;

    let (file, key) =
        (ledger.beside("checkpoint"), in_folder(&ledger, "checkpoint --verifier-key").expect_code(0).stdout);
    fs::write(&file, &written).expect("there is room");
    let verify = |line: &str| in_folder(&ledger, &format!("verify --checkpoint {} {line}", file.display()));
    for line in [String::new(), format!("--verifier-key {key}")] {
        let verified = verify(&line).expect_code(0);
        assert!(verified.stdout.contains("holds everything up to position 1, unchanged"), "{}", verified.stdout);
    }
    fs::write(&file, written.replacen("\n1\n", "\n2\n", 1)).expect("there is room");
    let refused = verify("").expect_code(1);
    assert!(refused.stderr.contains("its signature does not match"), "{}", refused.stderr);
    assert_eq!(verify("--verifier-key nonsense").code, Some(2));
}

#[tokio::test]
async fn a_checkpoint_of_another_ledger_proves_nothing_and_one_of_a_longer_log_is_damage() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    server.client(&token).must_append(&created(("whsub_1", "a"), &at(0))).await;
    server.terminate().await;
    let old = ledger.beside("old log");
    fs::rename(ledger.data_dir().join("log"), &old).expect("they are on one disk");
    fs::create_dir(ledger.data_dir().join("log")).expect("there is room");
    for entry in fs::read_dir(&old).expect("it is there") {
        let entry = entry.expect("it reads");
        if entry.file_type().expect("it has one").is_file() {
            fs::copy(entry.path(), ledger.data_dir().join("log").join(entry.file_name())).expect("there is room");
        }
    }
    let server = ledger.serve().await;
    let client = server.client(&token);
    client.must_append(&created(("whsub_1", "b"), &at(1))).await;
    let longer = client.get("/v1/log/checkpoint").await.expect_status(200).text;
    server.terminate().await;
    let (file, log) = (ledger.beside("checkpoint"), ledger.data_dir().join("log"));
    fs::write(&file, longer).expect("there is room");
    fs::remove_dir_all(&log).expect("it is in a folder of its own");
    fs::rename(old, log).expect("they are on one disk");
    fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    let shorter = in_folder(&ledger, &format!("verify --checkpoint {}", file.display())).expect_code(1);
    assert!(shorter.stderr.contains("the log ends at position 1, before 2"), "{}", shorter.stderr);

    let (other, server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    server.terminate().await;
    let foreign = in_folder(&other, &format!("verify --checkpoint {}", file.display())).expect_code(1);
    assert!(foreign.stderr.contains("no signature of the key hookledger.log/"), "{}", foreign.stderr);
}

#[tokio::test]
async fn the_key_is_for_its_owner_alone_and_the_checkpoint_for_those_who_may_read() {
    let ledger = Ledger::new();
    let sender = ledger.token("--workspace ws_1 --scope append");
    let server = ledger.serve().await;
    let mode = fs::metadata(ledger.data_dir().join("head.key")).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.open_client().get("/v1/log/checkpoint").await.problem(401);
    server.client(&sender).get("/v1/log/checkpoint").await.problem(403);
}
