//! A ledger that was closed: what it takes on the disk, how soon it is ready, how long pages take that nobody has read
//! since, and what it holds in memory then.

use super::ledger::Ledger;
use crate::load::one_by_one_ms;
use crate::machine;
use crate::report::{Report, Row, Target, Unit, count, quantiles};
use crate::scale::Scale;

const PERCENTILES: [(&str, f64, Option<f64>); 2] = [("p50", 0.5, None), ("p99", 0.99, Some(10.0))];

/// Measures one start after the other.
pub(super) fn measure(report: &mut Report, scale: &Scale, ledger: &mut Ledger) {
    let (mut views_bytes, mut open_ms, mut peaks_mib) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let mut is_dropped = true;
    for run in 0..scale.runs {
        let deliveries = ledger.deliveries as f64;
        ledger.server.restart(|dir| {
            let (_, allocated) = machine::disk_bytes(&dir.join("views"));
            views_bytes.push(allocated as f64 / deliveries);
            is_dropped &= machine::drop_page_cache(dir);
        });
        open_ms.push(ledger.server.ready().as_secs_f64() * 1e3);
        is_dropped &= machine::drop_page_cache(ledger.dir());
        let pages = ledger.random_pages(run, scale.cold_pages);
        cold.push(one_by_one_ms(&ledger.server.address, &pages));
        warm.push(one_by_one_ms(&ledger.server.address, &pages));
        peaks_mib.push(ledger.server.peak_mib());
    }
    let cache = if is_dropped { "" } else { ", page cache kept" };
    let (pages, of_all) = (scale.cold_pages, count(ledger.deliveries));
    let what = format!("open {of_all} deliveries until ready{cache}");
    report.add(Row::new(what, Unit::Milliseconds, open_ms).target(Target::Most(1_000.0)));
    for (name, at, most_ms) in PERCENTILES {
        let what = format!("20 anywhere in {} deliveries, cold, {name} of {pages}{cache}", count(ledger.large));
        let row = Row::new(what, Unit::Milliseconds, quantiles(&mut cold, at))
            .beside("the same pages again", quantiles(&mut warm, at));
        report.add(row.targets(most_ms.map(Target::Most)));
    }
    let what = format!("peak memory, {of_all} deliveries, {pages} pages read");
    report.add(Row::new(what, Unit::MiB, peaks_mib).target(Target::Most(1_024.0)));
    let what = format!("views on disk, {of_all} deliveries with payload");
    report.add(Row::new(what, Unit::BytesPer("delivery"), views_bytes).target(Target::Most(500.0)));
}
