//! `make bench`: what this machine makes of the ledger, each figure beside a reference of the same run.
//!
//! Machines are noisy, so the subject and its reference take turns, and medians and their ratio are told. The table
//! goes to standard output, the same as JSON to `target/bench/`.
//!
//! `BENCH` says how much: nothing for 1 M events and reads of 1 M deliveries, `full` for 10 M of each, `quick` to try the
//! bench itself. `ROWS` names the rows, in any number: all of them when it is empty. `reads` is all that reads one ledger.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark speaks on the terminal")]

mod bare;
mod connection;
mod http;
mod latency;
mod library;
mod load;
mod log;
mod machine;
mod memory;
mod postgres;
mod program;
mod reads;
mod report;
mod scale;

use std::process::ExitCode;

use program::Program;
use report::Report;
use scale::Scale;

const ROWS: [&str; 5] = ["library", "http", "latency", "log", "memory"];

/// All of [`reads::PARTS`].
const READS: &str = "reads";

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let chosen = Scale::named(&variable("BENCH")).and_then(|scale| Ok((scale, rows(&variable("ROWS"))?)));
    let (scale, rows) = match chosen {
        Ok(chosen) => chosen,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    machine::sweep();
    let program = Program::build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let mut report = Report::begin(scale);
    let (parts, rows): (Vec<&str>, Vec<&str>) = rows.into_iter().partition(|row| reads::PARTS.contains(row));
    for row in rows {
        match row {
            "library" => library::measure(&mut report, &scale, &program),
            "http" => runtime.block_on(http::measure(&mut report, &scale, &program)),
            "latency" => runtime.block_on(latency::measure(&mut report, &scale, &program)),
            "log" => log::measure(&mut report, &scale, &program),
            "memory" => memory::measure(&mut report, &scale, &program),
            other => unreachable!("{other} is none of them"),
        }
    }
    drop(runtime);
    if !parts.is_empty() {
        reads::measure(&mut report, &scale, &program, &parts);
    }
    report.write();
    ExitCode::SUCCESS
}

/// The rows that a list with commas or spaces names.
fn rows(list: &str) -> Result<Vec<&'static str>, String> {
    let all: Vec<&str> = ROWS.into_iter().chain(reads::PARTS).collect();
    let named: Vec<&str> = list.split([',', ' ']).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = named.iter().find(|name| **name != READS && !all.contains(name)) {
        return Err(format!("there are no rows {unknown:?}: choose of {}, {READS}", all.join(", ")));
    }
    let is_named = |row: &&str| named.contains(row) || (named.contains(&READS) && reads::PARTS.contains(row));
    Ok(all.into_iter().filter(|row| named.is_empty() || is_named(row)).collect())
}
