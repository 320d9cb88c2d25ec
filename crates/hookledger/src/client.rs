//! The client of a running ledger: what `demo`, `ingest`, `export` and the reads of the terminal ask it with.
//!
//! - [`LedgerClient::append_all`] sends a batch until the ledger has it; [`LedgerClient::append`] is one try.
//! - [`LedgerClient::read`] reads a JSON answer, and waits while the ledger is busy; [`LedgerClient::get`] is one try.
//! - What the ledger refuses comes back in its own words, with a hint where the way out is known.

mod append;
mod backoff;
mod server_args;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, Response, Url};
use serde::de::DeserializeOwned;

pub(crate) use self::backoff::{Backoff, jitter, retry_after};
pub(crate) use self::server_args::{DEFAULT_URL, Server, ServerArgs};

/// How long one request to the ledger may take. A read may wait 10 s for its position.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long something large may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(3600);

/// How often a read is tried while the ledger is busy, or its connections break.
const READ_TRIES: u32 = 5;

const READ_BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// The most characters of an unexpected answer that are shown.
const SHOWN_MAX_CHARS: usize = 600;

/// A running ledger, and the token to use it with. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct LedgerClient {
    http: Client,
    base: Url,
    token: Option<Arc<str>>,
}

impl LedgerClient {
    /// The ledger at that address; nothing is asked yet.
    pub(crate) fn new(url: &Url, token: Option<&str>) -> anyhow::Result<Self> {
        ensure!(!url.cannot_be_a_base(), "{url} is not the address of a ledger, such as http://127.0.0.1:8080");
        let mut http = Client::builder().timeout(REQUEST_TIMEOUT);
        if is_loopback(url) {
            http = http.no_proxy();
        }
        let http = http.build().context("cannot make an HTTP client")?;
        Ok(Self { http, base: url.clone(), token: token.map(Arc::from) })
    }

    /// Where the ledger is.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// The address of a resource: each part of the path and of the query is encoded here.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut().map_err(|()| anyhow!("{} has no path", self.base))?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Asks once, for an answer that shows the ledger at that position or later.
    pub(crate) async fn get(&self, url: &Url, min_position: u64) -> reqwest::Result<Response> {
        self.authorized(self.http.get(url.clone())).header("ledger-min-position", min_position).send().await
    }

    /// Asks once for something large, which may take long to come.
    pub(crate) async fn download(&self, url: &Url) -> anyhow::Result<Response> {
        let request = self.authorized(self.http.get(url.clone())).timeout(DOWNLOAD_TIMEOUT);
        let answer = request.send().await.map_err(|error| anyhow!(self.unreachable(&error)))?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(refusal(answer).await),
        }
    }

    /// Asks once for something to be done.
    pub(crate) async fn post(&self, url: &Url) -> reqwest::Result<Response> {
        self.authorized(self.http.post(url.clone())).send().await
    }

    /// Asks as [`LedgerClient::get`] does, and tries again while the ledger is busy or its connections break; the answer is a success.
    pub(crate) async fn get_patiently(&self, url: &Url, min_position: u64) -> anyhow::Result<Response> {
        let mut rng = jitter();
        for failures in 1.. {
            let busy = match self.get(url, min_position).await {
                Ok(answer) if is_for_now(answer.status()) => {
                    let wait = retry_after(answer.headers());
                    if failures == READ_TRIES {
                        return Err(refusal(answer).await);
                    }
                    wait
                }
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) => return Err(refusal(answer).await),
                Err(error) if failures == READ_TRIES => bail!(self.unreachable(&error)),
                Err(_) => None,
            };
            tokio::time::sleep(READ_BACKOFF.wait(failures, busy, &mut rng).min(REQUEST_TIMEOUT)).await;
        }
        unreachable!("the last try returns")
    }

    /// Reads a JSON answer of that shape, which shows the ledger at that position or later.
    pub(crate) async fn read<T: DeserializeOwned>(&self, url: &Url, min_position: u64) -> anyhow::Result<T> {
        let answer = self.get_patiently(url, min_position).await?;
        let position = position(answer.headers())?;
        ensure!(position >= min_position, "{url} showed position {position}, {min_position} was asked for");
        let body = answer.text().await.with_context(|| format!("cannot read the answer of {url}"))?;
        serde_json::from_str(&body)
            .with_context(|| format!("the answer of {url} is not what its contract says: {}", shown(&body)))
    }

    /// Says that nobody answers, and the way out.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> String {
        format!("cannot reach the ledger at {}: {}. Is `hookledger serve` running?", self.base, cause(error))
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// The ledger said no.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Why, in its words and in ours.
    why: String,
    /// Which event of a request it is of, from 0, where it is of one.
    pub(crate) index: Option<usize>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refusal {}

