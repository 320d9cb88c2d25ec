//! Durable appends through the library, beside a raw file that takes the same bytes with the same compression.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use ledger_event::{CompletedEvent, Position};
use ledger_log::{Append, EventLog, SledLog, SledLogOptions};
use tokio::runtime::Runtime;
use zstd::bulk::Compressor;

use crate::machine;
use crate::program::Program;
use crate::report::{Report, Row, Target, Unit, quantile};
use crate::scale::Scale;

const BESIDE: &str = "raw file: zstd 1, crc32, write, fdatasync";

/// The level that the log compresses its chunks at.
const ZSTD_LEVEL: i32 = 1;

/// How many lone events there are for each request of another size: they take less time.
const LONE_EVENTS_FACTOR: usize = 10;

/// How requests are sent.
#[derive(Clone, Copy, Debug)]
struct Shape {
    batch: usize,
    in_flight: usize,
}

const SHAPES: [Shape; 5] = [
    Shape { batch: 1, in_flight: 1 },
    Shape { batch: 64, in_flight: 1 },
    Shape { batch: 64, in_flight: 4 },
    Shape { batch: 1024, in_flight: 1 },
    Shape { batch: 1024, in_flight: 4 },
];

/// How long each request took, and all of them.
#[derive(Debug, Default)]
struct Timing {
    each: Vec<Duration>,
    all: Duration,
}

/// Measures every shape on a log of its own, which its runs fill.
pub(crate) fn measure(report: &mut Report, scale: &Scale, program: &Program) {
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let mut bench = Bench::new();
        let requests = scale.library_requests * if shape.batch == 1 { LONE_EVENTS_FACTOR } else { 1 };
        let (mut ledger, mut raw) = (Vec::new(), Vec::new());
        for run in 0..scale.runs {
            let seed = (number * 100 + run) as u64;
            let events: Vec<CompletedEvent> = program.events((requests * shape.batch) as u64, seed).collect();
            let first = bench.log.head().position.next();
            ledger.push(bench.append(events, shape));
            raw.push(bench.write_raw(first));
        }
        let events = (requests * shape.batch) as f64;
        let rates = |timings: &[Timing]| timings.iter().map(|timing| events / timing.all.as_secs_f64()).collect();
        let Shape { batch, in_flight } = shape;
        let sender = if in_flight == 1 { "1 sender".to_owned() } else { format!("1 sender, {in_flight} in flight") };
        if batch == 1 {
            let what = format!("durable append, library, {sender} × 1, p50");
            let row = Row::new(what, Unit::Milliseconds, medians_ms(&mut ledger)).beside(BESIDE, medians_ms(&mut raw));
            report.add(row.target(Target::MostTimes(1.4)));
        }
        let what = format!("durable append, library, {sender} × {batch}");
        let row = Row::new(what, Unit::PerSecond("events"), rates(&ledger)).beside(BESIDE, rates(&raw));
        report.add(if batch == 1024 { row.target(Target::LeastTimes(0.6)) } else { row });
    }
}

fn medians_ms(timings: &mut [Timing]) -> Vec<f64> {
    let p50 = |timing: &mut Timing| {
        let mut each: Vec<f64> = timing.each.iter().map(|each| each.as_secs_f64() * 1e3).collect();
        quantile(&mut each, 0.5)
    };
    timings.iter_mut().map(p50).collect()
}

/// A log and a raw file that take turns.
struct Bench {
    log: SledLog,
    raw: RawFile,
    runtime: Runtime,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = machine::scratch();
        let log = SledLog::open(SledLogOptions::at(dir.path().join("log"))).expect("it opens");
        let raw = RawFile::create(&dir.path().join("raw"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
        Self { log, raw, runtime, _dir: dir }
    }

    /// Sends requests; what prepares them is the ledger's time.
    fn append(&self, events: Vec<CompletedEvent>, shape: Shape) -> Timing {
        let mut events = events.into_iter();
        let mut requests: VecDeque<Vec<CompletedEvent>> = VecDeque::new();
        while events.len() > 0 {
            requests.push_back(events.by_ref().take(shape.batch).collect());
        }
        let mut timing = Timing::default();
        let mut pending = VecDeque::new();
        let started = Instant::now();
        while let Some(request) = requests.pop_front() {
            let begun = Instant::now();
            pending.push_back((begun, self.log.append(Append::new(request))));
            while pending.len() == shape.in_flight || (requests.is_empty() && !pending.is_empty()) {
                let (begun, append) = pending.pop_front().expect("it is not empty");
                self.runtime.block_on(append).expect("it is appended");
                timing.each.push(begun.elapsed());
            }
        }
        timing.all = started.elapsed();
        timing
    }

    /// Writes the very chunks that the log wrote from that position on; reading and unpacking them takes no time.
    fn write_raw(&mut self, first: Position) -> Timing {
        let mut timing = Timing::default();
        let mut position = first;
        while let Some(chunk) = self.log.chunk_at(position).expect("it reads") {
            let encoded = self.log.encoded_chunk_at(position).expect("it reads").expect("it was appended");
            // Behind its version.
            let plain = zstd::decode_all(&encoded.as_bytes()[1..]).expect("it is a zstd frame");
            let elapsed = self.raw.write(&plain);
            timing.each.push(elapsed);
            timing.all += elapsed;
            position = chunk.last().next();
        }
        timing
    }
}

/// A file that grows by checked and compressed records, each synced.
struct RawFile {
    file: File,
    compressor: Compressor<'static>,
}

impl RawFile {
    fn create(path: &Path) -> Self {
        let file = File::create(path).expect("a file can be made");
        Self { file, compressor: Compressor::new(ZSTD_LEVEL).expect("it is a level") }
    }

    fn write(&mut self, plain: &[u8]) -> Duration {
        let started = Instant::now();
        let mut record = self.compressor.compress(plain).expect("memory takes it");
        record.extend_from_slice(&crc32fast::hash(&record).to_be_bytes());
        self.file.write_all(&record).expect("the disk has room");
        self.file.sync_data().expect("the disk works");
        started.elapsed()
    }
}
