//! Holds what the ledger says against what the dispatcher counted itself.

use std::collections::HashSet;
use std::fmt::Debug;

use super::clock::Moment;
use super::ledger::{HistoryRow, Ledger, Stats};
use super::payloads::Payloads;
use super::plan::Plan;
use super::tally::{DeliveryTally, Tally};

/// The most differences that are told; the others are only counted.
const TOLD_MAX: usize = 20;

/// Rows of a page of the workspace's history: the most that the contract allows.
const WORKSPACE_PAGE: u64 = 100;

/// Rows of a page of one subscription's history: fewer, so that short runs have several pages, but at most so many
/// pages.
const SUBSCRIPTION_PAGE_MIN: u64 = 20;
const SUBSCRIPTION_PAGES: u64 = 50;

/// The largest difference of two success rates that are the same: the last digits of a quotient.
const RATE_EPSILON: f64 = 1e-9;

/// How much of two payloads is shown from where they part.
const EXCERPT_BYTES: usize = 40;

/// A run that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// What was planned.
    pub(crate) plan: &'a Plan,
    /// What was sent.
    pub(crate) payloads: Payloads,
    /// The `max_attempts` of every delivery.
    pub(crate) max_attempts: u32,
    /// What became of the deliveries.
    pub(crate) tallies: &'a [DeliveryTally],
    /// The position of its last event.
    pub(crate) position: u64,
}

/// Where the ledger differs from the dispatcher.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    told: Vec<String>,
    count: usize,
}

impl Differences {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The first of them, a sentence each.
    pub(crate) fn told(&self) -> &[String] {
        &self.told
    }

    fn add(&mut self, difference: String) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(difference);
        }
    }

    /// Notes when the ledger's value is not the one that was counted.
    fn compare<T: PartialEq + Debug>(&mut self, of: &str, field: &str, ledger: T, counted: T) {
        if ledger != counted {
            self.add(format!("{of}: {field} is {ledger:?} in the ledger, the dispatcher has {counted:?}"));
        }
    }
}

/// Reads everything about the run back and compares it.
pub(crate) async fn compare(ledger: &Ledger, run: Run<'_>) -> anyhow::Result<Differences> {
    let mut differences = Differences::default();
    for (index, subscription) in run.plan.subscriptions.iter().enumerate() {
        let tallies: Vec<_> = run.tallies.iter().filter(|tally| tally.planned.subscription == index).collect();
        let stats = ledger.stats(&subscription.id, run.position).await?;
        compare_stats(&mut differences, &subscription.id, &stats, &Tally::of(tallies.iter().copied()));
        compare_history(&mut differences, ledger, run, &subscription.id, tallies).await?;
    }
    compare_workspace(&mut differences, ledger, run).await?;
    Ok(differences)
}

fn compare_stats(differences: &mut Differences, id: &str, stats: &Stats, tally: &Tally) {
    let of = format!("stats of {id}");
    let counted = &tally.attempts;
    differences.compare(&of, "total", stats.total, counted.total());
    differences.compare(&of, "success_count", stats.success_count, counted.success_count);
    differences.compare(&of, "failed_count", stats.failed_count, counted.failed_count);
    if (stats.success_rate - counted.success_rate()).abs() > RATE_EPSILON {
        differences.compare(&of, "success_rate", stats.success_rate, counted.success_rate());
    }
    differences.compare(&of, "avg_duration_ms", stats.avg_duration_ms, counted.duration_avg_ms());
    differences.compare(&of, "max_duration_ms", stats.max_duration_ms, counted.duration_max_ms);
    differences.compare(&of, "last_delivery_at", shown(stats.last_delivery_at), shown(counted.last_at));
}

/// Walks all pages of a subscription, which has no deliveries but ours.
async fn compare_history(
    differences: &mut Differences,
    ledger: &Ledger,
    run: Run<'_>,
    id: &str,
    mut tallies: Vec<&DeliveryTally>,
) -> anyhow::Result<()> {
    newest_first(&mut tallies);
    let of = format!("history of {id}");
    let count = tallies.len() as u64;
    let limit = (count / SUBSCRIPTION_PAGES).clamp(SUBSCRIPTION_PAGE_MIN, WORKSPACE_PAGE);
    let mut expected = tallies.into_iter();
    let mut offset = 0;
    loop {
        let page = ledger.history(Some(id), limit, offset, run.position).await?;
        differences.compare(&of, "total", page.total, count);
        differences.compare(&of, "limit", page.limit, limit);
        differences.compare(&of, "offset", page.offset, offset);
        // The page after the last one is read as well: it must be empty.
        if page.deliveries.is_empty() {
            break;
        }
        for row in &page.deliveries {
            if !compare_next(differences, run, &of, row, expected.next()) {
                return Ok(());
            }
        }
        offset += page.deliveries.len() as u64;
    }
    differences.compare(&of, "number of deliveries missing at its end", expected.count(), 0);
    Ok(())
}

