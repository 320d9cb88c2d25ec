//! A page of the log: NDJSON or JSON.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use ledger_auth::LEDGER_POSITION;
use ledger_event::Position;

use crate::accept::{Form, PageForm};
use crate::body::PageBody;
use crate::error::FeedError;
use crate::request::FeedRequest;
use crate::scan::Scan;
use crate::{Feed, LEDGER_NEXT_POSITION};

/// Bytes of events after which a page has no further one; the reader goes on from its next position.
pub(crate) const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Reads a page: what of the log, up to its present end, the request asks for.
pub(crate) async fn read(feed: &Feed, form: PageForm, request: FeedRequest) -> Result<Response, FeedError> {
    let head = feed.scanner.watch_head().borrow().position;
    let scan = Scan {
        form: Form::Page(form),
        filter: request.filter,
        from: request.from.unwrap_or(Position::START.next()),
        until: head,
        events_max: request.limit,
        bytes_max: PAGE_MAX_BYTES,
    };
    let (page, room) = feed.room.scan_page(&feed.scanner, scan).await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(form.media_type())),
        (LEDGER_POSITION, HeaderValue::from(head.get())),
        (LEDGER_NEXT_POSITION, HeaderValue::from(page.next.get())),
    ];
    Ok((headers, Body::new(PageBody::new(page.pieces, room))).into_response())
}
