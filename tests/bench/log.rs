//! What a log costs on its disk, and how fast it opens, reads and seals.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use ledger_event::{CompletedEvent, Position};
use ledger_log::{Append, DEFAULT_SEGMENT_TARGET_BYTES, EventLog, SledLog, SledLogOptions};

use crate::machine;
use crate::program::Program;
use crate::report::{Report, Row, Unit};
use crate::scale::Scale;

const BATCH: usize = 1024;
/// How many segments a log is sealed into, where that makes none larger than usual.
const SEGMENTS: u64 = 4;
const SEED: u64 = 7_000;
const BESIDE: &str = "the same events as NDJSON, zstd 1";

/// Measures one log that is filled by one sender, and one ledger's folder.
pub(crate) fn measure(report: &mut Report, scale: &Scale, program: &Program) {
    let dir = machine::scratch();
    let log_dir = dir.path().join("log");
    let ndjson = compressed_ndjson(program, scale.events) / scale.events as f64;
    let open = || SledLog::open(SledLogOptions::at(&log_dir)).expect("it opens");

    let log = open();
    let written_before = machine::written_bytes();
    fill(&log, program.events(scale.events, SEED));
    let (logical, allocated) = machine::disk_bytes(&log_dir);
    log.close();
    drop(log);
    let written = machine::written_bytes() - written_before;
    let (_, at_rest) = machine::disk_bytes(&log_dir);
    let per_event = |bytes: u64| vec![bytes as f64 / scale.events as f64];
    let mut bytes = |what: &str, bytes: Vec<f64>| {
        report.add(Row::new(what, Unit::BytesPer("event"), bytes).beside(BESIDE, vec![ndjson]));
    };
    bytes("bytes written per event, chunks of 1024", per_event(written));
    bytes("bytes on disk per event, hot, open, allocated", per_event(allocated));
    bytes("bytes on disk per event, hot, open, logical", per_event(logical));
    bytes("bytes on disk per event, hot, closed, allocated", per_event(at_rest));

    let sealed = seal_each(scale, open(), dir.path(), &log_dir);
    bytes("bytes on disk per event, sealed", sealed.iter().map(|sealed| sealed.bytes_per_event).collect());
    let rates = sealed.iter().map(|sealed| sealed.events_per_second).collect();
    report.add(Row::new("seal: read, write, sync, read back", Unit::PerSecond("events"), rates));
    measure_open(report, scale, program, open);
    drop(dir);
    measure_tools(report, scale, program);
}

/// Opens a log that was closed in good order, and appends one event.
fn measure_open(report: &mut Report, scale: &Scale, program: &Program, open: impl Fn() -> SledLog) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let (mut readable, mut appended) = (Vec::new(), Vec::new());
    for event in program.events(scale.runs as u64, SEED + 1) {
        let started = Instant::now();
        let log = open();
        readable.push(started.elapsed().as_secs_f64() * 1e3);
        runtime.block_on(log.append(Append::new(vec![event]))).expect("it is appended");
        appended.push(started.elapsed().as_secs_f64() * 1e3);
        log.close();
    }
    let events = scale.name;
    report.add(Row::new(format!("open {events}: until it reads"), Unit::Milliseconds, readable));
    report.add(Row::new(format!("open {events}: until it has appended"), Unit::Milliseconds, appended));
}

/// `ingest` from a pipe into a folder, and `export` out of it.
fn measure_tools(report: &mut Report, scale: &Scale, program: &Program) {
    let (mut ingested, mut exported) = (Vec::new(), Vec::new());
    for run in 0..scale.runs.min(3) {
        let dir = machine::scratch();
        let mut print = program.command();
        print.args(["bench", "--print", &scale.events.to_string(), "--seed", &(SEED + run as u64).to_string()]);
        let mut print = print.stdout(Stdio::piped()).spawn().expect("it was built");
        let mut ingest = program.command();
        ingest.args(["ingest", "-", "--data-dir"]).arg(dir.path());
        ingested.push(rate(scale, ingest.stdin(print.stdout.take().expect("it is piped"))));
        assert!(print.wait().expect("it is our child").success(), "the program prints events");
        let mut export = program.command();
        exported.push(rate(scale, export.args(["export", "--data-dir"]).arg(dir.path())));
    }
    let row = |what: &str, rates| Row::new(what, Unit::PerSecond("events"), rates);
    report.add(row("hookledger ingest, NDJSON from a pipe into a folder", ingested));
    report.add(row("hookledger export, a folder as NDJSON", exported));
}

