//! What the demo prints.

use std::fmt::Write;

use super::check::Differences;
use super::ledger::Ledger;
use super::plan::Plan;
use super::receiver::{Received, Receiver};
use super::recorder::Recorded;
use super::tally::{DeliveryTally, Tally};

/// The table of the subscriptions, with their sum, by what the dispatcher counted.
pub(crate) fn table(plan: &Plan, tallies: &[DeliveryTally]) -> String {
    let mut table = String::new();
    let columns = ["deliveries", "delivered", "failed", "attempts", "success", "avg ms", "max ms"];
    write_row(&mut table, "subscription", &columns.map(str::to_owned));
    for (index, subscription) in plan.subscriptions.iter().enumerate() {
        let tally = Tally::of(tallies.iter().filter(|tally| tally.planned.subscription == index));
        write_row(&mut table, subscription.name, &figures(&tally));
    }
    write_row(&mut table, "all", &figures(&Tally::of(tallies)));
    table
}

fn write_row(table: &mut String, name: &str, cells: &[String; 7]) {
    let [deliveries, delivered, failed, attempts, success, average, longest] = cells;
    writeln!(
        table,
        "{name:<24}{deliveries:>11}{delivered:>11}{failed:>8}{attempts:>10}{success:>9}{average:>8}{longest:>8}"
    )
    .expect("text can be written to a string");
}

fn figures(tally: &Tally) -> [String; 7] {
    let attempts = &tally.attempts;
    [
        tally.deliveries.to_string(),
        tally.delivered.to_string(),
        (tally.deliveries - tally.delivered).to_string(),
        attempts.total().to_string(),
        format!("{:.1} %", 100.0 * attempts.success_rate()),
        attempts.duration_avg_ms().to_string(),
        attempts.duration_max_ms.to_string(),
    ]
}

/// What was recorded, and what the receiver saw.
pub(crate) fn recorded(recorded: &Recorded, plan: &Plan, receiver: &Receiver) -> String {
    let mut received = Received::default();
    for subscription in &plan.subscriptions {
        let more = receiver.received(subscription);
        received.verified += more.verified;
        received.forged += more.forged;
    }
    let again = match recorded.retries {
        0 => String::new(),
        retries => {
            let duplicates = recorded.duplicates;
            format!(" ({retries} had to be repeated, {duplicates} events were there already and were kept once)")
        }
    };
    format!(
        "Recorded {} events in {} requests{again}; the ledger is at position {}.\n\
         The receiver verified {} signatures and refused {}.",
        recorded.events, recorded.requests, recorded.position, received.verified, received.forged,
    )
}

/// The result of the check.
pub(crate) fn checked(plan: &Plan, tallies: &[DeliveryTally], differences: &Differences) -> String {
    if differences.count() == 0 {
        let tally = Tally::of(tallies);
        return format!(
            "Check passed: the ledger's stats of {} subscriptions and its history of {} deliveries ({} delivered, {} \
             failed, {} attempts) equal what the dispatcher counted itself.",
            plan.subscriptions.len(),
            tally.deliveries,
            tally.delivered,
            tally.deliveries - tally.delivered,
            tally.attempts.total(),
        );
    }
    let mut text = format!("Check FAILED: {} differences.", differences.count());
    for difference in differences.told() {
        text.push_str("\n  ");
        text.push_str(difference);
    }
    if differences.count() > differences.told().len() {
        text.push_str("\n  …");
    }
    text
}

/// The two questions, ready to paste: how is the busiest webhook doing, and what happened to its deliveries?
pub(crate) fn curl_lines(ledger: &Ledger, subscription_id: &str) -> anyhow::Result<String> {
    let curl =
        |url| format!("curl -s -H {} {}", quoted(&format!("Authorization: Bearer {}", ledger.token())), quoted(url));
    let stats = ledger.stats_url(subscription_id)?;
    let history = ledger.history_url(Some(subscription_id), 5, 0)?;
    Ok(format!("{}\n{}", curl(stats.as_str()), curl(history.as_str())))
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curl_lines_survive_a_shell() {
        let url = "http://127.0.0.1:8080".parse().expect("it is a URL");
        let ledger = Ledger::new(&url, "it's", "ws_demo").expect("it is the address of a ledger");
        let lines = curl_lines(&ledger, "whsub_1").expect("it has a path");
        let (stats, history) = lines.split_once('\n').expect("there are two");
        let curl = r"curl -s -H 'Authorization: Bearer it'\''s' 'http://127.0.0.1:8080/api";
        assert_eq!(stats, format!("{curl}/v1/workspace/webhooks/whsub_1/stats'"));
        assert_eq!(
            history,
            format!(
                "{curl}/webhookSubscriptions.deliveries?workspace_id=ws_demo&subscription_id=whsub_1&limit=5&offset=0'"
            )
        );
    }
}
