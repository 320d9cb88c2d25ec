//! The command line.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bench::{self, BenchArgs};
use crate::commands::backup::BackupArgs;
use crate::commands::checkpoint::CheckpointArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::deliveries::DeliveriesArgs;
use crate::commands::export::ExportArgs;
use crate::commands::ingest::IngestArgs;
use crate::commands::man::ManArgs;
use crate::commands::probe_log::ProbeLogArgs;
use crate::commands::replay::ReplayArgs;
use crate::commands::restore::RestoreArgs;
use crate::commands::stats::StatsArgs;
use crate::commands::status::StatusArgs;
use crate::commands::token::TokenCommand;
use crate::commands::verify::VerifyArgs;
use crate::config_file;
use crate::demo::DemoArgs;
use crate::settings::ServeSettings;

const EXAMPLES: &str = "\
Examples:
  hookledger serve --data-dir ./data
  hookledger token create --data-dir ./data --workspace ws_1 --scope append --scope read
  hookledger ingest --data-dir ./data events.ndjson
  hookledger export --data-dir ./data -o events.ndjson
  hookledger demo --url http://127.0.0.1:8080 --token hl_…

A setting is taken from its flag, else from its variable, else from the file of
--config, else from its default. It has one name: --data-dir as a flag,
HOOKLEDGER_DATA_DIR as a variable, data_dir in the file.";

const SERVE_EXAMPLES: &str = "\
Examples:
  hookledger serve
  hookledger serve --data-dir /var/lib/hookledger --listen 0.0.0.0:8080 --log-format json
  HOOKLEDGER_LISTEN=127.0.0.1:0 hookledger serve --config hookledger.toml

hookledger.toml:
  data_dir = \"/var/lib/hookledger\"
  text_cut_bytes = 4096";

const TOKEN_EXAMPLES: &str = "\
Examples:
  hookledger token create --workspace ws_1 --scope append --scope read
  hookledger token create --workspace ws_1 --subscription whsub_1 --scope read --expires 30d
  TOKEN=$(hookledger token create --scope append)
  hookledger token list --json
  hookledger token revoke tok_0123456789ab

They work while a server runs on the same folder; it takes up a change within a second.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  hookledger verify --data-dir /var/lib/hookledger
  hookledger verify --head 970:5b1f…

Every chunk from the first on must have its checksums, the hash of its content and
the hash of the chunk before. The printed head stands for all of it: kept elsewhere
and given as --head later, it proves that nothing up to there was changed or lost.";

const BACKUP_EXAMPLES: &str = "\
Examples:
  hookledger backup --url http://127.0.0.1:8080 --token hl_… -o /mnt/backup/ledger
  hookledger backup --data-dir /var/lib/hookledger -o /mnt/backup/ledger
  hookledger restore --archive /mnt/backup/ledger --data-dir ./data

The folder holds the sealed segments, and one more of what is not sealed yet; all of it is read
back and verified. A server wants a token for all workspaces with the scope admin. Tokens and
views are not copied: views are made anew from the log.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  hookledger restore --archive /mnt/archive/ledger --data-dir /var/lib/hookledger
  hookledger restore --data-dir /var/lib/hookledger

Each event is taken from wherever it is whole: the archive, the folder's own segments, or the
damaged hot tier. What was there before is kept beside, as log.damaged-… and segments.damaged-….
A log that is whole is left as it is, unless --force is given.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  hookledger replay --data-dir /var/lib/hookledger
  hookledger replay --check
  hookledger replay --url http://127.0.0.1:8080 --token hl_…

The old views stay until the new ones are whole: an interrupted replay changes nothing.
A server goes on serving meanwhile; it wants a token for all workspaces with the scope admin.";

const CHECKPOINT_EXAMPLES: &str = "\
Examples:
  hookledger checkpoint --url http://127.0.0.1:8080 --token hl_… > 2026-01-15.checkpoint
  hookledger checkpoint --data-dir ./data --verifier-key > ledger.vkey
  hookledger verify --data-dir ./data --checkpoint 2026-01-15.checkpoint --verifier-key \"$(cat ledger.vkey)\"

A checkpoint is a C2SP signed note (Ed25519) of the head: its position, and the hash of the
chain there. Keep checkpoints where the ledger cannot change them.";

const STATUS_EXAMPLES: &str = "\
Examples:
  hookledger status --data-dir /var/lib/hookledger
  hookledger status --url http://127.0.0.1:8080 --json";

const STATS_EXAMPLES: &str = "\
Examples:
  hookledger stats --url http://127.0.0.1:8080 --token hl_… --subscription whsub_1
  hookledger stats --data-dir ./data --workspace ws_1 --subscription whsub_1 --json
  hookledger stats --workspace ws_1 --subscription whsub_1 --as-of 2026-01-15T10:30:00Z
  hookledger stats --workspace ws_1 --subscription whsub_1 --as-of 970";

const DELIVERIES_EXAMPLES: &str = "\
Examples:
  hookledger deliveries --url http://127.0.0.1:8080 --token hl_… --workspace ws_1
  hookledger deliveries --data-dir ./data --workspace ws_1 --subscription whsub_1
  hookledger deliveries --workspace ws_1 --limit 100 --offset 1000000 --json";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  hookledger completions bash > /etc/bash_completion.d/hookledger
  hookledger completions zsh > ~/.zfunc/_hookledger
  hookledger completions fish > ~/.config/fish/completions/hookledger.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  hookledger man | man -l -
  hookledger man hookledger-replay
  hookledger man --out /usr/local/share/man/man1";

