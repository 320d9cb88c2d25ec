//! `replay`: makes the views anew from the log, or compares them with what the log says.

mod folder;
mod server;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::output;
use crate::target::Target;

/// The arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    target: Target,

    /// Leave the views, and compare each of their rows with what the log says: exits with 1 when they differ
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(crate) async fn run(args: ReplayArgs) -> anyhow::Result<()> {
    let done = match (args.target, args.check) {
        (Target::DataDir(path), check) => tokio::task::spawn_blocking(move || in_folder(path, check)).await??,
        (Target::Server(server), false) => server::replay(&server).await?,
        (Target::Server(_), true) => bail!("--check reads the folder of a ledger that is not served: use --data-dir"),
    };
    output::print(&done)
}

fn in_folder(path: PathBuf, check: bool) -> anyhow::Result<String> {
    if check { folder::check(&path) } else { folder::replay(&path) }
}
