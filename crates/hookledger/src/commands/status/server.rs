//! The status of a running server, as far as it tells it to everybody: `/readyz` and `/metrics`.

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::Status;
use crate::client::{LedgerClient, Server, refusal};

#[derive(Deserialize)]
struct Readiness {
    status: String,
    reason: Option<String>,
    log_position: u64,
    views_position: u64,
}

/// Asks it.
pub(super) async fn status(server: &Server) -> anyhow::Result<Status> {
    let client = server.client()?;
    // A server that is not ready says so with 503, and the same body.
    let readiness = text(&client, "readyz", true).await?;
    let readiness: Readiness = serde_json::from_str(&readiness)
        .with_context(|| format!("{} is no ledger: /readyz says {readiness:?}", server.url))?;
    let metrics = text(&client, "metrics", false).await?;
    let reason = readiness.reason.map_or(String::new(), |reason| format!(": {reason}"));
    Ok(Status {
        ledger: server.url.to_string(),
        readiness: Some(readiness.status + &reason),
        log_position: readiness.log_position,
        log_sealed_position: gauge(&metrics, "hookledger_log_sealed_position"),
        views_position: Some(readiness.views_position),
        views_lag_events: Some(readiness.log_position.saturating_sub(readiness.views_position)),
        deliveries_waiting: gauge(&metrics, "hookledger_deliveries_waiting"),
        ..Status::default()
    })
}

async fn text(client: &LedgerClient, path: &str, also_unready: bool) -> anyhow::Result<String> {
    let url = client.url(&[path], &[])?;
    let answer = client.get(&url, 0).await.map_err(|error| anyhow::anyhow!(client.unreachable(&error)))?;
    let is_unready = also_unready && answer.status() == http::StatusCode::SERVICE_UNAVAILABLE;
    if !answer.status().is_success() && !is_unready {
        return Err(refusal(answer).await);
    }
    let text = answer.text().await.with_context(|| format!("cannot read the answer of {url}"))?;
    ensure!(!text.is_empty(), "{url} answers nothing: is it the address of a ledger?");
    Ok(text)
}

/// The value of a metric without labels.
fn gauge(metrics: &str, name: &str) -> Option<u64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let metrics = "# HELP a_b x\na_bc 7\na_b 3\n# EOF\n";
        assert_eq!((gauge(metrics, "a_b"), gauge(metrics, "a_bc"), gauge(metrics, "a")), (Some(3), Some(7), None));
    }
}
