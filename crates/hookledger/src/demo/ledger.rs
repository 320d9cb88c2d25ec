//! One workspace of the ledger, as the demo reads it back: stats and history, to the letter of their contracts.

use std::sync::Arc;

use anyhow::{Context, bail};
use http::StatusCode;
use reqwest::Url;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::clock::Moment;
use crate::client::{LedgerClient, refusal};

/// A ledger, and the right to use one workspace of it.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    client: LedgerClient,
    token: Arc<str>,
    workspace: Arc<str>,
    /// Whether the token is for all workspaces, so that stats must name theirs.
    names_workspace: bool,
}

/// The answer of the stats endpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) total: u64,
    pub(crate) success_count: u64,
    pub(crate) failed_count: u64,
    pub(crate) success_rate: f64,
    pub(crate) avg_duration_ms: u64,
    pub(crate) max_duration_ms: u64,
    #[serde(deserialize_with = "present")]
    pub(crate) last_delivery_at: Option<Moment>,
}

/// A page of the history endpoint.
#[derive(Debug, Deserialize)]
pub(crate) struct HistoryPage {
    pub(crate) deliveries: Vec<HistoryRow>,
    pub(crate) total: u64,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// A delivery in the history: every field is always there, some are null.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryRow {
    pub(crate) id: String,
    pub(crate) subscription_id: String,
    pub(crate) event_type: String,
    pub(crate) payload: Box<RawValue>,
    pub(crate) status: String,
    pub(crate) attempts: u32,
    pub(crate) max_attempts: u32,
    #[serde(deserialize_with = "present")]
    pub(crate) next_attempt_at: Option<Moment>,
    #[serde(deserialize_with = "present")]
    pub(crate) last_attempt_at: Option<Moment>,
    #[serde(deserialize_with = "present")]
    pub(crate) delivered_at: Option<Moment>,
    #[serde(deserialize_with = "present")]
    pub(crate) last_response_status: Option<u16>,
    #[serde(deserialize_with = "present")]
    pub(crate) last_response_body: Option<String>,
    #[serde(deserialize_with = "present")]
    pub(crate) last_error: Option<String>,
    pub(crate) created_at: Moment,
}

/// Reads a field that may be null but, unlike serde's own `Option`, not absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

impl Ledger {
    /// Connects: finds out that the ledger is there and that the token may read the workspace.
    pub(crate) async fn connect(url: &Url, token: &str, workspace: &str) -> anyhow::Result<Self> {
        let mut ledger = Self::new(url, token, workspace)?;
        let history = ledger.history_url(None, 1, 0)?;
        let answer = match ledger.client.get(&history, 0).await {
            Ok(answer) => answer,
            Err(error) => bail!(ledger.client.unreachable(&error)),
        };
        if !answer.status().is_success() {
            let needs =
                format!("the demo needs a token with the scopes `append` and `read` for workspace {workspace:?}");
            return Err(refusal(answer).await.context(needs));
        }
        let stats = ledger.client.get(&ledger.stats_url("whsub_none")?, 0).await.context("cannot read stats")?;
        ledger.names_workspace = stats.status() == StatusCode::UNPROCESSABLE_ENTITY;
        Ok(ledger)
    }

    /// A ledger that has not been asked anything yet.
    pub(crate) fn new(url: &Url, token: &str, workspace: &str) -> anyhow::Result<Self> {
        let client = LedgerClient::new(url, Some(token))?;
        Ok(Self { client, token: token.into(), workspace: workspace.into(), names_workspace: false })
    }

    /// The way to it.
    pub(crate) fn client(&self) -> &LedgerClient {
        &self.client
    }

    /// The workspace that it is used for.
    pub(crate) fn workspace(&self) -> &str {
        &self.workspace
    }

    /// The token that it is used with.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The stats of a subscription, at that position or later.
    pub(crate) async fn stats(&self, subscription_id: &str, min_position: u64) -> anyhow::Result<Stats> {
        self.client.read(&self.stats_url(subscription_id)?, min_position).await
    }

    /// A page of the history of one subscription or of the workspace, at that position or later.
    pub(crate) async fn history(
        &self,
        subscription_id: Option<&str>,
        limit: u64,
        offset: u64,
        min_position: u64,
    ) -> anyhow::Result<HistoryPage> {
        self.client.read(&self.history_url(subscription_id, limit, offset)?, min_position).await
    }

    /// Where the stats of a subscription are.
    pub(crate) fn stats_url(&self, subscription_id: &str) -> anyhow::Result<Url> {
        let path = ["api", "v1", "workspace", "webhooks", subscription_id, "stats"];
        let query = [("workspace_id", self.workspace.to_string())];
        self.client.url(&path, if self.names_workspace { &query } else { &[] })
    }

    /// Where the history of one subscription or of the workspace is.
    pub(crate) fn history_url(&self, subscription_id: Option<&str>, limit: u64, offset: u64) -> anyhow::Result<Url> {
        let mut query = vec![("workspace_id", self.workspace.to_string())];
        query.extend(subscription_id.map(|id| ("subscription_id", id.to_owned())));
        query.extend([("limit", limit.to_string()), ("offset", offset.to_string())]);
        self.client.url(&["api", "webhookSubscriptions.deliveries"], &query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(url: &str) -> Ledger {
        let url = url.parse().expect("it is a URL");
        Ledger::new(&url, "token", "ws ä").expect("it is the address of a ledger")
    }

    #[test]
    fn ids_and_workspaces_are_encoded_in_addresses() {
        let mut ledger = ledger("http://localhost:1/behind/");
        let url = |url: anyhow::Result<Url>| url.expect("it has a path").to_string();
        let stats = "http://localhost:1/behind/api/v1/workspace/webhooks/a%2Fb/stats";
        assert_eq!(url(ledger.stats_url("a/b")), stats);
        ledger.names_workspace = true;
        assert_eq!(url(ledger.stats_url("a/b")), format!("{stats}?workspace_id=ws+%C3%A4"));
        assert_eq!(
            url(ledger.history_url(Some("a"), 2, 3)),
            "http://localhost:1/behind/api/webhookSubscriptions.deliveries?workspace_id=ws+%C3%A4&subscription_id=a&limit=2&offset=3"
        );
    }

    #[test]
    fn a_row_without_one_of_its_fields_is_not_accepted() {
        let stats =
            r#"{"total":0,"success_count":0,"failed_count":0,"success_rate":0,"avg_duration_ms":0,"max_duration_ms":0"#;
        assert!(serde_json::from_str::<Stats>(&format!("{stats},\"last_delivery_at\":null}}")).is_ok());
        assert!(serde_json::from_str::<Stats>(&format!("{stats}}}")).is_err());
    }
}
