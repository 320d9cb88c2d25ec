//! `hookledger demo`: a real dispatcher sends real webhooks to a real receiver on this machine and records every
//! step in a running ledger; then what it counted itself is held against what the ledger says.
//!
//! The parts know each other only so far: [`receiver`] is sent to, [`dispatcher`] and [`delivery`] send, [`recorder`]
//! reports to the ledger as any sender would, [`tally`] is the dispatcher's own count, [`check`] compares.

mod attempt;
mod check;
mod clock;
mod delivery;
mod dispatcher;
mod events;
#[cfg(test)]
mod fake_ledger;
mod ledger;
mod payloads;
mod plan;
mod receiver;
mod recorder;
mod report;
mod tally;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use uuid::Uuid;

use crate::client::{Backoff, DEFAULT_URL, ServerArgs};
use crate::output;
use crate::telemetry::{self, LogFormat};

use check::Run;
use clock::Clock;
use dispatcher::{Dispatcher, Policy};
use ledger::Ledger;
use payloads::Payloads;
use plan::Plan;
use receiver::Receiver;
use recorder::{Recorded, Recorder};
use tally::DeliveryTally;

/// How long a receiver may take, in nominal time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait between attempts, in nominal time.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(60) };

/// How many digits of a random number tell the ids of two runs apart.
const RUN_ID_DIGITS: usize = 10;

/// How often the progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What of the program's log lines is shown.
const LOG_FILTER: &str = "warn";

/// Sends webhooks to a receiver on this machine, records them in a running ledger, and checks its figures.
#[derive(Debug, clap::Args)]
#[command(mut_arg("url", |url| url.default_value(DEFAULT_URL)), mut_arg("token", |token| token.required(true)))]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The workspace to record in: the token's, when it is bound to one
    #[arg(long, env = "HOOKLEDGER_WORKSPACE", default_value = "ws_demo")]
    workspace: String,
    /// How many deliveries to make
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    deliveries: u32,
    /// What all random choices follow from: payloads, receivers, jitter
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests to the receiver at the same time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=512))]
    concurrency: u32,
    /// Attempts of a delivery before it is given up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    max_attempts: u32,
    /// How much faster than in life the dispatcher waits: its time-out of 30 s takes 0.3 s at 100
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=300))]
    speedup: u32,
}

/// Runs the demo; it fails when the ledger cannot be used or does not say what the dispatcher counted.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    // The recorder says there when the ledger is away.
    telemetry::init(LogFormat::Text, LOG_FILTER)?;
    let server = args.server.named().context("--url is missing")?;
    let token = server.token.as_deref().context("--token is missing")?;
    let ledger = Ledger::connect(&server.url, token, &args.workspace).await?;
    let plan = Plan::new(&run_id(), args.seed, args.deliveries);
    let clock = Arc::new(Clock::start(args.speedup));
    let receiver = Receiver::start(&plan.subscriptions, Arc::clone(&clock)).await?;
    say(format_args!(
        "Run {} (seed {}) sends {} deliveries to {} subscriptions and records them in workspace {} of {}.",
        plan.run_id,
        plan.seed,
        plan.deliveries.len(),
        plan.subscriptions.len(),
        ledger.workspace(),
        server.url,
    ))?;

    let (tallies, recorded) = dispatch(&args, &ledger, &plan, &clock, &receiver).await?;
    say(format_args!("\n{}", report::table(&plan, &tallies)))?;
    say(report::recorded(&recorded, &plan, &receiver))?;

    let payloads = Payloads { seed: plan.seed, started_at: clock.started_at() };
    let run =
        Run { plan: &plan, payloads, max_attempts: args.max_attempts, tallies: &tallies, position: recorded.position };
    let differences = check::compare(&ledger, run).await.context("the check could not be made")?;
    say(report::checked(&plan, &tallies, &differences))?;
    say(format_args!("\nAsk the ledger yourself:\n\n{}", report::curl_lines(&ledger, &plan.subscriptions[0].id)?))?;
    if differences.count() > 0 {
        bail!("the ledger does not say what the dispatcher counted");
    }
    Ok(())
}

/// Makes the deliveries and records them, to the end.
async fn dispatch(
    args: &DemoArgs,
    ledger: &Ledger,
    plan: &Plan,
    clock: &Arc<Clock>,
    receiver: &Receiver,
) -> anyhow::Result<(Vec<DeliveryTally>, Recorded)> {
    let policy =
        Policy { max_attempts: args.max_attempts, timeout: TIMEOUT, backoff: BACKOFF, concurrency: args.concurrency };
    let (recorder, recording) = Recorder::start(ledger.client().clone());
    let dispatcher = Dispatcher::new(plan.clone(), ledger.workspace(), policy, Arc::clone(clock), receiver, recorder)?;
    let mut progress = Progress { of: plan.deliveries.len(), started: Instant::now(), told: Duration::ZERO };
    let dispatched = dispatcher.dispatch(|ended| progress.tell(ended)).await;
    let recorded = recording.await.context("the recorder failed")??;
    match dispatched {
        Ok(tallies) => Ok((tallies, recorded)),
        Err(recorder::RecorderEnded) => bail!("the recorder ended before the deliveries did"),
    }
}

/// How far the deliveries are, told now and then.
struct Progress {
    of: usize,
    started: Instant,
    /// When it was last told.
    told: Duration,
}

impl Progress {
    fn tell(&mut self, ended: usize) {
        let elapsed = self.started.elapsed();
        if ended < self.of && elapsed < self.told + PROGRESS_EVERY {
            return;
        }
        self.told = elapsed;
        // The deliveries go on whoever listens.
        say(format_args!("{ended:>7} of {} deliveries are over, after {:.1} s", self.of, elapsed.as_secs_f64())).ok();
    }
}

/// Tells the ids of this run from those of all others.
fn run_id() -> String {
    // A version 7 UUID begins with the time; its end is random.
    let id = Uuid::now_v7().simple().to_string();
    id[id.len() - RUN_ID_DIGITS..].to_owned()
}

/// Prints a line.
fn say(text: impl Display) -> anyhow::Result<()> {
    output::print(&format!("{text}\n"))
}
