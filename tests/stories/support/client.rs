//! A small HTTP client that reads what it wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::answer::Answer;

/// A caller with a token or without. Its reads wait for its own appends, and for those of the clients that it shares
/// them with, as clones do.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    /// The position of the latest append.
    appended: Arc<AtomicU64>,
}

impl Client {
    pub(crate) fn new(base: &str, token: Option<&str>) -> Self {
        // No proxy of our environment stands between us and the loopback.
        let http = reqwest::Client::builder().no_proxy().build().expect("the client has no settings that can fail");
        Self { http, base: base.to_owned(), token: token.map(str::to_owned), appended: Arc::default() }
    }

    /// The same, which shares what was appended with others.
    pub(crate) fn sharing(self, appended: &Arc<AtomicU64>) -> Self {
        Self { appended: Arc::clone(appended), ..self }
    }

    /// Its reads wait for what another program has appended, too.
    pub(crate) fn wait_for(&self, position: u64) {
        self.appended.fetch_max(position, Ordering::SeqCst);
    }

    /// A bare request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Reads; what this client has appended is in the answer.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path);
        let request = match self.appended.load(Ordering::SeqCst) {
            0 => request,
            position => request.header("Ledger-Min-Position", position),
        };
        Answer::to(request).await
    }

    /// Asks for something to be done, without a body.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::POST, path)).await
    }

    /// Reads a page of the history; the query is without `?`.
    pub(crate) async fn history(&self, query: &str) -> Answer {
        self.get(&format!("/api/webhookSubscriptions.deliveries?{query}")).await
    }

    /// Reads the stats of a webhook, whose id is as it stands in a path.
    pub(crate) async fn stats(&self, webhook_id: &str) -> Answer {
        self.get(&format!("/api/v1/workspace/webhooks/{webhook_id}/stats")).await
    }

    /// Appends an event or an array of them.
    pub(crate) async fn append(&self, events: &Value) -> Answer {
        self.append_text("application/json", events.to_string()).await
    }

    /// Appends what must be taken.
    pub(crate) async fn must_append(&self, events: &Value) -> Answer {
        self.append(events).await.expect_status(200)
    }

    /// Appends a body as it is.
    pub(crate) async fn append_text(&self, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.try_append_text(content_type, body).await.expect("the server answers")
    }

    /// The same, with a server that may be gone.
    pub(crate) async fn try_append_text(
        &self,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.request(Method::POST, "/v1/events").header(CONTENT_TYPE, content_type).body(body);
        let answer = Answer::try_to(request).await?;
        if answer.status == 200 {
            self.appended.fetch_max(answer.position(), Ordering::SeqCst);
        }
        Ok(answer)
    }
}
