//! `token list`.

use clap::Args;
use ledger_auth::{Scope, TokenId, TokenRecord, TokenSet, TokenState};
use ledger_event::{SubscriptionId, Timestamp, WorkspaceId};
use serde::Serialize;

use crate::data_dir::DataDir;
use crate::settings::Location;
use crate::tokens_file::TokensFile;
use crate::{clock, output};

/// The arguments of `token list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    location: Location,

    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,
}

const COLUMNS: [&str; 7] = ["ID", "WORKSPACE", "SUBSCRIPTION", "SCOPES", "CREATED", "EXPIRES", "STATE"];

/// Runs the command.
pub(crate) fn run(args: &ListArgs) -> anyhow::Result<()> {
    let data_dir = DataDir::open(&args.location.data_dir)?;
    let set = TokensFile::of(&data_dir).load()?;
    let now = clock::now();
    output::print(&if args.json { json(&set, now)? } else { table(&set, now) })
}

/// A token as `--json` shows it: everything but its hash.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a TokenId,
    workspace: Option<&'a WorkspaceId>,
    subscription: Option<&'a SubscriptionId>,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    state: &'static str,
}

fn json(set: &TokenSet, now: Timestamp) -> anyhow::Result<String> {
    let rows: Vec<_> = set.records().iter().map(|record| Row::of(record, now)).collect();
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}

impl<'a> Row<'a> {
    fn of(record: &'a TokenRecord, now: Timestamp) -> Self {
        Self {
            id: &record.id,
            workspace: record.grant.reach.workspace(),
            subscription: record.grant.reach.subscription(),
            scopes: record.grant.scopes.iter().collect(),
            created_at: record.created_at,
            expires_at: record.grant.expires_at,
            revoked_at: record.revoked_at,
            state: record.state(now).as_str(),
        }
    }
}

fn table(set: &TokenSet, now: Timestamp) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(set.records().iter().map(|record| cells(record, now)));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);

    let mut text = String::new();
    for line in &lines {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(widths) {
            padded += &format!("{cell:width$}  ");
        }
        text += padded.trim_end();
        text += "\n";
    }
    text
}

fn cells(record: &TokenRecord, now: Timestamp) -> [String; COLUMNS.len()] {
    let or = |cell: Option<String>, otherwise: &str| cell.unwrap_or_else(|| otherwise.to_owned());
    let reach = &record.grant.reach;
    [
        record.id.to_string(),
        or(reach.workspace().map(WorkspaceId::to_string), "(all)"),
        or(reach.subscription().map(SubscriptionId::to_string), "(all)"),
        record.grant.scopes.to_string(),
        to_the_second(record.created_at),
        or(record.grant.expires_at.map(to_the_second), "never"),
        state(record, now),
    ]
}

fn state(record: &TokenRecord, now: Timestamp) -> String {
    match (record.state(now), record.revoked_at) {
        (TokenState::Revoked, Some(revoked_at)) => format!("revoked {}", to_the_second(revoked_at)),
        (state, _) => state.to_string(),
    }
}

/// Nobody compares the fractions in a table; `--json` has them.
fn to_the_second(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &str = r#"
        [[token]]
        id = "tok_000000000001"
        hash = "0000000000000000000000000000000000000000000000000000000000000001"
        scopes = ["append"]
        created_at = "2026-01-15T10:30:00.120Z"

        [[token]]
        id = "tok_000000000002"
        hash = "0000000000000000000000000000000000000000000000000000000000000002"
        workspace = "ws_č"
        subscription = "whsub_1"
        scopes = ["read"]
        created_at = "2026-01-15T10:30:00Z"
        expires_at = "2026-02-14T10:30:00Z"

        [[token]]
        id = "tok_000000000003"
        hash = "0000000000000000000000000000000000000000000000000000000000000003"
        workspace = "ws_1"
        scopes = ["append", "read", "admin"]
        created_at = "2026-01-15T10:30:00Z"
        revoked_at = "2026-01-16T00:00:00Z"
    "#;

    fn tokens() -> (TokenSet, Timestamp) {
        let set = TokenSet::from_toml(TOKENS).expect("it is a set");
        (set, Timestamp::parse("2026-02-14T10:30:00Z").expect("it is RFC 3339"))
    }

    #[test]
    fn the_table_is_aligned_and_shows_the_state_of_each_token() {
        let (set, now) = tokens();
        let expected = "\
ID                WORKSPACE  SUBSCRIPTION  SCOPES             CREATED               EXPIRES               STATE
tok_000000000001  (all)      (all)         append             2026-01-15T10:30:00Z  never                 active
tok_000000000002  ws_č       whsub_1       read               2026-01-15T10:30:00Z  2026-02-14T10:30:00Z  expired
tok_000000000003  ws_1       (all)         append,read,admin  2026-01-15T10:30:00Z  never                 revoked 2026-01-16T00:00:00Z
";
        assert_eq!(table(&set, now), expected);
    }

    #[test]
    fn the_json_has_every_field_but_the_hash() {
        let (set, now) = tokens();
        let text = json(&set, now).expect("it is written");
        let rows: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let expected = serde_json::json!({
            "id": "tok_000000000001", "workspace": null, "subscription": null, "scopes": ["append"],
            "created_at": "2026-01-15T10:30:00.120Z", "expires_at": null, "revoked_at": null, "state": "active",
        });
        assert_eq!(rows[0], expected);
        assert_eq!((&rows[1]["state"], &rows[2]["state"]), (&"expired".into(), &"revoked".into()));
        assert!(!text.contains("hash"));
        assert_eq!(json(&TokenSet::default(), now).expect("it is written"), "[]\n");
    }
}
