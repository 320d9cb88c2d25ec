//! Answers as bytes, and the memory they may take.
//!
//! A page may be many megabytes, and its reader may be slow or many. So only a few answers are made at a time, and
//! those that wait to be sent are bounded together; who finds no room is told to come back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};
use ledger_auth::Problem;
use ledger_event::{ErrorChain, Position};
use ledger_views::{ReadModel, ViewsError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use crate::freshness::position_header;

/// How many answers are made at a time.
const READS_MAX: usize = 8;
/// What large answers that wait to be sent may take together, in bytes.
const UNSENT_MAX_BYTES: usize = 64 * 1024 * 1024;
/// The unit in which they are counted, and the piece in which they are sent, in bytes. Smaller ones are not counted.
const PIECE_BYTES: usize = 64 * 1024;
/// When a reader that was turned away may come back.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long an answer waits for its room.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Makes answers within bounded memory.
pub(crate) struct Answers {
    views: ReadModel,
    /// The same, of what is in memory.
    cached: ReadModel,
    reads: Arc<Semaphore>,
    unsent: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("too many answers are being made or sent: ask again")]
    NoRoom,
    #[error("the views cannot be read")]
    Views(#[from] ViewsError),
    #[error("the read failed")]
    Failed(#[from] JoinError),
}

/// An answer: the position it holds at, and JSON.
pub(crate) type Answer = Result<(Position, Vec<u8>), ViewsError>;

impl Answers {
    pub(crate) fn new(views: ReadModel) -> Self {
        let unsent = Semaphore::new(UNSENT_MAX_BYTES / PIECE_BYTES);
        Self { cached: views.cached(), views, reads: Arc::new(Semaphore::new(READS_MAX)), unsent: Arc::new(unsent) }
    }

    /// Makes an answer: at once where all of it is in memory, else off the async runtime.
    pub(crate) async fn make(
        &self,
        make: impl Fn(&ReadModel) -> Answer + Send + 'static,
    ) -> Result<Response, AnswerError> {
        let read = acquire(&self.reads, 1).await?;
        let (position, json) = match make(&self.cached) {
            Err(ViewsError::NotCached) => {
                let views = self.views.clone();
                spawn_blocking(move || make(&views)).await??
            }
            answer => answer?,
        };
        let unsent = match json.len() / PIECE_BYTES {
            0 => None,
            pieces => Some(acquire(&self.unsent, pieces).await?),
        };
        drop(read);
        let body = Body::new(HeldBody { unsent: Bytes::from(json), _room: unsent });
        Ok((position_header(position), [(CONTENT_TYPE, "application/json")], body).into_response())
    }
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::NoRoom => Self::unavailable(error.to_string(), RETRY_AFTER),
            AnswerError::Views(_) | AnswerError::Failed(_) => {
                tracing::error!(error = %ErrorChain(&error), "the views cannot be read");
                Self::internal()
            }
        }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: usize) -> Result<OwnedSemaphorePermit, AnswerError> {
    let permits = u32::try_from(permits).map_err(|_| AnswerError::NoRoom)?;
    if let Ok(permit) = Arc::clone(semaphore).try_acquire_many_owned(permits) {
        return Ok(permit);
    }
    let acquired = timeout(WAIT_MAX, Arc::clone(semaphore).acquire_many_owned(permits)).await;
    Ok(acquired.map_err(|_| AnswerError::NoRoom)?.expect("the semaphore is never closed"))
}

/// A body that gives its room back once its last piece is taken.
struct HeldBody {
    unsent: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.unsent.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.unsent.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.unsent.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.unsent.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.unsent.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use ledger_auth::LEDGER_POSITION;
    use ledger_views::{Views, ViewsOptions};

    use super::*;

    fn answer(bytes: usize) -> impl Fn(&ReadModel) -> Answer + Send + 'static {
        move |_| Ok((Position::new(7), vec![b'x'; bytes]))
    }

    fn answers() -> (tempfile::TempDir, Answers) {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let views = Views::open(dir.path(), ViewsOptions { cache_bytes: 1 << 20 }).expect("it opens");
        (dir, Answers::new(views.reader))
    }

    #[tokio::test]
    async fn an_answer_of_any_size_comes_whole() {
        let (_dir, answers) = answers();
        for bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 5 * PIECE_BYTES + 3] {
            let response = answers.make(answer(bytes)).await.expect("there is room");
            assert_eq!(response.headers()[LEDGER_POSITION], "7");
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("it is whole");
            assert_eq!(body.len(), bytes);
        }
        assert_eq!(answers.unsent.available_permits(), UNSENT_MAX_BYTES / PIECE_BYTES);
        assert_eq!(answers.reads.available_permits(), READS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_are_not_taken_leave_no_room_for_further_large_ones() {
        let (_dir, answers) = answers();
        let unsent = answers.make(answer(UNSENT_MAX_BYTES)).await.expect("there is room");
        let refused = answers.make(answer(PIECE_BYTES)).await;
        assert!(matches!(refused, Err(AnswerError::NoRoom)));
        assert!(answers.make(answer(PIECE_BYTES - 1)).await.is_ok());
        drop(unsent);
        assert!(answers.make(answer(PIECE_BYTES)).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_not_in_memory_is_read_off_the_runtime() {
        let (_dir, answers) = answers();
        let runtime_thread = std::thread::current().id();
        let make = move |_: &ReadModel| match std::thread::current().id() == runtime_thread {
            true => Err(ViewsError::NotCached),
            false => Ok((Position::new(7), Vec::new())),
        };
        assert!(answers.make(make).await.is_ok());
    }
}
