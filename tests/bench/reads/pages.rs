//! The two documented endpoints, beside a bare axum route that returns the same bytes; and pages at any depth, beside
//! the newest one.

use super::ledger::{DEPTHS_PERCENT, LARGE, Ledger, page, stats};
use crate::bare::{self, Bare};
use crate::load::requests_per_second;
use crate::report::{Report, Row, Target, Unit, count};
use crate::scale::Scale;

/// How many pages that follow each other are read at a depth.
const PAGES_AT_A_DEPTH: u64 = 50;

/// Measures both.
pub(super) fn measure(report: &mut Report, scale: &Scale, ledger: &Ledger) {
    let (largest, of_largest) = (&ledger.largest.id, count(ledger.largest.deliveries));
    let what = format!("stats, subscription of {of_largest} deliveries");
    documented(report, scale, ledger, &what, &stats(LARGE, largest), Some(0.85));
    let what = format!("history, newest 20, subscription of {of_largest} deliveries");
    documented(report, scale, ledger, &what, &page(LARGE, Some(largest), 0), Some(0.4));
    let what = format!("history, newest 20, workspace of {} deliveries", count(ledger.large));
    documented(report, scale, ledger, &what, &page(LARGE, None, 0), None);
    at_depths(report, scale, ledger);
}

fn documented(report: &mut Report, scale: &Scale, ledger: &Ledger, what: &str, path: &str, target: Option<f64>) {
    let bare = Bare::serve(path, ledger.server.body(path));
    let theirs = [ledger.server.request(path)];
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    for _ in 0..scale.runs {
        ours.push(requests_per_second(&ledger.server.address, &theirs, scale.read_duration));
        reference.push(requests_per_second(&bare.address, &theirs, scale.read_duration));
    }
    let row = Row::new(what, Unit::PerSecond("requests"), ours).beside(bare::NAME, reference);
    report.add(row.targets(target.map(Target::LeastTimes)));
}

fn at_depths(report: &mut Report, scale: &Scale, ledger: &Ledger) {
    let newest = [ledger.server.request(&page(LARGE, None, 0))];
    let deep = DEPTHS_PERCENT.map(|percent| ledger.pages_at(percent, PAGES_AT_A_DEPTH));
    let page_us =
        |requests: &[String]| 1e6 / requests_per_second(&ledger.server.address, requests, scale.read_duration);
    let (mut at_newest, mut at_depth) = (Vec::new(), vec![Vec::new(); deep.len()]);
    for _ in 0..scale.runs {
        at_newest.push(page_us(&newest));
        for (requests, times) in deep.iter().zip(&mut at_depth) {
            times.push(page_us(requests));
        }
    }
    for (percent, times) in DEPTHS_PERCENT.iter().zip(at_depth) {
        let what = format!("history, 20 at {percent} % of {} deliveries, time a page", count(ledger.large));
        let row = Row::new(what, Unit::Microseconds, times).beside("the newest page", at_newest.clone());
        report.add(row.target(Target::MostTimes(1.5)));
    }
}
