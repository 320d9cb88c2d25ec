//! `token`: make, list and revoke tokens, also while a server runs on the same folder.

mod expires_in;
mod list;

use anyhow::Context;
use clap::{Args, Subcommand};
use ledger_auth::{Grant, Reach, Scope, Scopes, Secret, TokenId, TokenRecord};
use ledger_event::{SubscriptionId, Timestamp, WorkspaceId};

use self::expires_in::ExpiresIn;
use self::list::ListArgs;
use crate::data_dir::DataDir;
use crate::settings::Location;
use crate::tokens_file::TokensFile;
use crate::{clock, output};

const CREATE_EXAMPLES: &str = "\
Examples:
  hookledger token create --workspace ws_1 --scope append --scope read
  hookledger token create --workspace ws_1 --subscription whsub_1 --scope read --expires 30d
  TOKEN=$(hookledger token create --scope append)";

const LIST_EXAMPLES: &str = "\
Examples:
  hookledger token list --data-dir /var/lib/hookledger
  hookledger token list --json";

const REVOKE_EXAMPLES: &str = "\
Examples:
  hookledger token revoke tok_0123456789ab";

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token: itself on standard output, its id on standard error
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// List the tokens, the expired and revoked ones too
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Take a token back
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeArgs),
}

/// The arguments of `token create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    location: Location,

    /// The one workspace it is for [default: all]
    #[arg(long, value_name = "WS")]
    workspace: Option<WorkspaceId>,

    /// The one subscription of the workspace it is for, for a customer's portal [default: all]
    #[arg(long, value_name = "SUB", requires = "workspace")]
    subscription: Option<SubscriptionId>,

    /// What it may do: append, read or admin; repeat it for several. None implies another
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,

    /// How long it is valid: 90s, 15m, 12h or 30d, from 1s to 3650d [default: for ever]
    #[arg(long = "expires", value_name = "TIME")]
    expires_in: Option<ExpiresIn>,
}

/// The arguments of `token revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    location: Location,

    /// The id of the token, such as tok_0123456789ab
    id: TokenId,
}

/// Runs the command.
pub(crate) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create(args) => create(args),
        TokenCommand::List(args) => list::run(&args),
        TokenCommand::Revoke(args) => revoke(&args),
    }
}

fn create(args: CreateArgs) -> anyhow::Result<()> {
    let data_dir = DataDir::open_or_create(&args.location.data_dir)?;
    let (secret, id) = add(&TokensFile::of(&data_dir), args, clock::now())?;
    output::remark(id.as_str());
    output::hand_over(&format!("{}\n", secret.expose()))
        .with_context(|| format!("the token {id} was made, but is lost: revoke it"))
}

fn add(file: &TokensFile, args: CreateArgs, now: Timestamp) -> anyhow::Result<(Secret, TokenId)> {
    let grant = Grant {
        reach: Reach::new(args.workspace, args.subscription)?,
        scopes: Scopes::new(args.scopes)?,
        expires_at: args.expires_in.map(|expires_in| expires_in.after(now)).transpose()?,
    };
    let (secret, record) = TokenRecord::issue(grant, now)?;
    let id = record.id.clone();
    file.edit(|set| Ok(set.insert(record)?))?;
    Ok((secret, id))
}

fn revoke(args: &RevokeArgs) -> anyhow::Result<()> {
    let data_dir = DataDir::open(&args.location.data_dir)?;
    let now = clock::now();
    let revoked = TokensFile::of(&data_dir).edit(|set| Ok(set.revoke(&args.id, now).map(drop)?));
    revoked.with_context(|| format!("cannot revoke a token of {}", data_dir.path().display()))?;
    output::remark(&format!("{} is revoked", args.id));
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: TokenCommand,
    }

    fn create_args(line: &str) -> Result<CreateArgs, clap::Error> {
        let line = Line::try_parse_from(["token", "create"].into_iter().chain(line.split_whitespace()))?;
        let TokenCommand::Create(args) = line.command else { panic!("it is create") };
        Ok(args)
    }

    #[test]
    fn a_token_is_made_as_asked_for() {
        let folder = tempfile::tempdir().expect("there is room");
        let file = TokensFile::of(&DataDir::open_or_create(folder.path()).expect("it is made"));
        let args = create_args("--workspace ws_1 --subscription whsub_1 --scope read --scope append --expires 30d");
        let now = Timestamp::parse("2026-01-15T10:30:00Z").expect("it is RFC 3339");
        let (secret, id) = add(&file, args.expect("they are right"), now).expect("it is made");

        let set = file.load().expect("it is there");
        let grant = &set.records()[0].grant;
        assert_eq!(grant.reach.workspace().map(WorkspaceId::as_str), Some("ws_1"));
        assert_eq!(grant.reach.subscription().map(SubscriptionId::as_str), Some("whsub_1"));
        assert_eq!(grant.scopes.to_string(), "append,read");
        assert_eq!(grant.expires_at, Some(Timestamp::parse("2026-02-14T10:30:00Z").expect("it is RFC 3339")));
        assert_eq!(set.caller(&secret, now).expect("it is valid").token_id(), &id);
    }

    #[test]
    fn what_is_not_a_token_is_refused_with_the_reason() {
        let refusals = [
            ("--workspace ws_1", "--scope <SCOPE>"),
            ("--scope write", "`write` is not a scope: choose from append, read, admin"),
            ("--scope read --subscription whsub_1", "--workspace <WS>"),
            ("--scope read --workspace=", "1 to 255 bytes"),
            ("--scope read --expires 30", "`30` is not a time: it is a whole number and s, m, h or d"),
            ("--scope read --expires 3651d", "3651d is not within 1s and 3650d"),
        ];
        for (line, reason) in refusals {
            let error = create_args(line).expect_err("it is refused").to_string();
            assert!(error.contains(reason), "{error}\nlacks: {reason}");
        }
    }
}
