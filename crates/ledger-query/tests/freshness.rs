//! A reader who asks for a position that the views do not reach is told so, in each contract's form.

use axum::body::{Body, to_bytes};
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use ledger_auth::{Grant, Reach, Scope, Scopes, TokenRecord, TokenSet, Tokens};
use ledger_event::Timestamp;
use ledger_query::QueryHttp;
use ledger_views::{Views, ViewsOptions};
use serde_json::Value;
use tower::ServiceExt;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-15T10:30:00Z").expect("it is a time")
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_fresh_enough_is_a_503_after_ten_seconds() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let views = Views::open(dir.path(), ViewsOptions { cache_bytes: 1 << 20 }).expect("it opens");
    let scopes = Scopes::new([Scope::Read]).expect("it has one");
    let grant = Grant { reach: Reach::All, scopes, expires_at: None };
    let (secret, record) = TokenRecord::issue(grant, now()).expect("there is randomness");
    let tokens = Tokens::new(TokenSet::new(vec![record]).expect("one token is a set"));
    let router = QueryHttp::new(views.reader, tokens, now).router();

    let stats = "/api/v1/workspace/webhooks/s/stats?workspace_id=w";
    for (path, member) in [("/api/webhookSubscriptions.deliveries?workspace_id=w", "error"), (stats, "detail")] {
        let asked = tokio::time::Instant::now();
        let request = Request::get(path).header("x-api-key", secret.expose()).header("ledger-min-position", "1");
        let request = request.body(Body::empty()).expect("it is a request");
        let response = router.clone().oneshot(request).await.expect("a router does not fail");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(asked.elapsed().as_secs(), 10, "the clock is paused: it is the time that was waited for");
        assert!(response.headers().contains_key(RETRY_AFTER));
        let body = to_bytes(response.into_body(), 1 << 16).await.expect("it has a body");
        let body: Value = serde_json::from_slice(&body).expect("it is JSON");
        assert!(body[member].as_str().is_some_and(|text| text.contains("position 0")), "{body}");
    }
}
