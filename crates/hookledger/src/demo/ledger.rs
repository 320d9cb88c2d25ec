//! The ledger over HTTP: append, stats, history.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use reqwest::{Client, Response, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::backoff::{Backoff, jitter, retry_after};
use super::clock::Moment;

/// How long one request to the ledger may take. A read may wait 10 s for its position.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a read is tried while the ledger says that it is busy.
const READ_TRIES: u32 = 5;

const READ_BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// The most characters of an unexpected answer that are shown.
const SHOWN_MAX_CHARS: usize = 600;

/// A ledger, and the right to use one workspace of it.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    client: Client,
    base: Url,
    token: Arc<str>,
    workspace: Arc<str>,
    /// Whether the token is for all workspaces, so that stats must name theirs.
    names_workspace: bool,
}

/// What became of an append.
#[derive(Debug)]
pub(crate) enum Appended {
    /// The events are durable.
    Stored(AppendAnswer),
    /// The ledger cannot take them now, or nobody knows whether it did: send the same events again.
    Away {
        /// What it said, or why it could not be asked.
        why: String,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The ledger will never take them: sending them again does not help.
    Refused(anyhow::Error),
}

/// The answer to an append that stands.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct AppendAnswer {
    /// How many events were new.
    pub(crate) appended: u64,
    /// How many were there already.
    pub(crate) duplicates: u64,
    /// The `Ledger-Position` of the answer: a reader that names it sees these events.
    #[serde(skip)]
    pub(crate) position: u64,
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
        let answer = match ledger.get(&history, 0).await {
            Ok(answer) => answer,
            Err(error) => bail!("cannot reach the ledger at {url}: {}. Is `hookledger serve` running?", cause(&error)),
        };
        if !answer.status().is_success() {
            return Err(ledger.refusal(answer).await);
        }
        let stats = ledger.get(&ledger.stats_url("whsub_none")?, 0).await.context("cannot read stats")?;
        ledger.names_workspace = stats.status() == StatusCode::UNPROCESSABLE_ENTITY;
        Ok(ledger)
    }

    /// A ledger that has not been asked anything yet.
    pub(crate) fn new(url: &Url, token: &str, workspace: &str) -> anyhow::Result<Self> {
        ensure!(!url.cannot_be_a_base(), "{url} is not the address of a ledger, such as http://127.0.0.1:8080");
        let mut client = Client::builder().timeout(REQUEST_TIMEOUT);
        if is_loopback(url) {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().context("cannot make an HTTP client")?,
            base: url.clone(),
            token: token.into(),
            workspace: workspace.into(),
            names_workspace: false,
        })
    }

    /// The workspace that it is used for.
    pub(crate) fn workspace(&self) -> &str {
        &self.workspace
    }

    /// The token that it is used with.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Appends events, one JSON object per line: all of them or none.
    pub(crate) async fn append(&self, lines: Vec<u8>) -> Appended {
        let url = match self.url(&["v1", "events"], &[]) {
            Ok(url) => url,
            Err(error) => return Appended::Refused(error),
        };
        let request = self.client.post(url).bearer_auth(&self.token).header(CONTENT_TYPE, "application/x-ndjson");
        let answer = match request.body(lines).send().await {
            Ok(answer) => answer,
            Err(error) => return Appended::Away { why: cause(&error), retry_after: None },
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        // What is between us and the ledger may say 502 or 504; after a 500 or no answer at all the events may be
        // there or not. The ids make it the same: again.
        if status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
            return Appended::Away { why: format!("HTTP {status}"), retry_after: retry_after(&headers) };
        }
        if status != StatusCode::OK {
            return Appended::Refused(self.refusal(answer).await.context("the ledger did not take the events"));
        }
        match answer.text().await {
            Ok(body) => match parse_append(&headers, &body) {
                Ok(answer) => Appended::Stored(answer),
                Err(error) => Appended::Refused(error),
            },
            Err(error) => Appended::Away { why: cause(&error), retry_after: None },
        }
    }

    /// The stats of a subscription, at that position or later.
    pub(crate) async fn stats(&self, subscription_id: &str, min_position: u64) -> anyhow::Result<Stats> {
        self.read(&self.stats_url(subscription_id)?, min_position).await
    }

    /// A page of the history of one subscription or of the workspace, at that position or later.
    pub(crate) async fn history(
        &self,
        subscription_id: Option<&str>,
        limit: u64,
        offset: u64,
        min_position: u64,
    ) -> anyhow::Result<HistoryPage> {
        self.read(&self.history_url(subscription_id, limit, offset)?, min_position).await
    }

    /// Where the stats of a subscription are.
    pub(crate) fn stats_url(&self, subscription_id: &str) -> anyhow::Result<Url> {
        let path = ["api", "v1", "workspace", "webhooks", subscription_id, "stats"];
        let query = [("workspace_id", self.workspace.to_string())];
        self.url(&path, if self.names_workspace { &query } else { &[] })
    }

    /// Where the history of one subscription or of the workspace is.
    pub(crate) fn history_url(&self, subscription_id: Option<&str>, limit: u64, offset: u64) -> anyhow::Result<Url> {
        let mut query = vec![("workspace_id", self.workspace.to_string())];
        query.extend(subscription_id.map(|id| ("subscription_id", id.to_owned())));
        query.extend([("limit", limit.to_string()), ("offset", offset.to_string())]);
        self.url(&["api", "webhookSubscriptions.deliveries"], &query)
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| anyhow!("{} has no path", self.base))?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn get(&self, url: &Url, min_position: u64) -> reqwest::Result<Response> {
        let request = self.client.get(url.clone()).bearer_auth(&self.token);
        request.header("ledger-min-position", min_position).send().await
    }

    /// Reads an answer of that shape, which shows the ledger at that position or later.
    async fn read<T: DeserializeOwned>(&self, url: &Url, min_position: u64) -> anyhow::Result<T> {
        let mut rng = jitter();
        for failures in 1.. {
            let busy = match self.get(url, min_position).await {
                Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => retry_after(answer.headers()),
                Ok(answer) if answer.status().is_success() => return parse_read(answer, min_position).await,
                Ok(answer) => return Err(self.refusal(answer).await),
                Err(error) if failures == READ_TRIES => bail!("cannot read {url}: {}", cause(&error)),
                Err(_) => None,
            };
            ensure!(failures < READ_TRIES, "cannot read {url}: the ledger has not reached position {min_position}");
            tokio::time::sleep(READ_BACKOFF.wait(failures, busy, &mut rng)).await;
        }
        unreachable!("the last try returns")
    }

    /// Why the ledger said no, in its words and in ours.
    async fn refusal(&self, answer: Response) -> anyhow::Error {
        let (status, path) = (answer.status(), answer.url().path().to_owned());
        let said = described(&answer.text().await.unwrap_or_default());
        let hint = match status {
            StatusCode::UNAUTHORIZED => {
                ". Is the token of this ledger, and still valid? `hookledger token create` makes one"
            }
            StatusCode::FORBIDDEN => {
                return anyhow!(
                    "{path} answered {status}: {said}. The demo needs a token with the scopes `append` and `read` for \
                     workspace {:?} (`--workspace` names another one)",
                    self.workspace
                );
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => ". Is this the address of a ledger?",
            _ => "",
        };
        anyhow!("{path} answered {status}: {said}{hint}")
    }
}