const DEMO_EXAMPLES: &str = "\
Examples:
  hookledger demo --token hl_…
  hookledger demo --url http://127.0.0.1:8080 --token hl_… --deliveries 1000 --seed 7
  HOOKLEDGER_TOKEN=hl_… hookledger demo --workspace ws_1";

const INGEST_EXAMPLES: &str = "\
Examples:
  hookledger ingest --data-dir ./data events.ndjson more.ndjson.zst
  hookledger ingest --url http://127.0.0.1:8080 --token hl_… --workspace ws_1 events.ndjson
  psql -XAtc \"SELECT json_build_object(…) FROM webhook_deliveries\" | hookledger ingest --data-dir ./data -

A line is an event, as POST /v1/events takes it; position and recorded_at are passed over,
so that exports can be ingested. A line without an id needs occurred_at, and gets an id
that follows from what it says. So running it again changes no figure; what is among the
last events that the ledger remembers is not even stored again.

A line that is no event is named by its number and ends it with 1; what stands before it is
appended. Ctrl-C finishes what is under way and ends it with 130.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  hookledger export --data-dir ./data -o events.ndjson
  hookledger export --url http://127.0.0.1:8080 --token hl_… --workspace ws_1 | zstd > ws_1.ndjson.zst
  hookledger export --data-dir ./data --format csv -o attempts.csv
  hookledger export --data-dir ./data --from 1000001 --to 2000000

ndjson   an event a line, as `ingest` takes it, with its position and recorded_at
msgpack  the same as MessagePack maps, one after the other; a payload is a string of JSON,
         to the letter, and times are microseconds since 1970
csv      a row for each event of an attempt, for a spreadsheet: workspace_id, subscription_id,
         delivery_id, event_type, url, attempt, kind, started_at, finished_at, duration_ms,
         response_status, error, next_attempt_at, id, position, recorded_at. A text that a
         spreadsheet would take for a formula begins with '. event_type and url are empty
         where the delivery was described before --from, or very long before

A file of -o appears under its name when it is whole.";

/// The system of record for webhook deliveries: every attempt kept, stats and history exact.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the ledger: take events in, answer stats and history
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeSettings),
    /// Make, list and revoke the tokens that requests are sent with
    #[command(subcommand, after_help = TOKEN_EXAMPLES, arg_required_else_help = true)]
    Token(TokenCommand),
    /// Append the events of files, through a server or into a folder that no server has open
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(IngestArgs),
    /// Write the log, in order: an event a line, or for a spreadsheet
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Prove that the log is whole, from its first event to its head
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Write the head of the log as a signed note, to be verified later
    #[command(after_help = CHECKPOINT_EXAMPLES)]
    Checkpoint(CheckpointArgs),
    /// Copy the log into a folder, also while it is served: each run adds what is new
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Rebuild a lost or damaged log from an archive or backup, and from what is whole of it
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// Open a copy of a log, for a program that waits for the outcome and no longer than it likes
    #[command(hide = true)]
    ProbeLog(ProbeLogArgs),
    /// Make the views anew from the log, or compare them with it
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Tell how far log and views have come, and how large they are
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Tell how a subscription is doing, now or as of an earlier position or time
    #[command(after_help = STATS_EXAMPLES)]
    Stats(StatsArgs),
    /// List deliveries, newest first
    #[command(after_help = DELIVERIES_EXAMPLES)]
    Deliveries(DeliveriesArgs),
    /// Write what a shell completes this command line with
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages
    #[command(after_help = MAN_EXAMPLES)]
    Man(ManArgs),
    /// Deliver real webhooks to receivers of all kinds, and record them in a running ledger
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Load a running ledger with generated events, and tell how fast it took them
    #[command(after_help = bench::EXAMPLES)]
    Bench(BenchArgs),
}

/// Why the program does not know what it is asked for.
#[derive(Debug)]
pub(crate) enum UsageError {
    /// The arguments or the variables are wrong, or ask for help.
    Arguments(clap::Error),
    /// The file of `--config` is.
    ConfigFile(anyhow::Error),
}

impl From<clap::Error> for UsageError {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

impl Cli {
    /// Reads arguments, variables and the file that they may name.
    pub(crate) fn load(arguments: Vec<OsString>) -> Result<Self, UsageError> {
        Self::load_with(Self::command(), arguments)
    }

    /// The same with another set of arguments, for tests.
    ///
    /// What the file says is put in the place of the defaults, and the arguments are read again. So there is one
    /// definition, one parser and one order of precedence for every source.
    pub(crate) fn load_with(command: clap::Command, arguments: Vec<OsString>) -> Result<Self, UsageError> {
        let mut matches = command.clone().try_get_matches_from(&arguments)?;
        if let Some(path) = config_file::named_in(&matches) {
            let file = config_file::read(&command, &path).map_err(UsageError::ConfigFile)?;
            matches = config_file::lay_under(command, &file).try_get_matches_from(&arguments)?;
        }
        Ok(Self::from_arg_matches(&matches)?)
    }
}

#[cfg(test)]
mod tests;
