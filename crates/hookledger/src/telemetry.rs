//! Structured logs.

use std::io::{self, IsTerminal};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Sends the program's log lines to standard error, for the rest of its life.
///
/// `filter` is one that [`parse_filter`] let through.
pub(crate) fn init(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).context("cannot read the log level")?;
    let lines = Subscriber::builder().with_env_filter(filter).with_writer(io::stderr);
    let set = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
    };
    set.map_err(|error| anyhow!(error)).context("cannot set up the log lines")
}

/// Checks a level, or a list of levels by module: `info,ledger_log=debug`.
///
/// The filter itself takes any word for the name of a module, so a misspelt level would silence the program.
pub(crate) fn parse_filter(text: &str) -> anyhow::Result<String> {
    for directive in text.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            return Err(anyhow!("`{level}` is not a level: choose from off, error, warn, info, debug, trace"));
        }
    }
    EnvFilter::try_new(text)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_list_of_levels_by_module_is_a_filter() {
        for text in ["info", "off", "INFO", "warn,ledger_log=debug", "info,tower_http::trace=debug,hyper=off"] {
            assert!(parse_filter(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_level_is_answered_with_the_choices() {
        for text in ["", "inof", "info,", "info,ledger_log=debgu", "ledger_log"] {
            let error = parse_filter(text).expect_err("it is refused");
            assert!(error.to_string().ends_with("choose from off, error, warn, info, debug, trace"), "{error}");
        }
    }
}
