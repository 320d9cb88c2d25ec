//! `hookledger bench`: generated events sent to a running ledger, as fast as it takes them or at a rate.
//!
//! The [`generator`] makes events from a seed, a [`pool`] prepares requests of them before the clock starts, the
//! [`sender`] sends those over connections that stay open, a [`tally`] counts, the [`report`] tells.

mod arrivals;
mod body;
mod connection;
mod event;
mod generator;
mod moment;
mod payload;
mod pool;
mod report;
mod sender;
mod tally;
mod zipf;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use ledger_event::WorkspaceId;
use ledger_event::limits::REQUEST_MAX_EVENTS;
use uuid::Uuid;

use crate::client::{DEFAULT_URL, Server, ServerArgs};
use crate::interrupt::{Interrupt, Interrupted};
use crate::output;

use self::body::Format;
use self::generator::Generator;
use self::pool::Pool;
use self::report::Report;
use self::sender::{Load, Outcome};

/// The most connections at a time.
const CONNECTIONS_MAX: usize = 4096;

/// How long a run is when nothing else is said.
const SECONDS_DEFAULT: u64 = 10;

/// What is shown below the help.
pub(crate) const EXAMPLES: &str = "\
Examples:
  hookledger bench --token hl_…
  hookledger bench --token hl_… --connections 8 --batch 500 --format msgpack --seconds 30
  hookledger bench --token hl_… --connections 16 --rate 2000
  hookledger bench --print 1000000 | zstd > events.ndjson.zst

The events stay in the ledger: use one that can be thrown away. They are of two workspaces, 90 to
10, of 500 subscriptions of which a few get most, with 1 to 4 attempts per delivery and payloads of
about 500 bytes; the token is for all workspaces, or --workspace names its own. All follows from
--seed, but for the ids: a second run makes new ones.

Without --rate each connection sends its next request when the one before is answered; with it
requests arrive on time, whatever the answers do, and latency counts from when each was due.";

/// The arguments of `bench`.
#[derive(Debug, Args)]
#[command(
    mut_arg("url", |url| url.default_value(DEFAULT_URL)),
    mut_arg("token", |token| token.required_unless_present("print"))
)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// The workspace of all events, for a token that is bound to one [default: two, ws_large and ws_small]
    #[arg(long, env = "HOOKLEDGER_WORKSPACE", value_name = "WS")]
    workspace: Option<WorkspaceId>,

    /// Connections that send at the same time: 1 to 4096
    #[arg(long, value_name = "N", default_value_t = 16,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=CONNECTIONS_MAX as u64))]
    connections: usize,

    /// Events in each request: 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=REQUEST_MAX_EVENTS as u64))]
    batch: usize,

    /// How the events are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "ndjson")]
    format: Format,

    /// How long to send [default: 10]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400), conflicts_with = "events")]
    seconds: Option<u64>,

    /// How many events to send, instead of for how long
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,

    /// Events a second, over all connections [default: as many as are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Option<u64>,

    /// What the events follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Send again at once what the ledger asked to send later
    #[arg(long)]
    impatient: bool,

    /// Write the figures as JSON
    #[arg(long)]
    json: bool,

    /// Send nothing: write so many events to standard output, as NDJSON, the same ones each time
    #[arg(long, value_name = "N", conflicts_with_all = ["connections", "batch", "format", "seconds", "events", "rate",
        "impatient", "json"])]
    print: Option<u64>,
}

/// Sends generated events and tells how that went; or writes them.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<()> {
    let workspace = args.workspace.as_ref().map(ToString::to_string);
    if let Some(events) = args.print {
        return print(Generator::new(args.seed, 0).in_workspace(workspace), events);
    }
    let server = args.server.named().context("--url is missing")?;
    let mut interrupt = Interrupt::listen()?;
    let run = run_number();
    let generator = Generator::new(args.seed, run).in_workspace(workspace);
    let load = args.load(Pool::prepare(generator, run, args.format, args.batch, args.events));
    output::remark(&args.describe(&server));
    let stopping = Arc::new(AtomicBool::new(false));
    let sending = {
        let stopping = Arc::clone(&stopping);
        tokio::task::spawn_blocking(move || sender::send(load, &server, &stopping))
    };
    tokio::pin!(sending);
    let (sent, is_interrupted) = tokio::select! {
        sent = &mut sending => (sent, false),
        () = interrupt.wait() => {
            stopping.store(true, Ordering::Relaxed);
            (sending.await, true)
        }
    };
    let outcome = sent.context("sending failed")??;
    let report = args.report(&outcome);
    output::hand_over(&if args.json { report.json()? } else { report.text() })?;
    if is_interrupted { Err(anyhow!(Interrupted)) } else { Ok(()) }
}

impl BenchArgs {
    fn load(&self, pool: Pool) -> Load {
        let seconds = self.seconds.or_else(|| self.events.is_none().then_some(SECONDS_DEFAULT));
        #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^53")]
        let between = |rate: u64| Duration::from_secs_f64(self.batch as f64 / rate as f64);
        Load {
            pool,
            connections: self.connections,
            content_type: self.format.content_type(),
            duration: seconds.map(Duration::from_secs),
            between: self.rate.map(between),
            is_impatient: self.impatient,
        }
    }

    fn describe(&self, server: &Server) -> String {
        let (connections, batch) = (self.connections, self.batch);
        let length = match (self.events, self.seconds) {
            (Some(events), _) => format!("{events} events"),
            (None, seconds) => format!("for {} s", seconds.unwrap_or(SECONDS_DEFAULT)),
        };
        let rate = self.rate.map_or(String::new(), |rate| format!(", {rate} events/s"));
        let (format, seed, url) = (self.format.name(), self.seed, &server.url);
        format!("sending {length} to {url}: {connections} connections × {batch} events as {format}{rate}, seed {seed}")
    }

    fn report(&self, outcome: &Outcome) -> Report {
        Report::of(outcome, self.connections, self.batch, self.format.name(), self.rate, self.seed)
    }
}

fn print(mut generator: Generator, events: u64) -> anyhow::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut write = || -> io::Result<()> {
        for _ in 0..events {
            serde_json::to_writer(&mut out, &generator.next_event())?;
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    match write() {
        // A reader that has left, as `| head` does, is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Tells the ids of this run from those of all others.
fn run_number() -> u64 {
    // A version 4 or 7 UUID ends with random bits.
    Uuid::now_v7().as_u64_pair().1
}
