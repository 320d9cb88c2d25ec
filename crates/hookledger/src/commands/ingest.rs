//! `ingest`: events from files into a ledger, into its folder or through its server.
//!
//! One thread reads, checks and gathers lines into batches ([`batches`]); they are appended in the order of the
//! lines while the next ones are read ([`sink`]). Whatever ends it, what was appended is told, and running it again
//! is harmless: the ledger knows by its id what it has ([`prepare`] gives lines without an id one that follows from
//! what they say).

mod batches;
mod input;
mod prepare;
mod sink;

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use ledger_event::WorkspaceId;
use ledger_event::limits::{REQUEST_MAX_EVENTS, TEXT_CUT_DEFAULT_BYTES, TEXT_CUT_MAX_BYTES};
use ledger_log::DEFAULT_IDEMPOTENCE_WINDOW_EVENTS;
use tokio::sync::mpsc;

use self::batches::{Batch, Feed, Read};
use self::input::{Input, InputBytes};
use self::sink::{Answer, Sink, SinkOptions};
use crate::interrupt::{Interrupt, Interrupted};
use crate::output;
use crate::progress::{Progress, per_second};
use crate::target::Target;
use crate::telemetry::{self, LogFormat};

/// How many batches are read ahead of those that are being appended.
const READ_AHEAD_BATCHES: usize = 2;

/// What of the program's log lines is shown.
const LOG_FILTER: &str = "warn";

/// The arguments of `ingest`.
#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    target: Target,

    /// Files of events, a JSON object a line, plain or compressed by zstd; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The workspace of lines that name none
    #[arg(long, env = "HOOKLEDGER_WORKSPACE", value_name = "WS")]
    workspace: Option<WorkspaceId>,

    /// With --data-dir: where response bodies, errors and reasons are cut, in bytes: 0 to 65536
    #[arg(long, env = "HOOKLEDGER_TEXT_CUT_BYTES", value_name = "BYTES", default_value_t = TEXT_CUT_DEFAULT_BYTES,
        value_parser = RangedU64ValueParser::<usize>::new().range(0..=TEXT_CUT_MAX_BYTES as u64))]
    text_cut_bytes: usize,

    /// With --data-dir: how many of the last event ids are remembered to tell repetitions: 10000 to 10000000
    #[arg(long, env = "HOOKLEDGER_IDEMPOTENCE_WINDOW_EVENTS", value_name = "EVENTS",
        default_value_t = DEFAULT_IDEMPOTENCE_WINDOW_EVENTS,
        value_parser = RangedU64ValueParser::<usize>::new().range(REQUEST_MAX_EVENTS as u64..=10_000_000))]
    idempotence_window_events: usize,
}

/// What has become of the lines so far.
#[derive(Debug, Default)]
struct Tally {
    appended: u64,
    duplicates: u64,
    /// The highest position that the ledger has named.
    position: Option<NonZeroU64>,
    /// How many bytes of input the appended events came from.
    bytes_read: u64,
}

/// An append under way, and where its events stand.
type Pending<'a> = (Batch, Pin<Box<dyn Future<Output = anyhow::Result<Answer>> + Send + 'a>>);

/// Appends the events of the files, and tells what became of them.
pub(crate) async fn run(args: IngestArgs) -> anyhow::Result<()> {
    // It says there when the ledger is away.
    telemetry::init(LogFormat::Text, LOG_FILTER)?;
    let interrupt = Interrupt::listen()?;
    let inputs = args.files.iter().map(|file| Input::find(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let progress = Progress::of_bytes("ingesting", inputs.iter().map(|input| input.size_bytes).sum());
    let sink = Sink::open(
        &args.target,
        SinkOptions {
            workspace_id: args.workspace,
            text_cut_bytes: args.text_cut_bytes,
            idempotence_window_events: args.idempotence_window_events,
        },
    )?;
    let started = Instant::now();
    let bytes_read = Arc::new(InputBytes::default());
    let (feed, batches) = Feed::new(inputs, sink.rules(), Arc::clone(&bytes_read), READ_AHEAD_BATCHES);
    // A thread that nobody joins: after Ctrl-C it may wait for standard input for ever.
    let reading = std::thread::Builder::new().name("ingest-reader".to_owned()).spawn(move || feed.run());
    reading.context("cannot start a thread")?;

    let mut tally = Tally::default();
    let ended = append_all(&sink, batches, interrupt, &mut tally, &progress).await;
    drop(progress);
    let closed = sink.close().await;
    output::remark(&tally.describe(started, bytes_read.lines()));
    ended.and(closed)
}

/// Appends batch after batch, in order, until there are no more, one is refused, or it is interrupted.
async fn append_all(
    sink: &Sink,
    mut batches: mpsc::Receiver<Read>,
    mut interrupt: Interrupt,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut pending: VecDeque<Pending<'_>> = VecDeque::new();
    let stopped = loop {
        let has_room = pending.len() < sink.depth();
        let is_idle = pending.is_empty();
        tokio::select! {
            biased;
            () = interrupt.wait() => break Err(anyhow!(Interrupted)),
            answer = front(&mut pending), if !is_idle => {
                if let Err(error) = finish(&mut pending, answer, tally, progress) {
                    break Err(error);
                }
            }
            read = batches.recv(), if has_room => match read {
                Some(Read::Batch(mut batch)) => {
                    let append = sink.append(&mut batch);
                    pending.push_back((batch, append));
                }
                Some(Read::Failed(error)) => break Err(error),
                None => break Ok(()),
            },
        }
    };
    // What is under way is finished, also after a failure: nobody shall wonder what became of it.
    let mut stopped = stopped;
    while !pending.is_empty() {
        let answer = front(&mut pending).await;
        let finished = finish(&mut pending, answer, tally, progress);
        stopped = stopped.and(finished);
    }
    stopped
}

/// Waits for the oldest append under way.
async fn front(pending: &mut VecDeque<Pending<'_>>) -> anyhow::Result<Answer> {
    match pending.front_mut() {
        Some((_, append)) => append.await,
        None => std::future::pending().await,
    }
}

/// Takes the oldest append, which was answered, off the queue.
fn finish(
    pending: &mut VecDeque<Pending<'_>>,
    answer: anyhow::Result<Answer>,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let (batch, _) = pending.pop_front().expect("its answer came");
    let answer = answer.map_err(|error| batch.blame(error))?;
    tally.appended += answer.appended;
    tally.duplicates += answer.duplicates;
    tally.position = tally.position.max(NonZeroU64::new(answer.position));
    tally.bytes_read = batch.bytes_read;
    progress.reached_with(tally.bytes_read, tally.appended + tally.duplicates);
    Ok(())
}

impl Tally {
    fn describe(&self, started: Instant, lines: u64) -> String {
        let elapsed = started.elapsed();
        let events_per_second = per_second(self.appended + self.duplicates, elapsed);
        let position = match self.position {
            Some(position) => format!("; the ledger is at position {position}"),
            None => String::new(),
        };
        format!(
            "appended {} events, {} duplicates, of {lines} lines read, in {:.1} s ({events_per_second:.0} events/s){position}",
            self.appended,
            self.duplicates,
            elapsed.as_secs_f64(),
        )
    }
}
