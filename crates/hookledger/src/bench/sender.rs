//! Sends the requests of a run: a few threads with a runtime each, and connections that wait for their answers.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use http::StatusCode;
use reqwest::Url;
use serde::Deserialize;
use tokio::runtime;
use tokio::task::JoinSet;

use super::arrivals::Arrivals;
use super::connection::{Answer, Connection};
use super::moment::MomentWriter;
use super::pool::Pool;
use super::tally::Tally;
use crate::client::{Server, is_for_now, refused};

/// How long the ledger may be away before the run is given up.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// How long to wait when the ledger is away, or asks to wait and does not say how long.
const AWAY_WAIT: Duration = Duration::from_millis(200);

/// The longest `Retry-After` that is waited for: longer than the ledger asks for while it works.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);

/// What a run sends, and how.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) pool: Pool,
    pub(super) connections: usize,
    pub(super) content_type: &'static str,
    /// When no more requests are begun, from the start on.
    pub(super) duration: Option<Duration>,
    /// How far apart requests arrive; `None`: as soon as the one before is answered.
    pub(super) between: Option<Duration>,
    /// Whether a request that was refused is sent again at once.
    pub(super) is_impatient: bool,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
    /// Requests that were due before the end and were not sent.
    pub(super) left: usize,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    load: Load,
    target: Target,
    /// The next request.
    next: AtomicU64,
    arrivals: Option<Arrivals>,
    deadline: Option<Instant>,
    stopping: Arc<AtomicBool>,
}

/// Where requests go, and what stands before each body.
#[derive(Debug)]
struct Target {
    address: SocketAddr,
    path: String,
    head: String,
}

/// What the ledger says of a request that it took.
#[derive(Debug, Deserialize)]
struct Taken {
    appended: u64,
    duplicates: u64,
}

