//! Pages while events pour in.

use std::time::Duration;

use super::ledger::{DEPTHS_PERCENT, LARGE, Ledger, page};
use crate::connection::Connection;
use crate::load::{block_on, paced_ms};
use crate::program::{Sending, Server};
use crate::report::{Report, Row, Target, Unit, count, median, quantiles};
use crate::scale::Scale;

const EVENTS_PER_SECOND: u64 = 20_000;

/// How many requests the events come in.
const REQUESTS_PER_SECOND: u64 = 200;

/// Pages are due this often, whatever the answers do.
const BETWEEN_PAGES: Duration = Duration::from_millis(5);

/// How long nobody looks whether events have begun to come.
const BEGIN_PAUSE: Duration = Duration::from_millis(2);

const PERCENTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// What the p99 is to reach at the depths, in milliseconds.
const P99_MAX_MS: f64 = 2.0;

/// Events that are appended at a rate while something else is watched.
pub(super) struct Appends(Sending);

impl Appends {
    /// Begins to append, and waits until the views show the first of them.
    pub(super) fn begin(server: &Server, rate: u64, seconds: u64) -> Self {
        let request = server.request(&page(LARGE, None, 0));
        let sending =
            server.begin_bench(&format!("--connections 8 --batch {} --rate {rate} --seconds {seconds}", batch(rate)));
        block_on(async {
            let mut connection = Connection::open(&server.address).await;
            while connection.ask(request.as_bytes()).await.position() <= server.position() {
                tokio::time::sleep(BEGIN_PAUSE).await;
            }
        });
        Self(sending)
    }

    /// Whether all were sent.
    pub(super) fn is_over(&mut self) -> bool {
        self.0.is_over()
    }

    /// Waits until all were sent and the views show them, and tells how many were taken a second.
    pub(super) fn end(self, server: &mut Server) -> f64 {
        let taken = server.end_bench(self.0).rate("events_per_second");
        block_on(server.folded());
        taken
    }
}

/// A rate of appends, in words; and at which one they were taken, where that was another.
pub(super) fn described(rate: u64, taken: &[f64]) -> String {
    let taken = median(taken).expect("there was a run");
    let missed = if taken < rate as f64 * 0.95 { format!(" ({} taken)", count(taken as u64)) } else { String::new() };
    format!("{} events/s{missed}", count(rate))
}

/// How many events a request has.
fn batch(rate: u64) -> u64 {
    rate / REQUESTS_PER_SECOND
}

/// Measures pages with and without: those that follow each other at some depths, and pages anywhere, most of which are
/// not in memory.
pub(super) fn measure(report: &mut Report, scale: &Scale, ledger: &mut Ledger) {
    let pages = scale.watch_seconds as usize * 1_000 / BETWEEN_PAGES.as_millis() as usize;
    let (of_all, depths) = (count(ledger.large), DEPTHS_PERCENT.map(|percent| percent.to_string()).join(", "));
    let at_depths = |ledger: &Ledger, _: usize| {
        let each = DEPTHS_PERCENT.map(|percent| ledger.pages_at(percent, pages.div_ceil(DEPTHS_PERCENT.len()) as u64));
        (0..each[0].len()).flat_map(|number| each.iter().map(move |pages| pages[number].clone())).collect()
    };
    watch(report, scale, ledger, &format!("20 at {depths} % of {of_all} deliveries"), Some(P99_MAX_MS), at_depths);
    let anywhere = |ledger: &Ledger, run: usize| ledger.random_pages(run, pages);
    watch(report, scale, ledger, &format!("20 anywhere in {of_all} deliveries"), None, anywhere);
}

fn watch(
    report: &mut Report,
    scale: &Scale,
    ledger: &mut Ledger,
    pages: &str,
    p99_max_ms: Option<f64>,
    requests: impl Fn(&Ledger, usize) -> Vec<String>,
) {
    let (mut busy, mut quiet, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..scale.fold_runs {
        let requests = requests(ledger, run);
        let address = ledger.server.address.clone();
        quiet.push(paced_ms(&address, &requests, BETWEEN_PAGES, || false));
        let mut appends = Appends::begin(&ledger.server, EVENTS_PER_SECOND, scale.watch_seconds);
        busy.push(paced_ms(&address, &requests, BETWEEN_PAGES, || appends.is_over()));
        taken.push(appends.end(&mut ledger.server));
    }
    let appends = described(EVENTS_PER_SECOND, &taken);
    for (name, at) in PERCENTILES {
        let row = Row::new(format!("{pages}, {name}, under {appends}"), Unit::Milliseconds, quantiles(&mut busy, at))
            .beside("the same, nothing appended", quantiles(&mut quiet, at));
        report.add(row.targets(p99_max_ms.filter(|_| name == "p99").map(Target::Most)));
    }
}
