use ledger_event::{SubscriptionId, WorkspaceId};

use super::*;
use crate::record::{Grant, Reach};
use crate::scope::{Scope, Scopes};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("it is RFC 3339")
}

fn now() -> Timestamp {
    at("2026-01-15T10:30:00Z")
}

fn ws(text: &str) -> WorkspaceId {
    WorkspaceId::parse(text).expect("it is an id")
}

fn issue(reach: Reach, expires_at: Option<Timestamp>) -> (Secret, TokenRecord) {
    let scopes = Scopes::new([Scope::Append, Scope::Read]).expect("there is one");
    TokenRecord::issue(Grant { reach, scopes, expires_at }, now()).expect("there is randomness")
}

fn set_of(records: &[&TokenRecord]) -> TokenSet {
    TokenSet::new(records.iter().copied().cloned().collect()).expect("they are a set")
}

fn authenticate(tokens: &Tokens, secret: &Secret, now: Timestamp) -> Result<Caller, AuthError> {
    let mut headers = HeaderMap::new();
    let value = format!("Bearer {}", secret.expose());
    headers.insert(http::header::AUTHORIZATION, value.parse().expect("it is a header value"));
    tokens.authenticate(&headers, now)
}

#[test]
fn tokens_of_two_workspaces_are_told_apart() {
    let (secret_1, record_1) = issue(Reach::Workspace(ws("ws_1")), None);
    let (secret_2, record_2) = issue(Reach::Workspace(ws("ws_2")), None);
    let tokens = Tokens::new(set_of(&[&record_1, &record_2]));

    let caller = authenticate(&tokens, &secret_1, now()).expect("it is valid");
    assert_eq!((caller.token_id(), caller.workspace()), (&record_1.id, Some(&ws("ws_1"))));
    let caller = authenticate(&tokens, &secret_2, now()).expect("it is valid");
    assert_eq!((caller.token_id(), caller.workspace()), (&record_2.id, Some(&ws("ws_2"))));
}

#[test]
fn unknown_expired_and_revoked_tokens_are_told_apart_for_the_log_and_not_for_the_caller() {
    let (unknown, _) = issue(Reach::All, None);
    let (expired, expired_record) = issue(Reach::All, Some(now()));
    let (revoked, mut revoked_record) = issue(Reach::All, None);
    revoked_record.revoked_at = Some(now());
    let tokens = Tokens::new(set_of(&[&expired_record, &revoked_record]));

    let mut answers = HashSet::new();
    let expected = [
        (&unknown, AuthError::Unknown),
        (&expired, AuthError::Expired { token_id: expired_record.id.clone() }),
        (&revoked, AuthError::Revoked { token_id: revoked_record.id.clone() }),
    ];
    for (secret, error) in expected {
        assert_eq!(authenticate(&tokens, secret, now()), Err(error.clone()));
        answers.insert((error.to_string(), error.challenge()));
    }
    assert_eq!(answers.len(), 1, "one answer for all: {answers:?}");
    assert_eq!(tokens.authenticate(&HeaderMap::new(), now()), Err(AuthError::Missing));
}

#[test]
fn a_token_is_valid_until_just_before_it_expires() {
    let (secret, record) = issue(Reach::All, Some(at("2026-02-14T10:30:00Z")));
    let tokens = Tokens::new(set_of(&[&record]));
    assert!(authenticate(&tokens, &secret, at("2026-02-14T10:29:59.999999Z")).is_ok());
    let error = authenticate(&tokens, &secret, at("2026-02-14T10:30:00Z")).expect_err("it is over");
    assert_eq!((error.cause(), error.token_id()), ("expired", Some(&record.id)));
}

#[test]
fn a_swap_is_seen_by_every_clone_of_the_handle() {
    let (secret, record) = issue(Reach::All, None);
    let tokens = Tokens::default();
    let clone = tokens.clone();
    assert_eq!(authenticate(&clone, &secret, now()), Err(AuthError::Unknown));
    tokens.swap(set_of(&[&record]));
    assert!(authenticate(&clone, &secret, now()).is_ok());
    tokens.swap(TokenSet::default());
    assert_eq!(authenticate(&clone, &secret, now()), Err(AuthError::Unknown));
}

