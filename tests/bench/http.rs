//! Durable appends over HTTP, beside PostgreSQL with the table that the ledger replaces.

use crate::machine;
use crate::postgres::{self, Figures, Mode, Postgres};
use crate::program::{Program, Sent, Server};
use crate::report::{Report, Row, Target, Unit};
use crate::scale::Scale;

/// Connections that send an event a request.
const CONNECTIONS: [usize; 3] = [1, 16, 256];

const FORMATS: [&str; 3] = ["ndjson", "json", "msgpack"];

/// How long large requests are sent in a run: what comes in is folded before the next one, which takes several times as
/// long.
const BATCHED_SECONDS: u64 = 1;

/// A server and PostgreSQL, both filled, which take turns.
struct Bench<'a> {
    scale: &'a Scale,
    server: Server,
    postgres: Result<Postgres, String>,
}

/// Measures requests of one event and of many.
pub(crate) async fn measure(report: &mut Report, scale: &Scale, program: &Program) {
    let dir = machine::scratch();
    let mut server = Server::start(program, dir.path());
    server.fill(scale.events);
    server.folded().await;
    let postgres = Postgres::start(program, scale.events, scale.run_duration().div_f64(2.0)).await;
    let mut bench = Bench { scale, server, postgres };
    for connections in CONNECTIONS {
        bench.one_by_one(report, connections).await;
    }
    bench.batched(report).await;
    bench.server.end();
}

impl Bench<'_> {
    async fn one_by_one(&mut self, report: &mut Report, connections: usize) {
        let (mut ledger, mut reference) = (Vec::new(), Vec::new());
        let their_connections = match (&self.postgres, connections) {
            (_, 1) => 1,
            (Ok(postgres), _) => postgres.one_by_one_connections,
            (Err(_), _) => 0,
        };
        for _ in 0..self.scale.runs {
            ledger.push(self.send(&format!("--connections {connections} --batch 1")).await);
            reference.extend(self.postgres_run(Mode::OneByOne, their_connections).await);
        }
        let beside = self.postgres_name(Mode::OneByOne, their_connections);
        let what = format!("durable append, HTTP, {connections} × 1");
        if connections == 1 {
            let p50 = ledger.iter().map(|sent| sent.latency_ms("p50")).collect();
            let theirs = reference.iter().map(|figures| figures.p50_ms).collect();
            let row = Row::new(format!("{what}, p50"), Unit::Milliseconds, p50);
            report.add(row.beside_if(beside.clone().map(|beside| (beside, theirs))).target(Target::Most(0.3)));
        }
        let row = Row::new(what, Unit::PerSecond("requests"), rates(&ledger, "requests_per_second"));
        let row = row.beside_if(beside.map(|beside| (beside, their_rates(&reference))));
        let is_flood = connections == CONNECTIONS[CONNECTIONS.len() - 1];
        let flood_row = |row: Row| row.target(Target::Least(25_000.0)).target(Target::LeastTimes(1.3));
        report.add(if is_flood { flood_row(row) } else { row });
    }

    async fn batched(&mut self, report: &mut Report) {
        let (mut by_format, mut folded, mut reference) = (vec![Vec::new(); FORMATS.len()], Vec::new(), Vec::new());
        let their_connections = self.postgres.as_ref().map_or(0, |postgres| postgres.batched_connections);
        for _ in 0..self.scale.runs {
            for (format, ledger) in FORMATS.iter().zip(&mut by_format) {
                let sent = self
                    .server
                    .bench(&format!("--connections 8 --batch 500 --format {format} --seconds {BATCHED_SECONDS}"));
                let catching_up = self.server.folded().await.as_secs_f64();
                if *format == "ndjson" {
                    folded.push(sent.count("appended") as f64 / (sent.rate("seconds") + catching_up));
                }
                ledger.push(sent);
            }
            reference.extend(self.postgres_run(Mode::Batched, their_connections).await);
        }
        let beside = self.postgres_name(Mode::Batched, their_connections);
        let beside = || beside.clone().map(|beside| (beside, their_rates(&reference)));
        for (format, ledger) in FORMATS.iter().zip(&by_format) {
            let what = format!("durable append, HTTP, 8 × 500, {format}");
            let row = Row::new(what, Unit::PerSecond("events"), rates(ledger, "events_per_second")).beside_if(beside());
            let is_first = *format == FORMATS[0];
            let with_targets = |row: Row| row.target(Target::Least(150_000.0)).target(Target::LeastTimes(3.0));
            report.add(if is_first { with_targets(row) } else { row });
        }
        let what = "the same, ndjson, until the views show it";
        report.add(Row::new(what, Unit::PerSecond("events"), folded).beside_if(beside()));
    }

    /// Sends for the length of a run, and waits until the machine is free again.
    async fn send(&mut self, arguments: &str) -> Sent {
        let sent = self.server.bench(&format!("{arguments} --seconds {}", self.scale.run_seconds));
        self.server.folded().await;
        sent
    }

    async fn postgres_run(&mut self, mode: Mode, connections: usize) -> Option<Figures> {
        let postgres = self.postgres.as_mut().ok()?;
        Some(postgres.run(mode, connections, self.scale.run_duration()).await)
    }

    /// What stands beside a row, or why nothing does.
    fn postgres_name(&self, mode: Mode, connections: usize) -> Result<String, String> {
        let name = self.postgres.as_ref().map(Postgres::name).map_err(Clone::clone)?;
        let batch = match mode {
            Mode::OneByOne => 1,
            Mode::Batched => postgres::BATCH,
        };
        Ok(format!("{name}, {connections} × {batch}"))
    }
}

fn rates(ledger: &[Sent], name: &str) -> Vec<f64> {
    ledger.iter().map(|sent| sent.rate(name)).collect()
}

fn their_rates(reference: &[Figures]) -> Vec<f64> {
    reference.iter().map(|figures| figures.events_per_second).collect()
}