/// Whether the address is this machine's: no proxy leads there.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The innermost reason why a request failed.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn position(headers: &HeaderMap) -> anyhow::Result<u64> {
    let value = headers.get("ledger-position").context("the ledger's answer has no Ledger-Position")?;
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position.with_context(|| format!("the ledger's answer has the Ledger-Position {value:?}"))
}

fn parse_append(headers: &HeaderMap, body: &str) -> anyhow::Result<AppendAnswer> {
    let answer: AppendAnswer = serde_json::from_str(body)
        .with_context(|| format!("the answer to the append is not what it must be: {}", shown(body)))?;
    Ok(AppendAnswer { position: position(headers)?, ..answer })
}

async fn parse_read<T: DeserializeOwned>(answer: Response, min_position: u64) -> anyhow::Result<T> {
    let url = answer.url().clone();
    let position = position(answer.headers())?;
    ensure!(position >= min_position, "{url} showed position {position}, {min_position} was asked for");
    let body = answer.text().await.with_context(|| format!("cannot read the answer of {url}"))?;
    serde_json::from_str(&body)
        .with_context(|| format!("the answer of {url} is not what its contract says: {}", shown(&body)))
}

/// What an error document says: the detail of a problem, or what the two contracts have instead.
fn described(body: &str) -> String {
    let text = |name: &str| {
        let document: serde_json::Value = serde_json::from_str(body).ok()?;
        Some(document.get(name)?.as_str()?.to_owned())
    };
    text("detail").or_else(|| text("error")).unwrap_or_else(|| shown(body))
}

fn shown(body: &str) -> String {
    match body.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &body[..end]),
        None if body.is_empty() => "(an empty answer)".to_owned(),
        None => body.to_owned(),
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
    fn an_error_document_is_told_in_its_own_words() {
        assert_eq!(described(r#"{"title":"Conflict","detail":"event 3 …"}"#), "event 3 …");
        assert_eq!(described(r#"{"error":"workspace_id is required"}"#), "workspace_id is required");
        let validation = r#"{"detail":[{"msg":"too long"}]}"#;
        assert_eq!(described(validation), validation);
        assert_eq!(described("<html>"), "<html>");
    }

    #[test]
    fn a_row_without_one_of_its_fields_is_not_accepted() {
        let stats =
            r#"{"total":0,"success_count":0,"failed_count":0,"success_rate":0,"avg_duration_ms":0,"max_duration_ms":0"#;
        assert!(serde_json::from_str::<Stats>(&format!("{stats},\"last_delivery_at\":null}}")).is_ok());
        assert!(serde_json::from_str::<Stats>(&format!("{stats}}}")).is_err());
    }

    #[tokio::test]
    async fn a_ledger_that_is_not_there_is_named_with_the_way_out() {
        let reserved = tokio::net::TcpSocket::new_v4().expect("a socket");
        reserved.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let url = format!("http://{}", reserved.local_addr().expect("it is bound")).parse().expect("it is a URL");
        let error = Ledger::connect(&url, "token", "ws").await.expect_err("nobody listens");
        assert!(error.to_string().contains("hookledger serve"), "{error}");
    }
}
