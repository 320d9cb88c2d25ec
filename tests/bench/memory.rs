//! What the server holds in memory while it is sent far more than its disk takes.

use crate::machine;
use crate::program::{Program, Server};
use crate::report::{Report, Row, Target, Unit};
use crate::scale::Scale;

const CONNECTIONS: usize = 64;
const BATCH: usize = 500;
const PEAK_MAX_MIB: f64 = 300.0;

/// Measures the peak over the life of a server: a flood from senders who never wait when they are asked to.
pub(crate) fn measure(report: &mut Report, scale: &Scale, program: &Program) {
    let dir = machine::scratch();
    let mut server = Server::start(program, dir.path());
    let seconds = scale.flood_seconds;
    server.bench(&format!("--connections {CONNECTIONS} --batch {BATCH} --seconds {seconds} --impatient"));
    let what = format!("peak memory of the server, {CONNECTIONS} × {BATCH} flood of {seconds} s");
    report.add(Row::new(what, Unit::MiB, vec![server.peak_mib()]).target(Target::Most(PEAK_MAX_MIB)));
}
