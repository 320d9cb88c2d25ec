//! How long an append takes at half of what the server can do, while its projector folds.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::machine;
use crate::program::{Program, Sent, Server};
use crate::report::{Report, Row, Unit, quantile};
use crate::scale::Scale;

const CONNECTIONS: usize = 16;
const PAGE_BYTES: usize = 4096;
const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// Measures them beside a bare `fdatasync`, which takes turns with it.
pub(crate) async fn measure(report: &mut Report, scale: &Scale, program: &Program) {
    let dir = machine::scratch();
    let mut server = Server::start(program, &dir.path().join("data"));
    server.fill(scale.events);
    server.folded().await;
    let seconds = scale.run_seconds;
    let full = server.bench(&format!("--connections {CONNECTIONS} --seconds {seconds}")).rate("requests_per_second");
    server.folded().await;
    let half = (full / 2.0).max(1.0) as u64;

    let (mut sent, mut synced) = (Vec::new(), Vec::new());
    for _ in 0..scale.runs {
        synced.push(sync_pages(&dir.path().join("pages"), scale.run_duration()));
        sent.push(server.bench(&format!("--connections {CONNECTIONS} --rate {half} --seconds {seconds}")));
        server.folded().await;
    }
    let unsent = match sent.iter().map(|sent| sent.count("unsent")).sum::<u64>() {
        0 => String::new(),
        unsent => format!(", {unsent} unsent"),
    };
    for (name, at) in PERCENTILES {
        let ledger = sent.iter().map(|sent: &Sent| sent.latency_ms(name)).collect();
        let reference = synced.iter_mut().map(|synced| quantile(synced, at)).collect();
        let what = format!("ack {name}, half load: {CONNECTIONS} × 1, {half} events/s{unsent}");
        report.add(Row::new(what, Unit::Milliseconds, ledger).beside("write + fdatasync of 4 KiB, alone", reference));
    }
}

/// Writes pages to a growing file and syncs each, for so long; how many milliseconds each took.
fn sync_pages(path: &std::path::Path, duration: Duration) -> Vec<f64> {
    let mut file = File::create(path).expect("a file can be made");
    let started = Instant::now();
    let mut each = Vec::new();
    while started.elapsed() < duration {
        let begun = Instant::now();
        file.write_all(&[0x5a; PAGE_BYTES]).expect("the disk has room");
        file.sync_data().expect("the disk works");
        each.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    each
}
