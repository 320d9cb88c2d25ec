//! Hookledger: a system of record for webhook deliveries.
//!
//! The binary alone reads the environment, files and the clock, and passes values down:
//!
//! - [`cli`] and [`settings`] say what can be asked for, [`config_file`] lays a file under flags and variables;
//! - [`target`] is the ledger that a tool works on: a folder, or a server that [`client`] asks;
//! - [`data_dir`] is the folder that holds a ledger, [`tokens_file`] the tokens in it, [`head_key`]
//!   the key that signs its heads, [`tool`] what tools open of it;
//! - [`segment_files`] finds segments in a folder, a ledger's or a backup's;
//! - [`probe`] opens a log in a process of its own, [`remedy`] names the way out of damage;
//! - [`commands`] has one file per command; [`server`] is what `serve` runs, [`demo`] what `demo` does,
//!   [`mod@bench`] what `bench` does.
//!
//! It exits with 0 when the command was done, 1 when it failed, 2 when it was not understood, 130 when it was
//! interrupted.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal speaks on it")]

mod bench;
mod cli;
mod client;
mod clock;
mod commands;
mod config_file;
mod data_dir;
mod demo;
mod durable;
mod head_key;
mod interrupt;
mod output;
mod probe;
mod progress;
mod remedy;
mod segment_files;
mod server;
mod settings;
mod table;
mod target;
mod telemetry;
mod tokens_file;
mod tool;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{Cli, Command, UsageError};
use crate::interrupt::Interrupted;

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
            let error = remedy::named(error);
            output::complain(&error);
            match error.downcast_ref::<Interrupted>() {
                Some(Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => on_runtime(commands::serve::run(settings)),
        Command::Token(command) => commands::token::run(command),
        Command::Ingest(args) => on_runtime(commands::ingest::run(args)),
        Command::Export(args) => on_runtime(commands::export::run(args)),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Backup(args) => on_runtime(commands::backup::run(args)),
        Command::Restore(args) => commands::restore::run(&args),
        Command::ProbeLog(args) => commands::probe_log::run(&args),
        Command::Replay(args) => on_runtime(commands::replay::run(args)),
        Command::Status(args) => on_runtime(commands::status::run(args)),
        Command::Stats(args) => on_runtime(commands::stats::run(args)),
        Command::Deliveries(args) => on_runtime(commands::deliveries::run(args)),
        Command::Checkpoint(args) => on_runtime(commands::checkpoint::run(args)),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Man(args) => commands::man::run(&args),
        Command::Demo(args) => on_runtime(demo::run(args)),
        Command::Bench(args) => on_runtime(bench::run(args)),
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(work)
}
