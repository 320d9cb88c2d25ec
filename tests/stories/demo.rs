//! The demo: a real dispatcher and a real receiver against a served ledger.

use crate::support::{Ledger, Program};

#[tokio::test]
async fn the_demo_delivers_records_and_finds_its_counts_in_the_ledger() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve().await;
    let demo = || {
        let demo = Program::line("demo --deliveries 40 --url").arg(server.url());
        demo.arg("--token").arg(&token.secret).arg("--workspace").arg("ws_1")
    };
    let told = demo().run().expect_code(0).stdout;
    assert!(told.contains("equal what the dispatcher counted itself"), "{told}");
    assert!(told.contains("history of 40 deliveries"), "{told}");
    let curls: Vec<_> = told.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 2, "{told}");
    assert!(curls.iter().all(|curl| curl.contains(&token.secret) && curl.contains(&server.url())), "{told}");
    assert_eq!(server.client(&token).history("workspace_id=ws_1").await.json()["total"], 40);

    demo().run().expect_code(0);
    assert_eq!(
        server.client(&token).history("workspace_id=ws_1").await.json()["total"],
        80,
        "a second run adds its own"
    );
}

#[tokio::test]
async fn the_demo_says_what_is_wrong_when_it_cannot_start() {
    let ledger = Ledger::new();
    let reader = ledger.token("--workspace ws_1 --scope read");
    let server = ledger.serve().await;
    let demo =
        |token: &str| Program::line("demo --deliveries 1 --url").arg(server.url()).arg("--token").arg(token).run();
    for token in ["nonsense", &reader.secret] {
        let refused = demo(token).expect_code(1);
        assert!(!refused.stderr.is_empty(), "{}", refused.stdout);
        assert!(!refused.stdout.contains("equal what"), "{}", refused.stdout);
    }
}
