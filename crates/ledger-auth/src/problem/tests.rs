use axum::body::to_bytes;
use ledger_event::{SubscriptionId, parse_json};
use serde_json::json;

use super::*;

async fn told(problem: impl Into<Problem>) -> (StatusCode, HeaderMap, Value) {
    let response = problem.into().into_response();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 64 * 1024).await.expect("it is in memory");
    assert_eq!(parts.headers[CONTENT_TYPE], PROBLEM_JSON);
    (parts.status, parts.headers, serde_json::from_slice(&body).expect("it is JSON"))
}

#[tokio::test]
async fn a_problem_is_a_json_document_with_its_extensions_beside_the_detail() {
    let problem = Problem::unprocessable("data.attempt is 0: an attempt is 1 to 1000");
    let (status, _, body) = told(problem.at_index(3).in_field("data.attempt").over_bound(1000)).await;
    assert_eq!(status, 422);
    let expected = json!({
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
        "detail": "data.attempt is 0: an attempt is 1 to 1000",
        "index": 3, "field": "data.attempt", "bound": 1000,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn every_constructor_has_its_status() {
    let second = Duration::from_secs(1);
    let problems = [
        (Problem::bad_request("x"), 400),
        (Problem::unauthorized(&AuthError::Missing), 401),
        (Problem::forbidden("x"), 403),
        (Problem::not_found("x"), 404),
        (Problem::conflict("x"), 409),
        (Problem::too_large("x"), 413),
        (Problem::unsupported_media_type("x"), 415),
        (Problem::unprocessable("x"), 422),
        (Problem::too_many_requests("x", second), 429),
        (Problem::internal(), 500),
        (Problem::unavailable("x", second), 503),
    ];
    for (problem, expected) in problems {
        let (status, _, body) = told(problem).await;
        assert_eq!((status.as_u16(), &body["status"]), (expected, &json!(expected)));
    }
}

#[tokio::test]
async fn a_401_challenges_and_tells_no_token_from_not_valid_only() {
    let (status, headers, body) = told(AuthError::Missing).await;
    assert_eq!((status.as_u16(), headers[WWW_AUTHENTICATE].as_bytes()), (401, &b"Bearer"[..]));
    assert!(body["detail"].as_str().expect("it is text").starts_with("no token"));
    let token_id: crate::TokenId = "tok_0123456789ab".parse().expect("it is an id");
    let invalid = [
        AuthError::Malformed,
        AuthError::Conflicting,
        AuthError::Unknown,
        AuthError::Expired { token_id: token_id.clone() },
        AuthError::Revoked { token_id },
    ];
    for error in invalid {
        let (status, headers, body) = told(error).await;
        assert_eq!(status, 401);
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Bearer error="invalid_token""#);
        assert_eq!(body["detail"], "the token is not valid");
    }
}

#[tokio::test]
async fn what_a_caller_may_not_do_is_a_403_and_a_missing_workspace_a_422() {
    let only = SubscriptionId::parse("whsub_1").expect("it is an id");
    let (status, _, body) = told(Forbidden::WholeWorkspace { only }).await;
    assert_eq!(status, 403);
    assert_eq!(body["detail"], "the token sees only the subscription `whsub_1`: name it in the request");
    assert_eq!(told(WorkspaceError::Forbidden(Forbidden::Workspace)).await.0, 403);
    let (status, _, body) = told(WorkspaceError::Missing).await;
    assert_eq!((status.as_u16(), &body["field"]), (422, &json!("workspace_id")));
}

#[tokio::test]
async fn what_is_not_json_is_a_400_and_a_wrong_field_a_422_that_names_it() {
    let refusal = |json: &str| parse_json::<ledger_event::EventDraft>(json.as_bytes()).expect_err("it is refused");
    assert_eq!(told(refusal("{")).await.0, 400);
    let (status, _, body) = told(refusal(r#"{"kind":"attempt.started","extra":1}"#)).await;
    assert_eq!((status.as_u16(), &body["field"]), (422, &json!("extra")));
    let (status, _, body) = told(refusal("7")).await;
    assert_eq!((status.as_u16(), body.get("field")), (422, None));
    assert!(body["detail"].as_str().expect("it is text").starts_with("must be an object"));
}

#[tokio::test]
async fn retry_after_is_whole_seconds_rounded_up_and_never_zero() {
    for (wait_ms, expected) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (60_000, "60")] {
        let (_, headers, _) = told(Problem::unavailable("busy", Duration::from_millis(wait_ms))).await;
        assert_eq!(headers[RETRY_AFTER], expected, "{wait_ms} ms");
    }
}

#[test]
#[should_panic(expected = "status is a member that RFC 9457 defines")]
fn an_extension_cannot_hide_a_standard_member() {
    let _ = Problem::bad_request("x").with("status", 200);
}