/// Walks the workspace's pages down to our first delivery. Others may be at work in it.
async fn compare_workspace(differences: &mut Differences, ledger: &Ledger, run: Run<'_>) -> anyhow::Result<()> {
    let ours: HashSet<_> = run.plan.subscriptions.iter().map(|subscription| subscription.id.as_str()).collect();
    let mut tallies: Vec<_> = run.tallies.iter().collect();
    newest_first(&mut tallies);
    let (of, count) = (format!("history of workspace {}", ledger.workspace()), tallies.len() as u64);
    let mut expected = tallies.into_iter().peekable();
    let (mut offset, mut last, mut first_total) = (0, None, None);
    while expected.peek().is_some() {
        let page = ledger.history(None, WORKSPACE_PAGE, offset, run.position).await?;
        let grew = page.total > *first_total.get_or_insert(page.total);
        if page.total < count {
            differences.add(format!("{of}: total is {}, the dispatcher alone made {count} deliveries", page.total));
        }
        for row in &page.deliveries {
            let key = (row.created_at, row.id.clone());
            if last.as_ref().is_some_and(|last| key >= *last) {
                // What others add at the top moves a page's last rows to the next page.
                if !grew {
                    differences.add(format!("{of}: {} is not older than the row before it", row.id));
                }
                continue;
            }
            last = Some(key);
            if ours.contains(row.subscription_id.as_str()) && !compare_next(differences, run, &of, row, expected.next())
            {
                return Ok(());
            }
        }
        let past_ours = last.as_ref().is_none_or(|(created_at, _)| *created_at < run.payloads.started_at);
        if page.deliveries.is_empty() || past_ours {
            break;
        }
        offset += page.deliveries.len() as u64;
    }
    differences.compare(&of, "number of deliveries missing", expected.count(), 0);
    Ok(())
}

/// The order of the history: by time of creation, then by id, the greatest first.
fn newest_first(tallies: &mut [&DeliveryTally]) {
    tallies.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
}

/// Compares a row with the delivery that must stand there; false when it is another one, and what follows would be too.
fn compare_next(
    differences: &mut Differences,
    run: Run<'_>,
    of: &str,
    row: &HistoryRow,
    tally: Option<&DeliveryTally>,
) -> bool {
    let Some(tally) = tally else {
        differences.add(format!("{of}: {} is one delivery too many", row.id));
        return false;
    };
    if row.id != tally.id {
        differences.add(format!("{of}: {} stands where {} must stand", row.id, tally.id));
        return false;
    }
    compare_row(differences, run, row, tally);
    true
}

fn compare_row(differences: &mut Differences, run: Run<'_>, row: &HistoryRow, tally: &DeliveryTally) {
    let of = &row.id;
    let message = run.payloads.message(tally.planned.source_event);
    let last = tally.last.as_ref();
    differences.compare(of, "subscription_id", &row.subscription_id, &run.plan.subscription(tally.planned).id);
    differences.compare(of, "event_type", row.event_type.as_str(), message.event_type);
    compare_payload(differences, of, row.payload.get(), message.payload.get());
    differences.compare(of, "status", row.status.as_str(), tally.status());
    differences.compare(of, "attempts", row.attempts, tally.attempts);
    differences.compare(of, "max_attempts", row.max_attempts, run.max_attempts);
    differences.compare(of, "next_attempt_at", shown(row.next_attempt_at), None);
    differences.compare(of, "last_attempt_at", shown(row.last_attempt_at), shown(last.map(|last| last.at)));
    differences.compare(of, "delivered_at", shown(row.delivered_at), shown(tally.delivered_at));
    differences.compare(of, "last_response_status", row.last_response_status, last.and_then(|last| last.status));
    differences.compare(of, "created_at", row.created_at.to_string(), tally.created_at.to_string());
    compare_text(differences, of, "last_error", row.last_error.as_deref(), tally.last_error());
    let body = last.and_then(|last| last.body.as_deref());
    compare_text(differences, of, "last_response_body", row.last_response_body.as_deref(), body);
}

/// Compares payloads byte for byte. They may be long: only the place where they part is shown.
fn compare_payload(differences: &mut Differences, of: &str, ledger: &str, sent: &str) {
    if ledger == sent {
        return;
    }
    let same = ledger.bytes().zip(sent.bytes()).take_while(|(ledger, sent)| ledger == sent).count();
    let from_there = |text: &str| {
        let bytes = &text.as_bytes()[same..text.len().min(same + EXCERPT_BYTES)];
        String::from_utf8_lossy(bytes).into_owned()
    };
    let field = format!("payload from byte {same}");
    differences.compare(of, &field, from_there(ledger), from_there(sent));
}

