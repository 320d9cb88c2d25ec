//! `GET /v1/log/checkpoint`: the head of the log, signed.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use ledger_auth::{LEDGER_POSITION, Problem, Scope};

use crate::{Feed, openapi};

/// The media type of a signed note.
const TEXT: &str = "text/plain; charset=utf-8";

/// The head of the log, as a signed note.
///
/// Keep it: `hookledger verify --checkpoint` proves later that the log still holds all that it held then, unchanged. The
/// form is that of C2SP signed notes with Ed25519: who says it, the position of the last event, and the hash of the
/// chain there in base64. `hookledger checkpoint --verifier-key` prints what the signature is verified with.
#[utoipa::path(
    get, path = "/v1/log/checkpoint", tag = "Events", operation_id = "readCheckpoint",
    responses(
        (status = 200, description = "The head of the log.",
            content((String = "text/plain", example = json!(openapi::checkpoint()))),
            headers(("Ledger-Position" = u64, description = "Where the log ended."))),
        openapi::CheckpointRefusals,
    ),
)]
pub(crate) async fn get_checkpoint(State(feed): State<Feed>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = feed.tokens.authenticate(&headers, (feed.options.now)())?;
    caller.require(Scope::Read)?;
    let head = feed.log.head();
    let note = feed.options.signer.sign(head);
    Ok(([(CONTENT_TYPE, TEXT.to_owned()), (LEDGER_POSITION, head.position.to_string())], note).into_response())
}
