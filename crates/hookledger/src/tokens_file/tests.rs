use std::fs;

use ledger_auth::{Grant, Reach, Scope, Scopes, Secret, TokenError, TokenRecord};
use tempfile::TempDir;

use super::*;
use crate::clock;

fn ledger() -> (TempDir, TokensFile) {
    let folder = tempfile::tempdir().expect("there is room");
    let data_dir = DataDir::open_or_create(folder.path()).expect("it is made");
    (folder, TokensFile::of(&data_dir))
}

fn issue() -> (Secret, TokenRecord) {
    let scopes = Scopes::new([Scope::Read]).expect("there is one");
    let grant = Grant { reach: Reach::All, scopes, expires_at: None };
    TokenRecord::issue(grant, clock::now()).expect("there is randomness")
}

fn add(file: &TokensFile) -> Secret {
    let (secret, record) = issue();
    file.edit(|set| Ok(set.insert(record)?)).expect("it is written");
    secret
}

fn is_known(tokens: &Tokens, secret: &Secret) -> bool {
    tokens.current().caller(secret, clock::now()).is_ok()
}

#[test]
fn a_file_that_is_not_there_holds_no_tokens_and_the_first_edit_makes_it_private() {
    let (folder, file) = ledger();
    assert!(file.load().expect("none is fine").records().is_empty());
    add(&file);
    assert_eq!(file.load().expect("it is there").records().len(), 1);
    let mode = fs::metadata(folder.path().join("tokens.toml")).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn edits_at_once_do_not_lose_each_other() {
    let (_folder, file) = ledger();
    let (threads, edits) = (8, 10);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..edits).for_each(|_| drop(add(&file))));
        }
    });
    assert_eq!(file.load().expect("it is there").records().len(), threads * edits);
}

#[test]
fn a_change_that_fails_writes_nothing() {
    let (folder, file) = ledger();
    let unknown = issue().1.id;
    let error = file.edit(|set| Ok(set.revoke(&unknown, clock::now()).map(drop)?)).expect_err("it is refused");
    assert!(matches!(error.downcast_ref(), Some(TokenError::UnknownId { .. })), "{error}");
    assert!(!folder.path().join("tokens.toml").exists());
}

#[test]
fn a_watch_takes_up_made_and_revoked_tokens_and_a_removed_file() {
    let (folder, file) = ledger();
    let (tokens, mut watch) = file.clone().watched().expect("none is fine");
    let secret = add(&file);
    assert!(!is_known(&tokens, &secret));
    watch.look();
    assert!(is_known(&tokens, &secret));

    let id = file.load().expect("it is there").records()[0].id.clone();
    file.edit(|set| Ok(set.revoke(&id, clock::now()).map(drop)?)).expect("it is written");
    watch.look();
    assert!(!is_known(&tokens, &secret));

    let secret = add(&file);
    watch.look();
    assert!(is_known(&tokens, &secret));
    fs::remove_file(folder.path().join("tokens.toml")).expect("it is there");
    watch.look();
    assert!(tokens.current().records().is_empty());
}

#[test]
fn a_broken_file_keeps_the_tokens_until_it_is_right_again() {
    let (folder, file) = ledger();
    let secret = add(&file);
    let (tokens, mut watch) = file.clone().watched().expect("it is right");
    let path = folder.path().join("tokens.toml");
    let good = fs::read_to_string(&path).expect("it is there");

    fs::write(&path, "[[token]]\nid = 7\n").expect("it is written");
    watch.look();
    assert_eq!(watch.told, Some(version_of(&path)), "the fault is told, and not again for this version");
    watch.look();
    assert!(is_known(&tokens, &secret));
    let error = format!("{:#}", file.edit(|_| Ok(())).expect_err("it is not overwritten"));
    assert!(error.contains("tokens.toml: the text is not a list of tokens: TOML parse error at line"), "{error}");

    fs::write(&path, good.replace("\"read\"", "\"append\"")).expect("it is written");
    watch.look();
    assert!(tokens.current().records()[0].grant.scopes.contains(Scope::Append));
}

#[test]
fn a_file_over_its_bound_is_refused() {
    let (folder, file) = ledger();
    let too_long = "#".repeat(usize::try_from(MAX_BYTES).expect("it fits") + 1);
    fs::write(folder.path().join("tokens.toml"), too_long).expect("it is written");
    let error = format!("{:#}", file.load().expect_err("it is refused"));
    assert!(error.ends_with("the file is larger than 16777216 bytes"), "{error}");
}

#[tokio::test]
async fn a_running_watch_takes_up_one_change_after_another() {
    let (_folder, file) = ledger();
    let (tokens, watch) = file.clone().watched().expect("none is fine");
    let watching = tokio::spawn(watch.run());
    for _ in 0..2 {
        let secret = add(&file);
        let taken_up = async {
            while !is_known(&tokens, &secret) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), taken_up).await.expect("it is taken up");
    }
    watching.abort();
}
