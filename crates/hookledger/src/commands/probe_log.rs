//! `probe-log`: opens a copy of a log. For [`crate::probe`], which waits for it.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use ledger_event::Position;
use ledger_log::{EventLog, Salvaged, SledLog, SledLogOptions, salvage};

use crate::{output, tool};

/// The arguments of `probe-log`.
#[derive(Debug, Args)]
pub(crate) struct ProbeLogArgs {
    /// A copy of the hot tier: it is changed
    dir: PathBuf,

    /// The sealed segments of the log
    #[arg(long, value_name = "DIR", required_unless_present = "salvage_into")]
    segments: Option<PathBuf>,

    /// Open it, and read no more of it than that takes
    #[arg(long, conflicts_with = "salvage_into")]
    open_only: bool,

    /// Copy what is whole of it into segments in that folder
    #[arg(long, value_name = "DIR", conflicts_with = "segments")]
    salvage_into: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &ProbeLogArgs) -> anyhow::Result<()> {
    tool::keep_quiet_about_panics_of_sled();
    if let Some(into) = &args.salvage_into {
        let Salvaged { chunks, damaged } = salvage(&args.dir, into)?;
        return output::print(&format!("{chunks} chunks are whole, {damaged} are not\n"));
    }
    let options = SledLogOptions::at(&args.dir).sealing_nothing();
    let segments_dir = args.segments.clone().context("the segments are not named")?;
    let log = SledLog::open(SledLogOptions { idempotence_window_events: 1, segments_dir, ..options })?;
    if !args.open_only {
        walk_hot_tier(&log)?;
    }
    output::print(&format!("{}\n", log.head()))
}

/// Reads and hashes what is in no segment.
fn walk_hot_tier(log: &SledLog) -> anyhow::Result<()> {
    let mut next = log.segments().last().map_or(Position::new(1), |last| last.footer.last.next());
    while let Some(encoded) = log.encoded_chunk_at(next)? {
        let chunk = encoded.verify(&log.identity())?;
        next = chunk.last().next();
        // Seen to end where the next one begins.
        log.chunk_at(chunk.first)?;
    }
    Ok(())
}
