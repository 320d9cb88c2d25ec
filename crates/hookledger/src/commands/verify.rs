//! `verify`: whether the log is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use ledger_event::{Position, Timestamp};
use ledger_log::{ChainHash, Chunk, EventLog, Head, SealedSegment, SignedHead, VerifierKey};
use ledger_views::{Checkpoint, Views, ViewsError};

use crate::head_key;
use crate::output;
use crate::progress::Progress;
use crate::settings::Location;
use crate::tool::Tool;

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    location: Location,

    /// A head that an earlier run printed: the log must still hold everything up to it, unchanged
    #[arg(long, value_name = "POSITION:HASH")]
    head: Option<Head>,

    /// A file that `checkpoint` wrote: the log must still hold everything up to there, unchanged
    #[arg(long, value_name = "FILE", conflicts_with = "head")]
    checkpoint: Option<PathBuf>,

    /// The key that the checkpoint was signed with, as `checkpoint --verifier-key` printed it; without it, the ledger's own
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    verifier_key: Option<VerifierKey>,
}

/// What a walk along the log found.
struct Walked {
    head: Head,
    chunks: u64,
    recorded: Option<(Timestamp, Timestamp)>,
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    let tool = Tool::open_suspect(&args.location.data_dir)?;
    let known = match &args.checkpoint {
        Some(path) => Some(signed_head(&tool, path, args.verifier_key.as_ref())?),
        None => args.head,
    };
    let views = tool.views();
    let checkpoint = match &views {
        Some(Ok(Views { reader, .. })) => Some(reader.checkpoint()),
        Some(Err(_)) | None => None,
    };
    let segments = check_segments(&tool)?;
    let walked = walk(&tool, known, checkpoint).with_context(|| tool.data_dir().log().display().to_string())?;
    output::print(&report(&walked, &segments, known, views.as_ref()))
}

/// The head in the file of a checkpoint, once its signature is found to be right.
fn signed_head(tool: &Tool, path: &Path, key: Option<&VerifierKey>) -> anyhow::Result<Head> {
    let note = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let identity = tool.require_log()?.identity();
    let key = match key {
        Some(key) => key.clone(),
        None => head_key::signer(tool.data_dir(), &identity)?.verifier_key(),
    };
    let signed = SignedHead::read(&note, &key).with_context(|| path.display().to_string())?;
    ensure!(signed.identity == identity, "{} is of another ledger's log", path.display());
    Ok(signed.head)
}

/// Sees that every byte of every segment is what was written, and names all that are not; what the chunks in them hold
/// is for the walk to hash.
fn check_segments(tool: &Tool) -> anyhow::Result<Vec<Arc<SealedSegment>>> {
    let segments = tool.log().map_or(Vec::new(), |log| log.segments());
    let progress = Progress::new("reading", segments.len() as u64, "segments");
    let mut damaged = Vec::new();
    for (done, segment) in (1..).zip(&segments) {
        damaged.extend(segment.check().err());
        progress.reached(done);
    }
    progress.finish();
    let count = damaged.len();
    let named = damaged.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match damaged.into_iter().next() {
        None => Ok(segments),
        Some(error) if count == 1 => Err(error.into()),
        Some(error) => Err(anyhow!(error).context(format!("{count} segments are damaged ({named}), the first"))),
    }
}

fn walk(tool: &Tool, known: Option<Head>, seen: Option<Checkpoint>) -> anyhow::Result<Walked> {
    let empty = Head { position: Position::START, hash: ChainHash::START };
    let mut walked = Walked { head: empty, chunks: 0, recorded: None };
    if let Some(log) = tool.log() {
        let walk = ledger_log::verify(log.as_ref());
        let progress = Progress::of_positions("verifying", walk.head().position.get());
        for chunk in walk {
            let chunk = chunk?;
            see_known_head(known, &chunk)?;
            see_checkpoint(seen, &chunk)?;
            progress.reached(chunk.last().get());
            walked.head = chunk.head();
            walked.chunks += 1;
            walked.recorded = Some((walked.recorded.map_or(chunk.recorded_at, |(first, _)| first), chunk.recorded_at));
        }
        progress.finish();
    }
    see_that_nothing_is_missing(known, seen, walked.head)?;
    Ok(walked)
}

/// Sees that the chunk which holds the position of the known head is the one that ended there.
fn see_known_head(known: Option<Head>, chunk: &Chunk) -> anyhow::Result<()> {
    let Some(known) = known else { return Ok(()) };
    if !(chunk.first..=chunk.last()).contains(&known.position) || chunk.head() == known {
        return Ok(());
    }
    match chunk.last() == known.position {
        true => bail!("another chunk ends at position {}: its hash is {}", known.position, chunk.hash),
        false => bail!(
            "no chunk ends at position {}: the one that holds it is of positions {} to {}",
            known.position,
            chunk.first,
            chunk.last()
        ),
    }
}

/// Sees that the chunk in which the views stand is the one that they were folded from.
fn see_checkpoint(seen: Option<Checkpoint>, chunk: &Chunk) -> anyhow::Result<()> {
    match seen {
        Some(seen)
            if (chunk.first..=chunk.last()).contains(&seen.position) && ChainHash(seen.chunk_hash) != chunk.hash =>
        {
            bail!("the chunk at position {} is not the one that the views were folded from", chunk.first)
        }
        Some(_) | None => Ok(()),
    }
}

fn see_that_nothing_is_missing(known: Option<Head>, seen: Option<Checkpoint>, head: Head) -> anyhow::Result<()> {
    let end = head.position;
    match known {
        Some(known) if known.position > end => {
            bail!("the log ends at position {end}, before {}: it has lost events", known.position)
        }
        Some(known) if known.position == Position::START && known.hash != ChainHash::START => {
            bail!("no log has that hash at position 0: it is {}", ChainHash::START)
        }
        Some(_) | None => {}
    }
    match seen {
        Some(seen) if seen.position > end => {
            bail!(
                "the log ends at position {end}, but the views have folded it up to {}: it has lost events",
                seen.position
            )
        }
        Some(_) | None => Ok(()),
    }
}

fn report(
    walked: &Walked,
    segments: &[Arc<SealedSegment>],
    known: Option<Head>,
    views: Option<&Result<Views, ViewsError>>,
) -> String {
    let mut text = format!("events    {}\nchunks    {}\n", walked.head.position, walked.chunks);
    if let Some((first, last)) = walked.recorded {
        text += &format!("recorded  {first} to {last}\n");
    }
    if let Some(last) = segments.last() {
        text += &format!("segments  {}, up to position {}\n", segments.len(), last.footer.last);
    }
    text += &format!("head      {}\n", walked.head);
    text += &match views {
        None => "views     none\n".to_owned(),
        Some(Ok(views)) => format!("views     at position {}, of this log\n", views.reader.position()),
        Some(Err(error)) => format!("views     cannot be opened, `hookledger replay` makes them anew: {error}\n"),
    };
    if let Some(known) = known {
        text += &format!("The log holds everything up to position {}, unchanged.\n", known.position);
    }
    text + "The log is whole.\n"
}
