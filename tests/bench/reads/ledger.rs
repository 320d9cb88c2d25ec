//! A ledger that is read, and what is known about its deliveries.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::machine;
use crate::program::{Program, Server};

/// What its events follow from; PostgreSQL is given the same ones.
pub(super) const SEED: u64 = 9_000;

/// The workspace that has nine of ten deliveries, and the other one.
pub(super) const LARGE: &str = "ws_large";
const SMALL: &str = "ws_small";

/// How many subscriptions the large workspace has.
const SUBSCRIPTIONS: u64 = 450;

/// How many deliveries a subscription of moderate size has, about.
const MODERATE: u64 = 2_000;

/// The depths at which pages are read.
pub(super) const DEPTHS_PERCENT: [u64; 3] = [10, 50, 99];

/// How many deliveries a page has.
pub(super) const LIMIT: u64 = 20;

/// A served ledger whose views show everything.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) server: Server,
    pub(super) program: Program,
    /// How many events it was filled with.
    pub(super) events: u64,
    /// How many deliveries they made, and how many of them are of the large workspace.
    pub(super) deliveries: u64,
    pub(super) large: u64,
    /// Of the large workspace.
    pub(super) largest: Subscription,
    pub(super) moderate: Subscription,
    dir: TempDir,
}

/// A subscription and how many deliveries it has.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) deliveries: u64,
}

impl Ledger {
    /// Fills a log from a pipe, and serves it.
    pub(super) fn fill(program: &Program, events: u64) -> Self {
        let dir = machine::scratch();
        let mut print = program.command();
        print.args(["bench", "--print", &events.to_string(), "--seed", &SEED.to_string()]);
        let mut print = print.stdout(Stdio::piped()).spawn().expect("it was built");
        let mut ingest = program.command();
        ingest.args(["ingest", "-", "--data-dir"]).arg(dir.path()).stdin(print.stdout.take().expect("it is piped"));
        let ingested = ingest.output().expect("it was built");
        assert!(ingested.status.success(), "{}", String::from_utf8_lossy(&ingested.stderr));
        assert!(print.wait().expect("it is our child").success(), "the program prints events");

        let server = Server::start_at(program, dir.path(), events);
        server.ready();
        let total = |path: &str| server.json(path)["total"].as_u64().expect("it is a count");
        let (large, small) = (total(&page(LARGE, None, 0)), total(&page(SMALL, None, 0)));
        let subscriptions: Vec<Subscription> = (0..SUBSCRIPTIONS)
            .map(|number| {
                let id = format!("whsub_{number:03}");
                let deliveries = total(&page(LARGE, Some(&id), 0));
                Subscription { id, deliveries }
            })
            .collect();
        let largest = subscriptions.iter().max_by_key(|subscription| subscription.deliveries);
        let moderate = subscriptions.iter().min_by_key(|subscription| subscription.deliveries.abs_diff(MODERATE));
        let known = "there are some";
        let (largest, moderate) = (largest.expect(known).clone(), moderate.expect(known).clone());
        let (program, deliveries) = (program.clone(), large + small);
        Self { server, program, events, deliveries, large, largest, moderate, dir }
    }

    /// Where it lies.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// So many requests for pages of the large workspace, at depths that have nothing to do with each other; others
    /// for each run.
    pub(super) fn random_pages(&self, run: usize, pages: usize) -> Vec<String> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let last = self.large.saturating_sub(LIMIT).max(1);
        let offsets = (0..pages).map(|number| hasher.hash_one((run, number)) % last);
        offsets.map(|offset| self.server.request(&page(LARGE, None, offset))).collect()
    }

    /// So many requests for pages of the large workspace that follow each other, from a depth on.
    pub(super) fn pages_at(&self, percent: u64, pages: u64) -> Vec<String> {
        let first = (self.large * percent / 100).min(self.large.saturating_sub(pages * LIMIT));
        (0..pages).map(|number| self.server.request(&page(LARGE, None, first + number * LIMIT))).collect()
    }
}

/// The path of a page with payloads, of a workspace or of a subscription in it.
pub(super) fn page(workspace: &str, subscription: Option<&str>, offset: u64) -> String {
    let subscription = subscription.map_or(String::new(), |id| format!("&subscription_id={id}"));
    format!("/api/webhookSubscriptions.deliveries?workspace_id={workspace}{subscription}&limit={LIMIT}&offset={offset}")
}

/// The path of the stats of a subscription.
pub(super) fn stats(workspace: &str, subscription: &str) -> String {
    format!("/api/v1/workspace/webhooks/{subscription}/stats?workspace_id={workspace}")
}
