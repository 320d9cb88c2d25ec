//! `status`: how far log and views have come, and how large they are.

mod folder;
mod server;

use clap::Args;
use ledger_event::Timestamp;
use serde::Serialize;

use crate::output;
use crate::table::pairs;
use crate::target::Target;

/// The arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    target: Target,

    /// Write JSON instead of text
    #[arg(long)]
    json: bool,
}

/// What is known of a ledger. What cannot be known from where it was asked is `null`.
#[derive(Debug, Default, Serialize)]
struct Status {
    /// The folder or the server.
    ledger: String,
    /// `ready`, or why not; of a server.
    readiness: Option<String>,
    log_position: u64,
    /// `POSITION:HASH`, as `verify` takes it.
    log_head: Option<String>,
    /// Hot tier and segments.
    log_size_bytes: Option<u64>,
    /// The last position that is in a segment.
    log_sealed_position: Option<u64>,
    oldest_recorded_at: Option<Timestamp>,
    newest_recorded_at: Option<Timestamp>,
    /// From an hour of history on.
    growth_events_per_day: Option<u64>,
    growth_bytes_per_day: Option<u64>,
    /// `null` without views that can be read.
    views_position: Option<u64>,
    views_lag_events: Option<u64>,
    /// Why the views cannot be read.
    views_damage: Option<String>,
    views_size_bytes: Option<u64>,
    deliveries_listed: Option<u64>,
    deliveries_waiting: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(args: StatusArgs) -> anyhow::Result<()> {
    let status = match args.target {
        Target::DataDir(path) => tokio::task::spawn_blocking(move || folder::status(&path)).await??,
        Target::Server(server) => server::status(&server).await?,
    };
    output::print(&if args.json { serde_json::to_string_pretty(&status)? + "\n" } else { status.text() })
}

impl Status {
    fn text(&self) -> String {
        let mut rows = vec![("ledger", self.ledger.clone())];
        let mut push = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
        push("readiness", self.readiness.clone());
        push("log position", Some(self.log_position.to_string()));
        push("log head", self.log_head.clone());
        push("log size", self.log_size_bytes.map(size));
        push("log sealed up to", self.log_sealed_position.map(|position| position.to_string()));
        push("oldest event recorded", self.oldest_recorded_at.map(|at| at.to_string()));
        push("newest event recorded", self.newest_recorded_at.map(|at| at.to_string()));
        push("events per day", self.growth_events_per_day.map(|events| events.to_string()));
        push("growth per day", self.growth_bytes_per_day.map(size));
        push("views position", self.views_position.map(|position| position.to_string()));
        push("views lag", self.views_lag_events.map(|events| format!("{events} events")));
        push("views damaged", self.views_damage.clone());
        push("views size", self.views_size_bytes.map(size));
        push("deliveries", self.deliveries_listed.map(|count| count.to_string()));
        push("deliveries waiting", self.deliveries_waiting.map(|count| count.to_string()));
        pairs(&rows)
    }
}

/// Bytes for people: three digits and a unit.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_keeps_them_short() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB")];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!((size(3 << 40), size(u64::MAX).as_str()), ("3.0 TiB".to_owned(), "16777215.9 TiB"));
    }
}
