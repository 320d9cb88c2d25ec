//! Hookledger: a system of record for webhook deliveries.
//!
//! The binary alone reads the environment, files and the clock, and passes values down:
//!
//! - [`cli`] and [`settings`] say what can be asked for, [`config_file`] lays a file under flags and variables;
//! - [`data_dir`] is the folder that holds a ledger, [`tokens_file`] the tokens in it;
//! - [`commands`] has one file per command; [`server`] is what `serve` runs, [`demo`] what `demo` does.
//!
//! It exits with 0 when the command was done, 1 when it failed, 2 when it was not understood.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal speaks on it")]

mod cli;
mod clock;
mod commands;
mod config_file;
mod data_dir;
mod demo;
mod durable;
mod output;
mod server;
mod settings;
mod telemetry;
mod tokens_file;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{Cli, Command, UsageError};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = match Cli::load(arguments) {
        Ok(cli) => cli.command,
        Err(UsageError::Arguments(error)) => error.exit(),
        Err(UsageError::ConfigFile(error)) => {
            output::complain(&error);
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => on_runtime(commands::serve::run(settings)),
        Command::Token(command) => commands::token::run(command),
        Command::Demo(args) => on_runtime(demo::run(args)),
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(work)
}
