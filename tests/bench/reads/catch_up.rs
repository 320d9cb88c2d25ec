//! Views that are made anew from the log: by a server that nobody asks for anything, and by the command line.

use std::fs;
use std::path::Path;
use std::time::Instant;

use super::ledger::Ledger;
use crate::program::Program;
use crate::report::{Report, Row, Target, Unit, count};
use crate::scale::Scale;

const BESIDE: &str = "hookledger verify: reading the log";

/// Measures both beside reading the same log to its end.
pub(super) fn measure(report: &mut Report, scale: &Scale, ledger: &mut Ledger) {
    let (mut caught_up, mut rebuilt, mut read, mut peaks_mib) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let events = ledger.events as f64;
    for _ in 0..scale.fold_runs {
        ledger.server.restart(|dir| fs::remove_dir_all(dir.join("views")).expect("the views lie there"));
        caught_up.push(events / ledger.server.ready().as_secs_f64());
        peaks_mib.push(ledger.server.peak_mib());
        let program = &ledger.program;
        ledger.server.restart(|dir| {
            read.push(events / seconds(program, "verify", dir));
            rebuilt.push(events / seconds(program, "replay", dir));
        });
        ledger.server.ready();
    }
    let (of_all, unit) = (count(ledger.events), Unit::PerSecond("events"));
    let rate = |what: String, rates| Row::new(what, unit, rates).beside(BESIDE, read.clone());
    let row = rate(format!("catch-up of {of_all} events, HTTP idle"), caught_up);
    report.add(row.target(Target::Least(200_000.0)));
    let row = rate(format!("hookledger replay of {of_all} events, offline"), rebuilt);
    report.add(row.target(Target::Least(200_000.0)));
    let what = format!("peak memory, catching up with {} deliveries", count(ledger.deliveries));
    report.add(Row::new(what, Unit::MiB, peaks_mib).target(Target::Most(1_024.0)));
}

/// How long a command takes with a folder that is not served.
fn seconds(program: &Program, command: &str, dir: &Path) -> f64 {
    let started = Instant::now();
    let output = program.command().args([command, "--data-dir"]).arg(dir).output().expect("it was built");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    started.elapsed().as_secs_f64()
}