/// Compares texts that the ledger may have cut.
fn compare_text(differences: &mut Differences, of: &str, field: &str, ledger: Option<&str>, counted: Option<&str>) {
    let same = match (ledger, counted) {
        (Some(ledger), Some(counted)) => counted.starts_with(ledger),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !same {
        differences.compare(of, field, ledger, counted);
    }
}

fn shown(moment: Option<Moment>) -> Option<String> {
    moment.map(|moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::demo::clock::Clock;
    use crate::demo::tally::tests::{created, finished};

    /// A delivery that failed once and then was accepted, and the row that it must have.
    fn delivery_and_row(clock: &Clock, plan: &Plan, payloads: Payloads) -> (DeliveryTally, HistoryRow) {
        let mut tally = created(clock, 1);
        tally.finished(finished(clock, 5, 500));
        tally.finished(finished(clock, 7, 200));
        let message = payloads.message(1);
        let row = HistoryRow {
            id: tally.id.clone(),
            subscription_id: plan.subscriptions[0].id.clone(),
            event_type: message.event_type.to_owned(),
            payload: message.payload,
            status: "delivered".to_owned(),
            attempts: 2,
            max_attempts: 5,
            next_attempt_at: None,
            last_attempt_at: tally.delivered_at,
            delivered_at: tally.delivered_at,
            last_response_status: Some(200),
            last_response_body: Some("o".to_owned()),
            last_error: None,
            created_at: tally.created_at,
        };
        (tally, row)
    }

    #[test]
    fn a_row_that_differs_in_any_field_is_told() {
        let (clock, plan) = (Clock::start(1), Plan::new("run", 1, 1));
        let payloads = Payloads { seed: 1, started_at: clock.started_at() };
        let changes: [fn(&mut HistoryRow); 13] = [
            |row| row.subscription_id.push('x'),
            |row| row.event_type.push('x'),
            |row| row.payload = RawValue::from_string(row.payload.get().replacen(':', ": ", 1)).expect("it is JSON"),
            |row| row.status = "failed".to_owned(),
            |row| row.attempts += 1,
            |row| row.max_attempts += 1,
            |row| row.next_attempt_at = Some(row.created_at),
            |row| row.last_attempt_at = None,
            |row| row.delivered_at = None,
            |row| row.last_response_status = None,
            |row| row.last_response_body = Some("other".to_owned()),
            |row| row.last_error = Some(String::new()),
            |row| row.created_at = row.created_at.after(std::time::Duration::from_micros(1)),
        ];
        let (tally, mut row) = delivery_and_row(&clock, &plan, payloads);
        let compared = |row: &HistoryRow| {
            let run = Run { plan: &plan, payloads, max_attempts: 5, tallies: &[], position: 0 };
            let mut differences = Differences::default();
            compare_row(&mut differences, run, row, &tally);
            differences
        };
        assert_eq!(compared(&row).told(), Vec::<String>::new());
        for (number, change) in changes.into_iter().enumerate() {
            change(&mut row);
            assert_eq!(compared(&row).count(), number + 1, "{:?}", compared(&row));
        }
    }

    #[test]
    fn stats_that_differ_in_any_figure_are_told() {
        let clock = Clock::start(1);
        let mut delivery = created(&clock, 1);
        delivery.finished(finished(&clock, 5, 500));
        delivery.finished(finished(&clock, 8, 200));
        let tally = Tally::of([&delivery]);
        let mut stats = Stats {
            total: 2,
            success_count: 1,
            failed_count: 1,
            success_rate: 0.5,
            avg_duration_ms: 7,
            max_duration_ms: 8,
            last_delivery_at: delivery.delivered_at,
        };
        let compared = |stats: &Stats| {
            let mut differences = Differences::default();
            compare_stats(&mut differences, "sub", stats, &tally);
            differences.count()
        };
        let changes: [fn(&mut Stats); 7] = [
            |stats| stats.total += 1,
            |stats| stats.success_count += 1,
            |stats| stats.failed_count += 1,
            |stats| stats.success_rate = 0.51,
            |stats| stats.avg_duration_ms -= 1,
            |stats| stats.max_duration_ms += 1,
            |stats| stats.last_delivery_at = None,
        ];
        assert_eq!(compared(&stats), 0);
        for (number, change) in changes.into_iter().enumerate() {
            change(&mut stats);
            assert_eq!(compared(&stats), number + 1);
        }
    }
}
