//! The ledger's answers beside PostgreSQL's to the same questions about the same deliveries.

use std::time::{Duration, Instant};

use super::ledger::{LARGE, LIMIT, Ledger, SEED, page, stats};
use crate::load::{READERS, block_on, requests_per_second};
use crate::machine;
use crate::postgres::{Answer, Question, Table};
use crate::report::{Report, Row, Target, Unit, count};
use crate::scale::Scale;

/// Over how many connections it is asked: as many as the ledger.
const CONNECTIONS: usize = READERS;

/// How long it is asked one question at most, in all runs that begin before.
const ASKED_MAX: Duration = Duration::from_secs(30);

/// Where the page of a subscription of moderate size begins, if it has as many deliveries.
const MODERATE_OFFSET: u64 = 1_900;

/// A row of the table.
struct Asked {
    what: String,
    question: Question,
    least_times: f64,
}

/// Measures every question, in turns; and how much the table takes.
pub(super) fn measure(report: &mut Report, scale: &Scale, ledger: &Ledger) {
    let table = Table::load(&ledger.program, ledger.events, SEED);
    for Asked { what, question, least_times } in questions(ledger) {
        let path = path(&question);
        let request = [ledger.server.request(&path)];
        if let Ok(table) = &table {
            let theirs = block_on(table.answer(&question));
            assert_eq!(answer(ledger, &path), theirs, "both were told the same: {question:?}");
        }
        let (mut ours, mut reference, mut asked) = (Vec::new(), Vec::new(), Duration::ZERO);
        for _ in 0..scale.runs {
            ours.push(requests_per_second(&ledger.server.address, &request, scale.read_duration));
            if let (Ok(table), true) = (&table, asked < ASKED_MAX) {
                let started = Instant::now();
                reference.push(block_on(table.answers_per_second(&question, CONNECTIONS, scale.read_duration)));
                asked += started.elapsed();
            }
        }
        let beside = table.as_ref().map(|table| (format!("{}, {CONNECTIONS} connections", table.name()), reference));
        let row = Row::new(what, Unit::PerSecond("requests"), ours).beside_if(beside.map_err(Clone::clone));
        report.add(row.target(Target::LeastTimes(least_times)));
    }
    let ours = vec![machine::disk_bytes(ledger.dir()).1 as f64 / ledger.deliveries as f64];
    let beside = table.as_ref().map(|table| {
        let theirs = block_on(table.bytes()) as f64 / table.rows as f64;
        (format!("{}, the table with its indexes", table.name()), vec![theirs])
    });
    let what = format!("log and views on disk, {} deliveries with payload", count(ledger.deliveries));
    report.add(Row::new(what, Unit::BytesPer("delivery"), ours).beside_if(beside.map_err(Clone::clone)));
}

fn questions(ledger: &Ledger) -> [Asked; 5] {
    let workspace = || LARGE.to_owned();
    let (moderate, largest) = (&ledger.moderate, &ledger.largest);
    let (of_large, of_moderate) = (count(ledger.large), count(moderate.deliveries));
    let (half, near_end) = (ledger.large / 2, MODERATE_OFFSET.min(moderate.deliveries.saturating_sub(LIMIT)));
    let attempts = ledger.server.json(&stats(LARGE, &largest.id))["total"].as_u64().expect("it is a count");
    let asked = |what: String, question, least_times| Asked { what, question, least_times };
    [
        asked(
            format!("newest 20 and total, workspace of {of_large} deliveries"),
            Question::Workspace { workspace: workspace(), offset: 0 },
            500.0,
        ),
        asked(
            format!("20 at offset {} and total, the same", count(half)),
            Question::Workspace { workspace: workspace(), offset: half },
            1_000.0,
        ),
        asked(
            format!("20 at offset {} and total, subscription of {of_moderate}", count(near_end)),
            Question::Subscription { workspace: workspace(), subscription: moderate.id.clone(), offset: near_end },
            10.0,
        ),
        asked(
            format!("stats, subscription of {of_moderate} deliveries"),
            Question::Stats { workspace: workspace(), subscription: moderate.id.clone() },
            20.0,
        ),
        asked(
            format!("stats, subscription of {} attempts", count(attempts)),
            Question::Stats { workspace: workspace(), subscription: largest.id.clone() },
            1_000.0,
        ),
    ]
}

/// Where the ledger answers it.
fn path(question: &Question) -> String {
    match question {
        Question::Workspace { workspace, offset } => page(workspace, None, *offset),
        Question::Subscription { workspace, subscription, offset } => page(workspace, Some(subscription), *offset),
        Question::Stats { workspace, subscription } => stats(workspace, subscription),
    }
}

fn answer(ledger: &Ledger, path: &str) -> Answer {
    let answer = ledger.server.json(path);
    let rows = answer["deliveries"].as_array().into_iter().flatten();
    let ids = rows.map(|row| row["id"].as_str().expect("a delivery has an id").to_owned()).collect();
    Answer { total: answer["total"].as_u64().expect("it is a count"), ids }
}
