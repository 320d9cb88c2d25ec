//! The bodies of answers: pieces that are there, and pieces that come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::room::Taken;

/// Pieces that are there; their room is given back when the last one is taken, or the reader has gone.
pub(crate) struct PageBody {
    pieces: IntoIter<Bytes>,
    left_bytes: u64,
    room: Option<Taken>,
}

impl PageBody {
    pub(crate) fn new(pieces: Vec<Bytes>, room: Option<Taken>) -> Self {
        let left_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces: pieces.into_iter(), left_bytes, room }
    }
}

impl HttpBody for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.next() else { return Poll::Ready(None) };
        self.left_bytes -= piece.len() as u64;
        if self.left_bytes == 0 {
            self.room = None;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }
}

/// Pieces that come; it ends when their sender goes.
pub(crate) struct PiecesBody(pub(crate) mpsc::Receiver<Bytes>);

impl HttpBody for PiecesBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
