//! Durable appends through the library, beside a raw file that takes the same bytes and the same `fdatasync`.

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use ledger_event::CompletedEvent;
use ledger_log::{Append, EventLog, SledLog, SledLogOptions};

use crate::generator;
use crate::report::Report;

/// Requests of so many events, and how many requests a run has.
const BATCHES: [(usize, usize); 3] = [(1, 400), (64, 200), (1024, 60)];

/// Measures one sender that waits for each answer.
pub(crate) fn measure(report: &mut Report, runs: usize) {
    for (batch, requests) in BATCHES {
        let (mut ledger, mut reference) = (Vec::new(), Vec::new());
        let deliveries = (batch * requests) as u64;
        let events = generator::events(0, deliveries);
        for _ in 0..runs {
            let dir = tempfile::tempdir().expect("a folder can be made");
            let log = SledLog::open(SledLogOptions::at(dir.path().join("log"))).expect("it opens");
            let batches: Vec<Append> = events.chunks(batch).take(requests).map(append).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
            let (mut rates, mut raw_rates) = (Vec::new(), Vec::new());
            let mut file = File::create(dir.path().join("raw")).expect("a file can be made");
            for request in batches {
                let before = log.head().position;
                let started = Instant::now();
                runtime.block_on(log.append(request)).expect("it is appended");
                rates.push(started.elapsed().as_secs_f64());
                let chunk = log.encoded_chunk_at(before.next()).expect("it reads").expect("it was appended");
                let started = Instant::now();
                file.write_all(chunk.as_bytes()).expect("it is written");
                file.sync_data().expect("it is synced");
                raw_rates.push(started.elapsed().as_secs_f64());
            }
            ledger.push((batch * rates.len()) as f64 / rates.iter().sum::<f64>());
            reference.push((batch * raw_rates.len()) as f64 / raw_rates.iter().sum::<f64>());
        }
        let row = format!("durable append, library, 1 sender × {batch}");
        report.add(&row, "events/s", "raw file, same bytes, same fdatasync", &mut ledger, &mut reference);
    }
}

fn append(events: &[ledger_event::Event]) -> Append {
    let events = events.iter().cloned().map(|event| CompletedEvent { event, occurred_at_given: true });
    Append::new(events.collect())
}
