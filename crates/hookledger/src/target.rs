//! Which ledger a tool works on: the folder of `--data-dir`, or the running server of `--url`.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::client::{Server, ServerArgs};
use crate::settings::Location;

/// The ledger that a command works on; flatten it into the command's arguments.
///
/// A flag counts more than a variable, a variable more than the file of `--config` or a default; of two variables
/// `HOOKLEDGER_URL` counts. Two flags are refused.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// The folder of a ledger that no server has open.
    DataDir(PathBuf),
    /// A running server.
    Server(Server),
}

/// The arguments as they stand on the command line.
#[derive(Debug, Args)]
struct TargetArgs {
    #[command(flatten)]
    location: Location,

    #[command(flatten)]
    server: ServerArgs,
}

impl FromArgMatches for Target {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let args = TargetArgs::from_arg_matches(matches)?;
        let (folder, server) = (weight(matches, "data_dir"), weight(matches, "url"));
        if folder == Weight::Flag && server == Weight::Flag {
            let text = "--data-dir and --url name two ledgers: give one of them\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
        }
        match args.server.named() {
            Some(named) if server >= folder => Ok(Self::Server(named)),
            Some(_) | None => Ok(Self::DataDir(args.location.data_dir)),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Target {
    fn augment_args(command: Command) -> Command {
        TargetArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        TargetArgs::augment_args_for_update(command)
    }
}

/// How much the source of a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Default,
    Variable,
    Flag,
}

fn weight(matches: &ArgMatches, id: &str) -> Weight {
    match matches.value_source(id) {
        Some(ValueSource::CommandLine) => Weight::Flag,
        Some(ValueSource::EnvVariable) => Weight::Variable,
        Some(_) | None => Weight::Default,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        target: Target,
    }

    fn target(line: &str) -> Result<Target, clap::Error> {
        Ok(Line::try_parse_from(["tool"].into_iter().chain(line.split_whitespace()))?.target)
    }

    #[test]
    fn a_folder_or_a_server_is_named_and_not_both() {
        assert!(matches!(target(""), Ok(Target::DataDir(folder)) if folder.as_os_str() == "./data"));
        assert!(matches!(target("--data-dir d"), Ok(Target::DataDir(folder)) if folder.as_os_str() == "d"));
        let server = target("--url http://localhost:1 --token hl_t");
        assert!(matches!(server, Ok(Target::Server(server)) if server.token.as_deref() == Some("hl_t")));
        let both = target("--url http://localhost:1 --data-dir d").expect_err("it is refused").to_string();
        assert!(both.contains("give one of them"), "{both}");
    }
}
