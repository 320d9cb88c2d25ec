//! What a run came to, for people and for programs.

use anyhow::Context;
use serde::Serialize;

use super::sender::Outcome;
use super::tally::Latency;
use crate::progress::per_second;
use crate::table::pairs;

/// The figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    connections: usize,
    batch: usize,
    format: &'static str,
    /// Events a second that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    seed: u64,
    seconds: f64,
    requests: u64,
    requests_per_second: f64,
    appended: u64,
    duplicates: u64,
    events_per_second: f64,
    body_bytes_per_second: f64,
    latency_ms: Latency,
    /// Answers that asked to wait, after which the request was sent again.
    refused: u64,
    /// Connections that broke before an answer, after which the request was sent again.
    broken: u64,
    /// Requests that were due and never sent: the ledger did not keep up with the rate.
    unsent: usize,
}

impl Report {
    pub(super) fn of(
        outcome: &Outcome,
        connections: usize,
        batch: usize,
        format: &'static str,
        rate: Option<u64>,
        seed: u64,
    ) -> Self {
        let Outcome { tally, elapsed, left } = outcome;
        Self {
            connections,
            batch,
            format,
            rate,
            seed,
            seconds: elapsed.as_secs_f64(),
            requests: tally.requests,
            requests_per_second: per_second(tally.requests, *elapsed),
            appended: tally.appended,
            duplicates: tally.duplicates,
            events_per_second: per_second(tally.appended + tally.duplicates, *elapsed),
            body_bytes_per_second: per_second(tally.body_bytes, *elapsed),
            latency_ms: tally.latency(),
            refused: tally.refused,
            broken: tally.broken,
            unsent: *left,
        }
    }

    pub(super) fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self).context("cannot write the figures")? + "\n")
    }

    pub(super) fn text(&self) -> String {
        let Latency { p50, p99, p999, max } = self.latency_ms;
        let mut rows = vec![
            ("seconds", format!("{:.2}", self.seconds)),
            ("requests", format!("{} ({:.0}/s)", self.requests, self.requests_per_second)),
            ("events", format!("{} ({:.0}/s)", self.appended + self.duplicates, self.events_per_second)),
            ("bodies", format!("{:.1} MB/s", self.body_bytes_per_second / 1e6)),
            ("latency", format!("p50 {p50:.3} ms, p99 {p99:.3} ms, p99.9 {p999:.3} ms, at most {max:.3} ms")),
        ];
        let happened = [
            ("duplicates", self.duplicates, "events that the ledger had already"),
            ("refused", self.refused, "answers that asked to wait; sent again"),
            ("broken", self.broken, "connections that broke before an answer; sent again"),
            ("unsent", self.unsent as u64, "requests that were due and never sent: the rate is too high"),
        ];
        let happened = happened.into_iter().filter(|(_, count, _)| *count > 0);
        rows.extend(happened.map(|(name, count, what)| (name, format!("{count} {what}"))));
        pairs(&rows)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::tally::Tally;

    fn report(change: impl FnOnce(&mut Outcome)) -> Report {
        let mut tally = Tally::new();
        (tally.requests, tally.appended, tally.body_bytes) = (20, 2_000, 1_000_000);
        (0..20).for_each(|_| tally.add_latency(Duration::from_millis(3)));
        let mut outcome = Outcome { tally, elapsed: Duration::from_secs(2), left: 0 };
        change(&mut outcome);
        Report::of(&outcome, 4, 100, "ndjson", None, 1)
    }

    #[test]
    fn a_quiet_run_tells_rates_and_times_alone() {
        let text = report(|_| {}).text();
        assert!(text.contains("20 (10/s)") && text.contains("2000 (1000/s)") && text.contains("0.5 MB/s"), "{text}");
        assert!(text.contains("p50 3.0") && text.lines().count() == 5, "{text}");
    }

    #[test]
    fn what_did_not_go_well_is_told_with_its_meaning() {
        let text = report(|outcome| {
            (outcome.tally.refused, outcome.tally.broken, outcome.left) = (5, 6, 7);
            outcome.tally.duplicates = 8;
        });
        let text = text.text();
        for told in ["5 answers that asked", "6 connections that broke", "7 requests that were due", "8 events that"] {
            assert!(text.contains(told), "{text}");
        }
    }

    #[test]
    fn programs_read_the_same_under_plain_names() {
        let text = report(|_| {}).json().expect("it is JSON");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!((&json["requests"], &json["appended"]), (&20.into(), &2_000.into()));
        assert_eq!(json["events_per_second"], 1_000.0);
        assert!(json["latency_ms"]["p99.9"].as_f64().is_some_and(|ms| (ms - 3.0).abs() < 0.01), "{json}");
    }
}
