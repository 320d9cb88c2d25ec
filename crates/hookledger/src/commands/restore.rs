//! `restore`: rebuilds a log that was lost or damaged.
//!
//! What is whole is gathered from the archive, the folder's own segments and its hot tier, and made into a log beside;
//! when that is verified it takes the place of the old one, which is kept. A restore that is interrupted before that
//! leaves all as it was, and one that is interrupted in the middle of it is finished by the next.

mod swap;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use ledger_event::Position;
use ledger_log::{EventLog, Head, LogIdentity, Restored, SledLog, SledLogOptions, verify};
use ledger_views::{Views, ViewsOptions};

use crate::data_dir::DataDir;
use crate::probe::{self, Probed};
use crate::progress::Progress;
use crate::segment_files::segments_in;
use crate::settings::Location;
use crate::{output, tool};

/// The arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    location: Location,

    /// A folder of segments: that of --archive of `serve`, or of `backup`
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,

    /// Restore a log that is whole too: what it holds is one of the sources
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub(crate) fn run(args: &RestoreArgs) -> anyhow::Result<()> {
    tool::keep_quiet_about_panics_of_sled();
    let data_dir = DataDir::open_or_create(&args.location.data_dir)?;
    let _lock = data_dir.lock_to_restore()?;
    if data_dir.restored_mark().exists() {
        let kept = swap::finish(&data_dir)?;
        return output::print(&format!("An interrupted restore is finished.\n{}", told_kept(&kept)));
    }
    if !args.force {
        refuse_to_restore_what_is_whole(&data_dir)?;
    }
    swap::clear(&data_dir)?;
    let salvaged = data_dir.restored().join("salvaged");
    let remark = salvage_hot_tier(&data_dir, &salvaged)?;
    let files = sources(args.archive.as_deref(), &data_dir, &salvaged)?;
    let identity = identity_of(&files)?;
    let restored = build(&data_dir, identity, &files)?;
    let seen = Seen { by_log: ledger_log::witnessed_head(&data_dir.log()), by_views: position_of_views(&data_dir) };
    fs::remove_dir_all(&salvaged).ok();
    let kept = swap::take_place(&data_dir)?;
    output::print(&(remark + &told(&restored, seen, &data_dir) + &told_kept(&kept)))
}

/// A log that opens and is whole from its first event to its head needs no restore.
fn refuse_to_restore_what_is_whole(data_dir: &DataDir) -> anyhow::Result<()> {
    if tool::is_missing_or_empty(&data_dir.log())? {
        return Ok(());
    }
    let Probed::Whole(_) = probe::probe(data_dir)? else { return Ok(()) };
    let log = SledLog::open(tool::read_options(data_dir))?;
    let is_whole = verify_with_bar(&log, "verifying").is_ok() && log.segments().iter().all(|one| one.check().is_ok());
    if is_whole {
        bail!(
            "the log in {} is whole, up to position {}: there is nothing to restore (--force does it all the same)",
            data_dir.path().display(),
            log.head().position
        );
    }
    Ok(())
}

/// Takes what is whole out of the hot tier, if it has one; says what became of it.
fn salvage_hot_tier(data_dir: &DataDir, into: &Path) -> anyhow::Result<String> {
    if tool::is_missing_or_empty(&data_dir.log())? {
        return Ok("hot tier  lost\n".to_owned());
    }
    Ok(match probe::salvage(data_dir, into)? {
        Probed::Whole(said) => format!("hot tier  {said}"),
        Probed::Refused(reason) | Probed::Broken(reason) => format!("hot tier  damaged: {reason}\n"),
    })
}