/// Why the ledger said no: a [`Refusal`].
pub(crate) async fn refusal(answer: Response) -> anyhow::Error {
    let (status, path) = (answer.status(), answer.url().path().to_owned());
    let body = answer.text().await.unwrap_or_default();
    refused(status, &path, &body)
}

/// Why the ledger said no with that status and body: a [`Refusal`].
pub(crate) fn refused(status: StatusCode, path: &str, body: &str) -> anyhow::Error {
    let said = described(body);
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            ". Is the token (--token or HOOKLEDGER_TOKEN) of this ledger, and still valid? `hookledger token create` makes one"
        }
        StatusCode::FORBIDDEN => {
            ". `hookledger token create` makes a token with other scopes or for another workspace; `--workspace` names one"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => ". Is this the address of a ledger?",
        _ => "",
    };
    anyhow!(Refusal { why: format!("{path} answered {status}: {said}{hint}"), index: index(body) })
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

/// The `Ledger-Position` of an answer.
pub(crate) fn position(headers: &HeaderMap) -> anyhow::Result<u64> {
    number(headers, "ledger-position")
}

/// A whole number that an answer must have in that header.
pub(crate) fn number(headers: &HeaderMap, name: &str) -> anyhow::Result<u64> {
    let value = headers.get(name).with_context(|| format!("the ledger's answer has no {name}"))?;
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.with_context(|| format!("the ledger's answer has the {name} {value:?}"))
}

/// Whether the same request may be answered otherwise a little later: what is between us and the ledger may say 502
/// or 504, the ledger itself 408, 429, 500 or 503.
pub(crate) fn is_for_now(status: StatusCode) -> bool {
    status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// Whether the address is this machine's: no proxy leads there.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What an error document says: the detail of a problem, or what the two contracts have instead.
fn described(body: &str) -> String {
    let text = |name: &str| {
        let document: serde_json::Value = serde_json::from_str(body).ok()?;
        Some(document.get(name)?.as_str()?.to_owned())
    };
    text("detail").or_else(|| text("error")).unwrap_or_else(|| shown(body))
}

/// Which event of a request a problem is of.
fn index(body: &str) -> Option<usize> {
    let problem: serde_json::Value = serde_json::from_str(body).ok()?;
    problem.get("index")?.as_u64()?.try_into().ok()
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

    #[test]
    fn what_stands_in_an_address_is_encoded() {
        let base = "http://localhost:1/behind/".parse().expect("it is a URL");
        let client = LedgerClient::new(&base, None).expect("it is the address of a ledger");
        let url = client.url(&["v1", "a/b"], &[("workspace_id", "ws ä".to_owned())]).expect("it has a path");
        assert_eq!(url.as_str(), "http://localhost:1/behind/v1/a%2Fb?workspace_id=ws+%C3%A4");
    }

    #[test]
    fn an_error_document_is_told_in_its_own_words() {
        assert_eq!(described(r#"{"title":"Conflict","detail":"event 3 …"}"#), "event 3 …");
        assert_eq!(described(r#"{"error":"workspace_id is required"}"#), "workspace_id is required");
        let validation = r#"{"detail":[{"msg":"too long"}]}"#;
        assert_eq!(described(validation), validation);
        assert_eq!(described("<html>"), "<html>");
    }

    #[tokio::test]
    async fn a_ledger_that_is_not_there_is_named_with_the_way_out() {
        let reserved = tokio::net::TcpSocket::new_v4().expect("a socket");
        reserved.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let url = format!("http://{}", reserved.local_addr().expect("it is bound")).parse().expect("it is a URL");
        let client = LedgerClient::new(&url, None).expect("it is the address of a ledger");
        let error = client.get_patiently(&url, 0).await.expect_err("nobody listens");
        assert!(error.to_string().contains("hookledger serve"), "{error}");
    }
}
