//! `make bench`: what this machine makes of the ledger, each figure beside a reference of the same run.
//!
//! Machines are noisy, so the subject and its reference take turns, and medians and their ratio are told. The table
//! goes to standard output, the same as JSON to `target/bench/`.
//!
//! `BENCH` says how much: nothing for 1 M events, `full` for 10 M, `quick` to try the bench itself. `ROWS` names the
//! rows, in any number: all of them when it is empty.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark speaks on the terminal")]

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

const ROWS: [&str; 6] = ["library", "http", "latency", "log", "memory", "reads"];

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
    for row in rows {
        match row {
            "library" => library::measure(&mut report, &scale, &program),
            "http" => runtime.block_on(http::measure(&mut report, &scale, &program)),
            "latency" => runtime.block_on(latency::measure(&mut report, &scale, &program)),
            "log" => log::measure(&mut report, &scale, &program),
            "memory" => memory::measure(&mut report, &scale, &program),
            "reads" => runtime.block_on(reads::measure(&mut report, &scale, &program)),
            other => unreachable!("{other} is none of them"),
        }
    }
    report.write();
    ExitCode::SUCCESS
}

/// The rows that a list with commas or spaces names.
fn rows(list: &str) -> Result<Vec<&'static str>, String> {
    let named: Vec<&str> = list.split([',', ' ']).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = named.iter().find(|name| !ROWS.contains(name)) {
        return Err(format!("there are no rows {unknown:?}: choose of {}", ROWS.join(", ")));
    }
    Ok(ROWS.into_iter().filter(|row| named.is_empty() || named.contains(row)).collect())
}
