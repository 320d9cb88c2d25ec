//! `export`: the log in order, from a folder or through a server.
//!
//! A source reads ahead in a thread or a task of its own ([`source`]), [`encode`] writes what it hands on, and
//! [`output`] sees to it that a file appears under its name only when it is whole. In memory are a few chunks of the
//! log, or pages of the server.

mod attempt_rows;
mod encode;
mod output;
mod source;

use std::io::{self, ErrorKind, IsTerminal};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use ledger_event::WorkspaceId;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use self::encode::Encoder;
use self::output::Output;
use self::source::{Piece, Range, Source};
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::{Progress, per_second};
use crate::target::Target;
use crate::telemetry::{self, LogFormat};

/// What of the program's log lines is shown.
const LOG_FILTER: &str = "warn";

/// The arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    target: Target,

    /// Only the events of this workspace
    #[arg(long, value_name = "WS")]
    workspace: Option<WorkspaceId>,

    /// What is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "ndjson")]
    format: Format,

    /// The first position, from 1 [default: the start of the log]
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,

    /// The last position, which is written too [default: the end of the log as it is found]
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,

    /// The file to write, for its owner alone; it appears, or is replaced, when it is whole [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An event a line, as JSON
    Ndjson,
    /// Events as MessagePack maps, one after the other
    Msgpack,
    /// A row for each event of an attempt
    Csv,
}

/// What was written.
#[derive(Debug, Default)]
struct Written {
    events: u64,
}

/// Writes the log.
pub(crate) async fn run(args: ExportArgs) -> anyhow::Result<()> {
    telemetry::init(LogFormat::Text, LOG_FILTER)?;
    let interrupt = Interrupt::listen()?;
    let started = Instant::now();
    let range = Range::new(args.from, args.to)?;
    let needs_events = args.format != Format::Ndjson;
    let source = Source::open(&args.target, range, args.workspace, needs_events).await?;
    let to_terminal = args.output.is_none() && io::stdout().is_terminal();
    let progress = match to_terminal {
        true => Progress::none(),
        false => Progress::of_positions("exporting", source.positions()),
    };
    let output = Output::create(args.output.as_deref())?;
    let (pieces, reading) = source.start()?;
    let encoder = Encoder::new(args.format, output);
    let written = spawn_blocking(move || write_all(encoder, pieces, interrupt, &progress));
    let written = written.await.context("writing failed")?;
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(written) => {
            reading.await.context("reading failed")?;
            let elapsed = started.elapsed();
            let (events, seconds) = (written.events, elapsed.as_secs_f64());
            let text =
                format!("exported {events} events in {seconds:.1} s ({:.0} events/s)", per_second(events, elapsed));
            crate::output::remark(&text);
            Ok(())
        }
    }
}

/// Writes what the source reads, to its end; only then a file gets its name.
fn write_all(
    mut encoder: Encoder,
    mut pieces: mpsc::Receiver<anyhow::Result<Piece>>,
    mut interrupt: Interrupt,
    progress: &Progress,
) -> anyhow::Result<Written> {
    let mut written = Written::default();
    let runtime = Handle::current();
    let next = |pieces: &mut mpsc::Receiver<_>, interrupt: &mut Interrupt| {
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = interrupt.wait() => Some(Err(anyhow!(Interrupted))),
                piece = pieces.recv() => piece,
            }
        })
    };
    while let Some(piece) = next(&mut pieces, &mut interrupt) {
        let piece = piece?;
        written.events += encoder.write(&piece).context("cannot write the export")?;
        progress.reached(piece.positions_done);
    }
    encoder.finish()?;
    Ok(written)
}

/// Whether the reader of standard output has left, as `| head` does: that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