#[test]
fn revoking_ends_a_token_and_twice_keeps_the_first_moment() {
    let (secret, record) = issue(Reach::All, None);
    let mut set = set_of(&[&record]);
    set.revoke(&record.id, now()).expect("it is there");
    let again = set.revoke(&record.id, at("2026-03-01T00:00:00Z")).expect("it is there");
    assert_eq!(again.revoked_at, Some(now()));
    assert_eq!(set.caller(&secret, now()), Err(AuthError::Revoked { token_id: record.id }));

    let id: TokenId = "tok_000000000000".parse().expect("it is an id");
    let error = set.revoke(&id, now()).expect_err("it is not there");
    assert_eq!(error.to_string(), "there is no token tok_000000000000");
}

#[test]
fn a_set_reads_what_it_writes() {
    let subscription = SubscriptionId::parse("whsub_\"1\"").expect("it is an id");
    let (_, all) = issue(Reach::All, None);
    let (_, one) = issue(Reach::Subscription(ws("ws_1"), subscription), Some(at("2026-02-14T10:30:00Z")));
    let mut set = set_of(&[&all, &one]);
    set.revoke(&all.id, now()).expect("it is there");

    let text = set.to_toml();
    assert!(text.starts_with("# The tokens of this ledger."), "{text}");
    assert_eq!(TokenSet::from_toml(&text).expect("it is a set").records(), set.records(), "{text}");
    let empty = TokenSet::default().to_toml();
    assert!(TokenSet::from_toml(&empty).expect("it is a set").records().is_empty());
    assert!(TokenSet::from_toml("").expect("it is a set").records().is_empty());
}

#[test]
fn the_file_is_as_documented() {
    let text = format!(
        "[[token]]\nid = \"tok_0123456789ab\"\nhash = \"{}\"\nworkspace = \"ws_1\"\nsubscription = \"whsub_1\"\n\
         scopes = [\"append\", \"read\"]\ncreated_at = \"2026-01-15T10:30:00Z\"\n\
         expires_at = \"2026-02-14T10:30:00Z\"\n",
        "0a".repeat(32)
    );
    let set = TokenSet::from_toml(&text).expect("it is a set");
    assert!(set.to_toml().ends_with(&text), "{}", set.to_toml());
}

#[test]
fn a_file_that_is_not_right_is_refused_with_the_reason() {
    let (_, record) = issue(Reach::All, None);
    let good = set_of(&[&record]).to_toml();
    let cases = [
        (good.replace("created_at", "made_at"), "unknown field `made_at`"),
        (format!("tokens = 1\n{good}"), "unknown field `tokens`"),
        (
            format!("{good}subscription = \"whsub_1\"\n"),
            "a token for a subscription needs the subscription's workspace",
        ),
        (good.replace("\"append\", \"read\"", ""), "a token needs a scope: choose from append, read, admin"),
        (good.replace("append", "write"), "`write` is not a scope: choose from append, read, admin"),
        (good.replace("tok_", "toc_"), "is not a token id"),
        (good.replace("hash = \"", "hash = \"x"), "is not a hash"),
        (good.replace("[[token]]", "[[token"), "line 5"),
    ];
    for (text, reason) in cases {
        let error = TokenSet::from_toml(&text).expect_err("it is refused");
        let TokenError::Toml { source } = error else { panic!("{error}") };
        assert!(source.to_string().contains(reason), "{source}\nlacks: {reason}");
    }
    let tables = good.trim_start_matches(HEADER);
    let error = TokenSet::from_toml(&format!("{tables}{tables}")).expect_err("it is refused");
    assert!(matches!(error, TokenError::IdTwice { .. }), "{error}");
}

#[test]
fn a_set_is_bounded_and_its_ids_and_hashes_are_unique() {
    let (_, record) = issue(Reach::All, None);
    let (_, mut other) = issue(Reach::All, None);
    other.hash = record.hash;
    let mut set = set_of(&[&record]);
    assert!(matches!(set.insert(record.clone()), Err(TokenError::IdTwice { .. })));
    assert!(matches!(set.insert(other), Err(TokenError::HashTwice { .. })));

    let fill = |count: usize| TokenSet::new((0..count).map(|_| issue(Reach::All, None).1).collect());
    let mut full = fill(TOKENS_MAX).expect("that many are allowed");
    assert!(matches!(full.insert(record), Err(TokenError::TooMany)));
    assert!(matches!(fill(TOKENS_MAX + 1), Err(TokenError::TooMany)));
}
