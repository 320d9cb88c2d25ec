//! How a refusal is told under `/v1`: RFC 9457 problem details.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ledger_event::{FieldError, ParseError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::caller::{Forbidden, WorkspaceError};
use crate::error::AuthError;

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Members that RFC 9457 defines, which an extension cannot be called.
const STANDARD_MEMBERS: [&str; 5] = ["type", "title", "status", "detail", "instance"];

/// A problem document. All of it is for the caller: nothing internal goes in.
///
/// Its type is `about:blank`: the status tells problems apart, and `title` is the status in words. What a program
/// acts upon stands in extension members beside `detail`: `index`, `field`, `bound` and others.
#[derive(Clone, Debug)]
pub struct Problem(Box<Contents>);

/// Boxed, so that what may be refused does not carry room for the refusal.
#[derive(Clone, Debug)]
struct Contents {
    status: StatusCode,
    detail: String,
    members: Map<String, Value>,
    headers: HeaderMap,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl Problem {
    /// A problem of any status.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Contents { status, detail: detail.into(), members: Map::new(), headers: HeaderMap::new() }))
    }

    /// 400: the request cannot be parsed.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401, with `WWW-Authenticate`.
    #[must_use]
    pub fn unauthorized(error: &AuthError) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, error.to_string());
        problem.with_header(WWW_AUTHENTICATE, error.challenge())
    }

    /// 403: the caller is known, and may not.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is nothing at this address.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: an id is used again for other content.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 413: the request is too large, in bytes or in events.
    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 415: the body is of a media type that is not read here.
    #[must_use]
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 422: an event or a parameter is out of its bounds.
    #[must_use]
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429: the caller sends too much, and may come back after that time.
    #[must_use]
    pub fn too_many_requests(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail).with_retry_after(retry_after)
    }

    /// 500: it is our fault. The caller learns nothing more; the log has the error.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the ledger failed to answer")
    }

    /// 503: not now; the caller may come back after that time.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_retry_after(retry_after)
    }

    /// Names which event of the request is meant, counted from 0.
    #[must_use]
    pub fn at_index(self, index: usize) -> Self {
        self.with("index", index)
    }

    /// Names the field or the parameter that is meant.
    #[must_use]
    pub fn in_field(self, field: impl Into<String>) -> Self {
        self.with("field", field.into())
    }

    /// Names the bound that was crossed.
    #[must_use]
    pub fn over_bound(self, bound: impl Into<Value>) -> Self {
        self.with("bound", bound)
    }

    /// Adds an extension member, whose name is none of RFC 9457's.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        assert!(!STANDARD_MEMBERS.contains(&name), "{name} is a member that RFC 9457 defines");
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Whole seconds, rounded up, at least one: 0 would ask for a storm.
    fn with_retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.0.status.canonical_reason().unwrap_or("Unknown"),
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            members: &self.0.members,
        };
        let body = serde_json::to_vec(&document).expect("strings and JSON values can be written as JSON");
        let content_type = [(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))];
        (self.0.status, self.0.headers, content_type, body).into_response()
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        Self::unauthorized(&error)
    }
}

impl From<Forbidden> for Problem {
    fn from(error: Forbidden) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<WorkspaceError> for Problem {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::Missing => Self::unprocessable(error.to_string()).in_field("workspace_id"),
            WorkspaceError::Forbidden(forbidden) => forbidden.into(),
        }
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        let problem = Self::unprocessable(error.to_string());
        let problem = match error.bound {
            Some(bound) => problem.over_bound(bound),
            None => problem,
        };
        if error.field.is_empty() { problem } else { problem.in_field(error.field) }
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Syntax { .. } => Self::bad_request(error.to_string()),
            ParseError::Field(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests;
