//! PostgreSQL, beside the ledger: a cluster of its own on the same disk, with the table that the ledger replaces.
//!
//! It syncs as the ledger does, has memory enough, and is spoken to over its socket with prepared statements.

mod cluster;
mod event;
mod reader;
mod sender;
mod table;

pub(crate) use self::cluster::Cluster;
pub(crate) use self::event::Event;
pub(crate) use self::reader::{Answer, Question};
pub(crate) use self::table::Table;

use std::time::Duration;

use crate::program::Program;

/// Events of one transaction where they are batched.
pub(crate) const BATCH: usize = 500;

/// How many connections are tried.
const CONNECTIONS: [usize; 5] = [1, 4, 8, 16, 32];

/// The first seed of the events that it is given; no other row uses these.
const FIRST_SEED: u64 = 1_000_000;

/// How many more events are prepared for a run than it is expected to take.
const HEADROOM: f64 = 2.0;

/// How many events a second it is expected to take before anybody has measured it, one by one and batched.
const EXPECTED_PER_SECOND: [f64; 2] = [20_000.0, 60_000.0];

/// How events are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An event a transaction.
    OneByOne,
    /// 500 events a transaction, as arrays; several attempts of one delivery are one update.
    Batched,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) events_per_second: f64,
    pub(crate) p50_ms: f64,
}

/// A running PostgreSQL that takes events.
pub(crate) struct Postgres {
    cluster: Cluster,
    program: Program,
    next_seed: u64,
    /// Events a second, the highest seen, one by one and batched.
    seen: [f64; 2],
    pub(crate) one_by_one_connections: usize,
    pub(crate) batched_connections: usize,
}

impl Postgres {
    /// Starts it, fills it with so many events, and finds its best numbers of connections; or says why not.
    pub(crate) async fn start(program: &Program, events: u64, trial: Duration) -> Result<Self, String> {
        let cluster = Cluster::start(&[])?;
        let mut postgres = Self {
            cluster,
            program: program.clone(),
            next_seed: FIRST_SEED,
            seen: EXPECTED_PER_SECOND,
            one_by_one_connections: 1,
            batched_connections: 1,
        };
        sender::create_table(&postgres.cluster).await;
        // In pieces that fit into memory.
        let mut left = events;
        while left > 0 {
            let piece = left.min(500_000);
            let shares = postgres.shares(piece, 8);
            sender::send(&postgres.cluster, Mode::Batched, shares, None).await;
            left -= piece;
        }
        postgres.batched_connections = postgres.best(Mode::Batched, trial).await;
        postgres.one_by_one_connections = postgres.best(Mode::OneByOne, trial).await;
        Ok(postgres)
    }

    /// Its name and version.
    pub(crate) fn name(&self) -> &str {
        self.cluster.name()
    }

    /// Sends for so long.
    pub(crate) async fn run(&mut self, mode: Mode, connections: usize, duration: Duration) -> Figures {
        let expected = self.seen[mode as usize] * duration.as_secs_f64() * HEADROOM;
        let shares = self.shares(expected as u64, connections);
        let figures = sender::send(&self.cluster, mode, shares, Some(duration)).await;
        let seen = &mut self.seen[mode as usize];
        *seen = seen.max(figures.events_per_second);
        figures
    }

    async fn best(&mut self, mode: Mode, trial: Duration) -> usize {
        let mut best = (0.0, 1);
        for connections in CONNECTIONS {
            let rate = self.run(mode, connections, trial).await.events_per_second;
            if rate > best.0 {
                best = (rate, connections);
            }
        }
        best.1
    }

    /// Events that it has not seen, each delivery's on one connection.
    fn shares(&mut self, events: u64, connections: usize) -> Vec<Vec<Event>> {
        self.next_seed += 1;
        let mut shares: Vec<Vec<Event>> = (0..connections).map(|_| Vec::new()).collect();
        for line in self.program.lines(events, self.next_seed) {
            let event = Event::parse(&line);
            shares[event.share(connections)].push(event);
        }
        shares
    }
}
