//! A setting comes from its flag, else from its variable, else from the file, else from its default.

use serde_json::json;

use crate::support::events::{at, created, event};
use crate::support::{Ledger, Program};

const VARIABLE: &str = "HOOKLEDGER_TEXT_CUT_BYTES";

/// Serves with that call, and tells how much of a long error text is kept.
async fn kept_bytes(ledger: &Ledger, more: impl FnOnce(Program) -> Program) -> usize {
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve_with(more).await;
    let client = server.client(&token);
    let delivery = ("whsub_1", "a");
    let long = event("attempt.failed", delivery, &at(1), json!({"attempt": 1, "error": "x".repeat(2000)}));
    client.must_append(&json!([created(delivery, &at(0)), long])).await;
    let row = client.history("workspace_id=ws_1").await.json()["deliveries"][0].clone();
    row["last_error"].as_str().expect("it is text").len()
}

#[tokio::test]
async fn a_flag_goes_before_a_variable_before_the_file_before_the_default() {
    let config = Ledger::new();
    let file = config.beside("hookledger.toml");
    std::fs::write(&file, "text_cut_bytes = 10\n").expect("it is written");
    assert_eq!(kept_bytes(&Ledger::new(), |serve| serve).await, 1024);
    assert_eq!(kept_bytes(&Ledger::new(), |serve| serve.arg("--config").arg(&file)).await, 10);
    assert_eq!(kept_bytes(&Ledger::new(), |serve| serve.env("HOOKLEDGER_CONFIG", &file)).await, 10);
    assert_eq!(kept_bytes(&Ledger::new(), |serve| serve.arg("--config").arg(&file).env(VARIABLE, "20")).await, 20);
    let all = |serve: Program| serve.arg("--config").arg(&file).env(VARIABLE, "20").arg("--text-cut-bytes=30");
    assert_eq!(kept_bytes(&Ledger::new(), all).await, 30);
}

#[test]
fn a_setting_that_is_wrong_is_refused_by_its_name_wherever_it_stands() {
    let folder = Ledger::new();
    let file = folder.beside("hookledger.toml");
    let serve = || folder.serve_program();
    let refused = serve().arg("--text-cut-bytes=65537").run().expect_code(2);
    assert!(refused.stderr.contains("--text-cut-bytes") && refused.stderr.contains("65536"), "{}", refused.stderr);
    let refused = serve().env(VARIABLE, "many").run().expect_code(2);
    assert!(refused.stderr.contains("text-cut-bytes"), "{}", refused.stderr);
    for (content, words) in [
        ("text_cut_bytes = 65537", "text-cut-bytes"),
        ("colour = \"red\"", "`colour` is not a setting"),
        ("text_cut_bytes = true", "text_cut_bytes"),
        ("nonsense", "nonsense"),
    ] {
        std::fs::write(&file, content).expect("it is written");
        let refused = serve().arg("--config").arg(&file).run().expect_code(2);
        assert!(refused.stderr.contains(words), "{content}: {}", refused.stderr);
        assert!(refused.stderr.contains(&file.display().to_string()), "{content}: {}", refused.stderr);
    }
    let refused = serve().arg("--config").arg(folder.beside("absent.toml")).run().expect_code(2);
    assert!(refused.stderr.contains("absent.toml"), "{}", refused.stderr);
    assert!(!folder.data_dir().exists(), "nothing was made");
}

#[test]
fn every_setting_of_serve_is_in_its_help_with_its_variable() {
    let help = Program::line("serve --help").run().expect_code(0).stdout;
    let names: Vec<_> = help.split_whitespace().filter_map(|word| word.strip_prefix("--")).collect();
    for name in ["data-dir", "config", "listen", "log-format", "text-cut-bytes", "append-queue-bytes"] {
        assert!(names.contains(&name), "{help}");
        let variable = format!("HOOKLEDGER_{}", name.replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable}: {help}");
    }
}