/// The files of segments in all the places.
fn sources(archive: Option<&Path>, data_dir: &DataDir, salvaged: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if let Some(archive) = archive {
        ensure!(archive.is_dir(), "{} is not a folder", archive.display());
        files.extend(segments_in(archive)?);
        ensure!(!files.is_empty(), "{} holds no segments", archive.display());
    }
    for dir in [data_dir.segments().as_path(), salvaged] {
        if dir.is_dir() {
            files.extend(segments_in(dir)?);
        }
    }
    let dir = data_dir.path().display();
    ensure!(!files.is_empty(), "nothing is left of the log in {dir}: name an archive or a backup with --archive");
    Ok(files)
}

fn identity_of(files: &[PathBuf]) -> anyhow::Result<LogIdentity> {
    match ledger_log::identities(files).as_slice() {
        [] => bail!("no segment says which log it is of: all of them are damaged"),
        [(identity, _)] => Ok(*identity),
        [(one, of_one), (other, of_other), ..] => bail!(
            "there are segments of two ledgers: {} is of {}, {} of {}; restore each into a folder of its own",
            of_one.display(),
            one.ledger_id,
            of_other.display(),
            other.ledger_id
        ),
    }
}

/// Makes the new log beside the old one, and verifies it from its first event on.
fn build(data_dir: &DataDir, identity: LogIdentity, files: &[PathBuf]) -> anyhow::Result<Restored> {
    let (log_dir, segments_dir) = (data_dir.restored().join("log"), data_dir.restored().join("segments"));
    let progress = Progress::of_bytes("restoring", None);
    let reached = |position: Position| progress.reached_with(0, position.get());
    let restored = ledger_log::restore(identity, files, &log_dir, &segments_dir, reached)?;
    progress.finish();
    if restored.head.position == Position::START {
        bail!("the first event is in no file that is whole: nothing can be restored");
    }
    let options = SledLogOptions { segments_dir, ..SledLogOptions::at(log_dir).sealing_nothing() };
    let log = SledLog::open(options).context("what was restored does not open")?;
    let head = verify_with_bar(&log, "verifying").context("what was restored is not whole")?;
    ensure!(
        head == restored.head,
        "what was restored ends at position {}, and should at {}",
        head.position,
        restored.head.position
    );
    Ok(restored)
}

fn verify_with_bar(log: &SledLog, doing: &'static str) -> anyhow::Result<Head> {
    let walk = verify(log);
    let progress = Progress::of_positions(doing, walk.head().position.get());
    for chunk in walk {
        progress.reached(chunk?.last().get());
    }
    Ok(log.head())
}

/// How far the views have folded the log, where they can be read.
fn position_of_views(data_dir: &DataDir) -> Option<Position> {
    let dir = data_dir.views();
    let views = Views::exist(&dir).ok()?.then(|| Views::open(&dir, ViewsOptions { cache_bytes: 1 << 24 }))?;
    Some(views.ok()?.reader.position())
}

/// Up to where the log is known to have been.
struct Seen {
    by_log: Option<Head>,
    by_views: Option<Position>,
}

fn told(restored: &Restored, seen: Seen, data_dir: &DataDir) -> String {
    let Restored { head, segments, beyond } = restored;
    let position = head.position;
    let mut text = format!("segments  {segments}\nrestored  {position} events\nhead      {head}\n");
    if let Some((file, first)) = beyond {
        text += &format!(
            "Events after position {position} are lost: no copy of the next one is whole. {} goes on at position {first}.\n",
            file.display()
        );
    }
    match seen.by_log {
        Some(seen) if seen.position > position => {
            text += &format!("The log was seen up to position {}: what is between is lost.\n", seen.position);
        }
        Some(_) | None => {}
    }
    match seen.by_views {
        Some(seen) if seen > position => {
            let views = data_dir.views();
            text += &format!(
                "The views have seen events up to position {seen}, which are lost: `serve` refuses such views. Move {} \
                 away, and `serve` makes views of what is left.\n",
                views.display()
            );
        }
        Some(_) | None => {}
    }
    text
}

fn told_kept(kept: &[PathBuf]) -> String {
    kept.iter().map(|path| format!("What was there before is kept in {}.\n", path.display())).collect()
}
