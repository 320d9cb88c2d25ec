//! How far the views are behind the log while events pour in: how long it takes, after an append was acknowledged,
//! until a read that asks for its position answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::busy::{Appends, described};
use super::ledger::Ledger;
use crate::connection::Connection;
use crate::load::block_on;
use crate::program::Server;
use crate::report::{Report, Row, Target, Unit, count, quantiles};
use crate::scale::Scale;

const BETWEEN_SAMPLES: Duration = Duration::from_millis(25);

/// How long a refused append waits before it is sent again.
const REFUSED_PAUSE: Duration = Duration::from_millis(10);

/// The workspace of the events that are waited for.
const WORKSPACE: &str = "ws_lag";
const READ: &str = "/api/webhookSubscriptions.deliveries?workspace_id=ws_lag&limit=1";

const BESIDE: &str = "the same, nothing else appended";

/// A rate of appends, and what the lag is to reach at it: p50, p99 and the most, in milliseconds.
const RATES: [(u64, [Option<f64>; 3]); 2] = [(20_000, [Some(5.0), Some(50.0), None]), (100_000, [None; 3])];

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];

/// Measures it at each rate.
pub(super) fn measure(report: &mut Report, scale: &Scale, ledger: &mut Ledger) {
    for (rate, most_ms) in RATES {
        let (mut busy, mut quiet, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..scale.fold_runs {
            let started = Instant::now();
            let quiet_duration = Duration::from_secs(scale.watch_seconds);
            quiet.push(sample(&mut ledger.server, || started.elapsed() >= quiet_duration));
            let mut appends = Appends::begin(&ledger.server, rate, scale.watch_seconds);
            busy.push(sample(&mut ledger.server, || appends.is_over()));
            taken.push(appends.end(&mut ledger.server));
        }
        let appends = described(rate, &taken);
        for ((name, at), most_ms) in QUANTILES.into_iter().zip(most_ms) {
            let what = format!("fold lag, {name}, under {appends}");
            let row =
                Row::new(what, Unit::Milliseconds, quantiles(&mut busy, at)).beside(BESIDE, quantiles(&mut quiet, at));
            report.add(row.targets(most_ms.map(Target::Most)));
        }
    }
    let what = format!("peak memory, up to {} events", count(ledger.server.position()));
    let peak_mib = vec![ledger.server.peak_mib()];
    report.add(Row::new(what, Unit::MiB, peak_mib).target(Target::Most(1_024.0)));
}

/// Appends an event every so often until it is over, and tells how many milliseconds each took to be shown. None waits
/// for the one before: what is slow is seen as often as it is slow.
fn sample(server: &mut Server, mut is_over: impl FnMut() -> bool) -> Vec<f64> {
    let lags_ms = block_on(async {
        let connections = Arc::new(Connections { address: server.address.clone(), idle: Mutex::default() });
        let mut ticks = interval(BETWEEN_SAMPLES);
        let mut samples = JoinSet::new();
        let mut number = 0;
        loop {
            ticks.tick().await;
            let (append, read) = (append_request(server, number), server.request(READ));
            samples.spawn(lag_ms(Arc::clone(&connections), append, read));
            number += 1;
            if is_over() {
                break;
            }
        }
        samples.join_all().await
    });
    server.appended(lags_ms.len() as u64);
    lags_ms
}

async fn lag_ms(connections: Arc<Connections>, append: String, read: String) -> f64 {
    let mut connection = connections.take().await;
    let position = loop {
        let answer = connection.ask(append.as_bytes()).await;
        match answer.status {
            200 => break answer.position(),
            503 => sleep(REFUSED_PAUSE).await,
            other => panic!("the server answered {other}: {}", String::from_utf8_lossy(answer.body)),
        }
    };
    let acknowledged = Instant::now();
    let head = read.strip_suffix("\r\n").expect("an empty line ends it");
    let read = format!("{head}ledger-min-position: {position}\r\n\r\n");
    loop {
        let answer = connection.ask(read.as_bytes()).await;
        match answer.status {
            200 => break,
            // It has waited as long as a read waits.
            503 => {}
            other => panic!("the server answered {other}: {}", String::from_utf8_lossy(answer.body)),
        }
    }
    let lag = acknowledged.elapsed();
    connections.give_back(connection);
    lag.as_secs_f64() * 1e3
}

/// A delivery that is made now; the ledger names its event.
fn append_request(server: &Server, number: u64) -> String {
    let event = json!({
        "kind": "delivery.created", "workspace_id": WORKSPACE, "subscription_id": "whsub_lag",
        "delivery_id": format!("whdel_{}_{number}", server.position()),
        "data": {"event_type": "contact.created", "payload": {}},
    });
    server.post("/v1/events", &event.to_string())
}

/// As many connections as are in use at a time.
struct Connections {
    address: String,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    async fn take(&self) -> Connection {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => connection,
            None => Connection::open(&self.address).await,
        }
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
