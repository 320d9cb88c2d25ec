//! The command line.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::token::TokenCommand;
use crate::config_file;
use crate::demo::DemoArgs;
use crate::settings::ServeSettings;

const EXAMPLES: &str = "\
Examples:
  hookledger serve --data-dir ./data
  hookledger token create --data-dir ./data --workspace ws_1 --scope append --scope read
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

const DEMO_EXAMPLES: &str = "\
Examples:
  hookledger demo --token hl_…
  hookledger demo --url http://127.0.0.1:8080 --token hl_… --deliveries 1000 --seed 7
  HOOKLEDGER_TOKEN=hl_… hookledger demo --workspace ws_1";

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
    /// Deliver real webhooks to receivers of all kinds, and record them in a running ledger
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
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