/// Sends until the end of the run, or `stopping` says so: what is under way is finished. It blocks.
pub(super) fn send(load: Load, server: &Server, stopping: &Arc<AtomicBool>) -> anyhow::Result<Outcome> {
    let target = Target::of(server, load.content_type)?;
    let connect = || TcpStream::connect(target.address).map_err(|error| unreachable(&server.url, &error));
    let streams = (0..load.connections).map(|_| connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let arrivals = load.between.map(Arrivals::every);
    let started = Instant::now();
    let deadline = load.duration.map(|duration| started + duration);
    let stopping = Arc::clone(stopping);
    let shared = Arc::new(Shared { load, target, next: AtomicU64::new(0), arrivals, deadline, stopping });

    let mut shares: Vec<Vec<TcpStream>> = (0..sending_threads(streams.len())).map(|_| Vec::new()).collect();
    let threads = shares.len();
    streams.into_iter().enumerate().for_each(|(number, stream)| shares[number % threads].push(stream));
    thread::scope(|scope| {
        let pacing = shared.arrivals.as_ref().map(|arrivals| {
            let shared = &shared;
            scope.spawn(move || arrivals.run(shared.load.pool.requests(), || shared.is_over()))
        });
        let sending: Vec<_> = shares
            .into_iter()
            .map(|streams| {
                let shared = Arc::clone(&shared);
                scope.spawn(move || send_over(streams, &shared))
            })
            .collect();
        let mut tally = Tally::new();
        let mut failed = None;
        for thread in sending {
            match thread.join().map_err(|_| anyhow!("a sending thread failed")).flatten() {
                Ok(own) => tally.add(&own),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let elapsed = started.elapsed();
        if let Some(pacing) = pacing {
            pacing.join().map_err(|_| anyhow!("the pacing thread failed"))?;
        }
        let left = shared.arrivals.as_ref().map_or(0, Arrivals::left);
        failed.map_or(Ok(Outcome { tally, elapsed, left }), Err)
    })
}

/// Half of the processors: the other half is the ledger's, where both are on one machine.
fn sending_threads(connections: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (processors / 2).clamp(1, connections)
}

/// Sends over these connections, in this thread.
fn send_over(streams: Vec<TcpStream>, shared: &Arc<Shared>) -> anyhow::Result<Tally> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let tally = Arc::new(Mutex::new(Tally::new()));
    let sent = runtime.block_on(async {
        let mut senders = JoinSet::new();
        for stream in streams {
            let connection = Connection::take(stream).context("cannot use a connection")?;
            let sender = Sender {
                connection: Some(connection),
                request: Vec::new(),
                moments: MomentWriter::new(),
                shared: Arc::clone(shared),
                tally: Arc::clone(&tally),
            };
            senders.spawn(sender.run());
        }
        let mut sent = Ok(());
        while let Some(ended) = senders.join_next().await {
            let ended = ended.map_err(|_| anyhow!("a connection's task failed")).flatten();
            if ended.is_err() {
                shared.stop();
            }
            sent = sent.and(ended);
        }
        sent
    });
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    sent.map(|()| tally)
}

/// A connection at work.
struct Sender {
    /// None after it broke.
    connection: Option<Connection>,
    request: Vec<u8>,
    moments: MomentWriter,
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
}

impl Sender {
    async fn run(mut self) -> anyhow::Result<()> {
        let shared = Arc::clone(&self.shared);
        while let Some((number, due)) = shared.next_request().await {
            self.write_request(number);
            // What a request takes counts from when it was due, or from when it is sent.
            let begun = due.unwrap_or_else(Instant::now);
            let Some(taken) = self.deliver().await? else { break };
            let elapsed = begun.elapsed();
            let events = shared.load.pool.events_of(number) as u64;
            ensure!(taken.appended + taken.duplicates == events, "the ledger took {taken:?} of {events} events");
            self.count(|tally| {
                tally.requests += 1;
                tally.appended += taken.appended;
                tally.duplicates += taken.duplicates;
                tally.body_bytes += shared.load.pool.body_bytes(number) as u64;
                tally.add_latency(elapsed);
            });
        }
        Ok(())
    }

    fn write_request(&mut self, number: u64) {
        let pool = &self.shared.load.pool;
        self.request.clear();
        self.request.extend_from_slice(self.shared.target.head.as_bytes());
        self.request.extend_from_slice(format!("content-length: {}\r\n\r\n", pool.body_bytes(number)).as_bytes());
        pool.write(number, &mut self.moments, &mut self.request);
    }

    /// Sends the request until the ledger has it; `None` when the run is over before.
    async fn deliver(&mut self) -> anyhow::Result<Option<Taken>> {
        let begun = Instant::now();
        loop {
            let (why, wait) = match self.ask().await {
                Ok(answer) if answer.status == StatusCode::OK => {
                    let taken = serde_json::from_slice(&answer.body);
                    return Ok(Some(taken.context("the ledger's answer is not what it must be")?));
                }
                Ok(answer) if is_for_now(answer.status) => {
                    self.count(|tally| tally.refused += 1);
                    (format!("it answered {}", answer.status), self.wait_of(&answer))
                }
                Ok(answer) => bail!(refused(answer.status, &self.shared.target.path, &text(&answer.body))),
                Err(error) => {
                    self.connection = None;
                    self.count(|tally| tally.broken += 1);
                    (error.to_string(), AWAY_WAIT)
                }
            };
            ensure!(begun.elapsed() < AWAY_MAX, "the ledger took no events for {} s: {why}", AWAY_MAX.as_secs());
            if self.shared.is_over() {
                return Ok(None);
            }
            let left = self.shared.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            tokio::time::sleep(left.map_or(wait, |left| wait.min(left))).await;
        }
    }

    async fn ask(&mut self) -> io::Result<Answer> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.shared.target.address).await?),
        };
        let answer = connection.ask(&self.request).await?;
        if answer.closes {
            self.connection = None;
        }
        Ok(answer)
    }

    fn wait_of(&self, answer: &Answer) -> Duration {
        if self.shared.load.is_impatient {
            return Duration::ZERO;
        }
        answer.retry_after_seconds.map_or(AWAY_WAIT, Duration::from_secs).min(RETRY_AFTER_MAX)
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    /// The next request to send, and when it was due, where that is not now.
    async fn next_request(&self) -> Option<(u64, Option<Instant>)> {
        if self.is_over() {
            return None;
        }
        let due = match &self.arrivals {
            Some(arrivals) => Some(arrivals.next().await?),
            None => None,
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if self.load.pool.requests().is_none_or(|requests| number < requests) {
            return Some((number, due));
        }
        None
    }

    fn is_over(&self) -> bool {
        self.stopping.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Ends the run for all connections.
    fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(arrivals) = &self.arrivals {
            arrivals.close();
        }
    }
}

impl Target {
    fn of(server: &Server, content_type: &str) -> anyhow::Result<Self> {
        let url = &server.url;
        ensure!(url.scheme() == "http", "the bench speaks plain HTTP: {url} begins with {}", url.scheme());
        let (host, port) = (url.host_str().context("the address has no host")?, url.port_or_known_default());
        let port = port.expect("http has a port");
        let name = format!("{host}:{port}");
        let mut addresses = name.to_socket_addrs().with_context(|| format!("cannot find {host}"))?;
        let address = addresses.next().with_context(|| format!("{host} has no address"))?;
        let path = format!("{}/v1/events", url.path().trim_end_matches('/'));
        let token = server.token.as_deref().context("--token is missing")?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {name}\r\nauthorization: Bearer {token}\r\ncontent-type: {content_type}\r\n"
        );
        Ok(Self { address, path, head })
    }
}

fn unreachable(url: &Url, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot reach the ledger at {url}: {error}. Is `hookledger serve` running?")
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}
