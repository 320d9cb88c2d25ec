//! The read side of a running ledger that holds many deliveries: over HTTP, from its command line and on its disk.

mod busy;
mod catch_up;
mod lag;
mod ledger;
mod pages;
mod postgres;
mod restart;

use self::ledger::Ledger;
use crate::program::Program;
use crate::report::Report;
use crate::scale::Scale;

/// The parts of it, in their order: what appends comes last, so that all others read the same deliveries.
pub(crate) const PARTS: [&str; 6] = ["catch_up", "pages", "postgres", "restart", "busy", "lag"];

/// Measures some of its parts on one ledger.
pub(crate) fn measure(report: &mut Report, scale: &Scale, program: &Program, parts: &[&str]) {
    let mut ledger = Ledger::fill(program, scale.read_events);
    for part in parts {
        match *part {
            "catch_up" => catch_up::measure(report, scale, &mut ledger),
            "pages" => pages::measure(report, scale, &ledger),
            "postgres" => postgres::measure(report, scale, &ledger),
            "restart" => restart::measure(report, scale, &mut ledger),
            "busy" => busy::measure(report, scale, &mut ledger),
            "lag" => lag::measure(report, scale, &mut ledger),
            other => unreachable!("{other} is none of them"),
        }
    }
    ledger.server.end();
}
