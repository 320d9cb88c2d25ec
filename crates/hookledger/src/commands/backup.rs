//! `backup`: copies the log into a folder, from a folder or through a server.
//!
//! Sealed segments never change, so each is copied once. What is not sealed yet becomes one segment more, the tail; the
//! next run replaces it by a longer one, or by sealed segments.

mod folder;
mod server;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use ledger_event::Position;
use ledger_log::{Head, LogIdentity, SealedSegment};

use crate::durable;
use crate::output;
use crate::segment_files::tails_in;
use crate::target::Target;

/// The arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    target: Target,

    /// The folder that the copy is in, or is to be made in
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// What a run has copied.
#[derive(Debug)]
struct Copied {
    /// Where the log ends that the backup holds.
    head: Head,
    /// How many segments there are, and how many of them are new.
    segments: usize,
    new: usize,
}

/// Runs the command.
pub(crate) async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let BackupArgs { target, output } = args;
    let copied = match target {
        Target::DataDir(path) => tokio::task::spawn_blocking(move || folder::backup(&path, &output)).await??,
        Target::Server(server) => server::backup(&server, &output).await?,
    };
    let Copied { head, segments, new } = copied;
    let events = head.position;
    output::print(&format!("events    {events}\nsegments  {segments}, of which {new} are new\nhead      {head}\n"))
}

/// Makes the folder, and sees that no segment of another ledger is in it.
fn prepare(dir: &Path, identity: Option<LogIdentity>) -> anyhow::Result<()> {
    if !dir.is_dir() {
        durable::create_folder(dir)?;
    }
    for (other, path) in ledger_log::identities(&tails_in(dir)?) {
        if identity.is_some_and(|identity| identity != other) {
            bail!("{} is of another ledger: name another folder", path.display());
        }
    }
    Ok(())
}

/// Removes the tails that another run has left, once all they hold is in the folder otherwise.
fn remove_old_tails(dir: &Path, tail: Option<&SealedSegment>, end: Position) -> anyhow::Result<()> {
    for path in tails_in(dir)? {
        let is_kept = tail.is_some_and(|tail| tail.path == path);
        // One that cannot be read holds nothing that is missed.
        let is_covered = SealedSegment::of_file(&path).map_or(true, |old| old.footer.last <= end);
        if !is_kept && is_covered {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    durable::sync_folder(dir)
}
