//! An answer, read to its end.

use super::{contracts, openapi};
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The answer to a request, of a server that runs.
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        Self::try_to(request).await.expect("the server answers")
    }

    /// The same, of a server that may be gone.
    pub(crate) async fn try_to(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let (client, request) = request.build_split();
        let request = request?;
        let method = request.method().clone();
        let response = client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let path = response.url().path().to_owned();
        let text = response.text().await?;
        contracts::check(&path, status, &text);
        openapi::check(&method, &path, status, &headers, &text);
        Ok(Self { status, headers, text })
    }

    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.text) {
            Ok(json) => json,
            Err(error) => panic!("{} {:?} is no JSON: {error}", self.status, self.text),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("our headers are plain text"))
    }

    /// The `Ledger-Position`.
    #[track_caller]
    pub(crate) fn position(&self) -> u64 {
        let position = self.header("Ledger-Position");
        let position = position.unwrap_or_else(|| panic!("{} {:?} has no position", self.status, self.text));
        position.parse().expect("a position is a decimal integer")
    }

    /// The document of a refusal under `/v1`: of the form of RFC 9457, with that status.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("Content-Type"), Some("application/problem+json"), "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail"] {
            let text = problem[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{member} is missing: {problem}");
        }
        problem
    }

    /// The message of a refusal of the history endpoint, with that status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        let body = self.json();
        let members: Vec<_> = body.as_object().expect("it is an object").keys().collect();
        assert_eq!(members, ["error"]);
        body["error"].as_str().expect("it is text").to_owned()
    }
}
