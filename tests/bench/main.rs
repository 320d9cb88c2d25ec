//! `make bench`: what this machine makes of the ledger, each figure beside a reference of the same run.
//!
//! Machines are noisy, so the subject and its reference take turns, and medians and their ratio are told. The table
//! goes to standard output, the same as JSON to `target/bench/`.

#![allow(clippy::print_stdout, reason = "a benchmark speaks on the terminal")]

mod append;
mod generator;
mod load;
mod machine;
mod reads;
mod report;

use report::Report;

/// How often each figure is measured.
const RUNS: usize = 5;

fn main() {
    let mut report = Report::new(RUNS);
    println!("{}\n", machine::describe());
    append::measure(&mut report, RUNS);
    reads::measure(&mut report, RUNS);
    report.write();
}
