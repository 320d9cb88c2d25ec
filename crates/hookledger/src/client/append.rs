//! Appending to a running ledger.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{Backoff, LedgerClient, cause, is_for_now, jitter, position, refusal, retry_after, shown};

/// How long the ledger may be away before a sender gives up.
const AWAY_MAX: Duration = Duration::from_secs(60);

const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };

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
    /// How often the request was sent again before it was answered.
    #[serde(skip)]
    pub(crate) retries: u64,
}

impl LedgerClient {
    /// Sends events, one JSON object a line, until the ledger has them all.
    ///
    /// They need ids: where an answer was lost, the ledger tells by them what it has already.
    pub(crate) async fn append_all(&self, lines: &[u8]) -> anyhow::Result<AppendAnswer> {
        let started = Instant::now();
        let mut rng = jitter();
        let mut failures: u32 = 0;
        loop {
            let (why, retry_after) = match self.append(lines.to_vec()).await {
                Appended::Stored(answer) => return Ok(AppendAnswer { retries: u64::from(failures), ..answer }),
                Appended::Refused(error) => return Err(error),
                Appended::Away { why, retry_after } => (why, retry_after),
            };
            if started.elapsed() > AWAY_MAX {
                bail!("the ledger at {} did not take events for {} s: {why}", self.base(), AWAY_MAX.as_secs());
            }
            failures += 1;
            tracing::warn!(why, failures, "the ledger is away, its events wait");
            tokio::time::sleep(BACKOFF.wait(failures, retry_after, &mut rng).min(AWAY_MAX)).await;
        }
    }

    /// Sends events once, one JSON object a line: all of them are stored or none.
    pub(crate) async fn append(&self, lines: Vec<u8>) -> Appended {
        let url = match self.url(&["v1", "events"], &[]) {
            Ok(url) => url,
            Err(error) => return Appended::Refused(error),
        };
        let request = self.authorized(self.http.post(url)).header(CONTENT_TYPE, "application/x-ndjson");
        let answer = match request.body(lines).send().await {
            Ok(answer) => answer,
            Err(error) => return Appended::Away { why: cause(&error), retry_after: None },
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        // After a 500 or no answer at all the events may be there or not. The ids make it the same: again.
        if is_for_now(status) {
            return Appended::Away { why: format!("HTTP {status}"), retry_after: retry_after(&headers) };
        }
        if status != StatusCode::OK {
            return Appended::Refused(refusal(answer).await.context("the ledger did not take the events"));
        }
        match answer.text().await {
            Ok(body) => match parse_append(&headers, &body) {
                Ok(answer) => Appended::Stored(answer),
                Err(error) => Appended::Refused(error),
            },
            Err(error) => Appended::Away { why: cause(&error), retry_after: None },
        }
    }
}

fn parse_append(headers: &HeaderMap, body: &str) -> anyhow::Result<AppendAnswer> {
    let answer: AppendAnswer = serde_json::from_str(body)
        .with_context(|| format!("the answer to the append is not what it must be: {}", shown(body)))?;
    Ok(AppendAnswer { position: position(headers)?, ..answer })
}