fn rate(scale: &Scale, command: &mut Command) -> f64 {
    let started = Instant::now();
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().expect("it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    scale.events as f64 / started.elapsed().as_secs_f64()
}

fn fill(log: &SledLog, mut events: impl Iterator<Item = CompletedEvent>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let mut pending = VecDeque::new();
    loop {
        let batch: Vec<_> = events.by_ref().take(BATCH).collect();
        let is_end = batch.is_empty();
        if !is_end {
            pending.push_back(log.append(Append::new(batch)));
        }
        while pending.len() > 4 || (is_end && !pending.is_empty()) {
            let append = pending.pop_front().expect("it is not empty");
            runtime.block_on(append).expect("it is appended");
        }
        if is_end {
            return;
        }
    }
}

/// What came of sealing a log once.
struct Sealed {
    bytes_per_event: f64,
    events_per_second: f64,
}

/// Has the log sealed by the thread that does so behind every log, into a few segments, as often as there are runs. Its
/// hot tier keeps everything, so that each run finds the same.
fn seal_each(scale: &Scale, log: SledLog, dir: &Path, log_dir: &Path) -> Vec<Sealed> {
    let lengths = chunk_lengths(&log);
    let all: u64 = lengths.iter().map(|(_, bytes)| bytes).sum();
    let segment_target_bytes = (all / SEGMENTS).min(DEFAULT_SEGMENT_TARGET_BYTES);
    let end = sealed_end(&lengths, segment_target_bytes);
    drop(log);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let seal = |run| {
        let segments_dir = dir.join(format!("segments-{run}"));
        let options = SledLogOptions { segments_dir, segment_target_bytes, ..SledLogOptions::at(log_dir) };
        let log = SledLog::open(SledLogOptions { hot_max_bytes: u64::MAX, ..options }).expect("it opens");
        let started = Instant::now();
        let mut sealing = log.watch_sealing();
        runtime.block_on(sealing.wait_for(|sealing| sealing.sealed >= end)).expect("the log is open");
        let elapsed = started.elapsed();
        let bytes: u64 = log.segments().iter().map(|segment| segment.bytes).sum();
        let events = end.get() as f64;
        Sealed { bytes_per_event: bytes as f64 / events, events_per_second: events / elapsed.as_secs_f64() }
    };
    (0..scale.runs).map(seal).collect()
}

/// The last position of each chunk, and how many bytes it has.
fn chunk_lengths(log: &SledLog) -> Vec<(Position, u64)> {
    let mut lengths = Vec::new();
    let mut position = Position::new(1);
    while let Some(encoded) = log.encoded_chunk_at(position).expect("it reads") {
        let last = encoded.decode().expect("it is whole").last();
        lengths.push((last, encoded.as_bytes().len() as u64));
        position = last.next();
    }
    lengths
}

/// Where the last full segment ends.
fn sealed_end(lengths: &[(Position, u64)], segment_target_bytes: u64) -> Position {
    let (mut end, mut bytes) = (Position::START, 0);
    for (last, length) in lengths {
        bytes += length;
        if bytes >= segment_target_bytes {
            (end, bytes) = (*last, 0);
        }
    }
    end
}

/// How many bytes the same events take as NDJSON, compressed as one stream.
fn compressed_ndjson(program: &Program, events: u64) -> f64 {
    let mut encoder = zstd::Encoder::new(Counter(0), 1).expect("it is a level");
    for line in program.lines(events, SEED) {
        encoder.write_all(line.as_bytes()).expect("a counter takes all");
        encoder.write_all(b"\n").expect("a counter takes all");
    }
    encoder.finish().expect("a counter takes all").0 as f64
}

/// Counts what is written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
