//! Appends are held while the views are too far behind.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger_event::{Position, testing};
use ledger_log::{Append, Chunk, EncodedChunk, EventLog, Head, LogError, LogIdentity, MemoryLog, PendingAppend};
use ledger_projector::{LagBound, Projector, ProjectorError, start};
use ledger_views::Views;
use tokio::sync::watch;

use crate::support::{append_async, generate, open};

/// A log that cannot be read before that is allowed.
struct Slow {
    log: MemoryLog,
    allowed: Mutex<Receiver<()>>,
}

impl EventLog for Slow {
    fn identity(&self) -> LogIdentity {
        self.log.identity()
    }

    fn append(&self, request: Append) -> PendingAppend {
        self.log.append(request)
    }

    fn watch_head(&self) -> watch::Receiver<Head> {
        self.log.watch_head()
    }

    fn chunk_at(&self, position: Position) -> Result<Option<Chunk>, LogError> {
        // Once it is allowed nobody can send any more.
        let _ = self.allowed.lock().expect("nobody panics with it").recv();
        self.log.chunk_at(position)
    }

    fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError> {
        self.log.encoded_chunk_at(position)
    }

    fn check_writable(&self) -> Result<(), LogError> {
        self.log.check_writable()
    }
}

#[tokio::test]
async fn appends_are_held_while_the_views_are_too_far_behind_and_no_longer() {
    const BOUND: usize = 10;
    let history = generate(testing::history_of(5, 2 * BOUND..3 * BOUND));
    let (first, rest) = history.split_at(BOUND);
    let (allow, allowed) = channel();
    let log = Arc::new(Slow { log: MemoryLog::new(), allowed: Mutex::new(allowed) });
    let dir = tempfile::tempdir().expect("a directory can be made");
    let Views { reader: views, writer } = open(dir.path());
    let projector = Projector::new(log.clone(), writer).expect("they fit");
    let projector = start(projector, views.clone(), log.watch_head()).expect("there are threads");
    let lag = LagBound::new(BOUND as u64, views.clone(), log.watch_head(), projector.failure());
    let mut held = lag.is_holding();
    let looking = tokio::spawn(lag.run());

    append_async(&*log, first).await;
    assert!(!*held.borrow(), "so far behind they may be");
    append_async(&*log, rest).await;
    held.wait_for(|held| *held).await.expect("it is looked at");
    drop(allow);
    held.wait_for(|held| !held).await.expect("it is looked at");
    views.reached(log.head().position, Duration::from_mins(1)).await.expect("it folds");
    projector.stop().await.expect("it folds to the end");
    looking.await.expect("it ends with the projector");
}

#[tokio::test]
async fn nobody_is_held_when_nothing_is_folded() {
    let history = generate(testing::history_of(5, 20..30_usize));
    let log = Arc::new(MemoryLog::new());
    let dir = tempfile::tempdir().expect("a directory can be made");
    let Views { reader: views, .. } = open(dir.path());
    let (failed, failure) = watch::channel(None);
    let lag = LagBound::new(1, views, log.watch_head(), failure);
    let mut held = lag.is_holding();
    let looking = tokio::spawn(lag.run());

    append_async(&*log, &history).await;
    held.wait_for(|held| *held).await.expect("it is looked at");
    failed.send_replace(Some(Arc::new(ProjectorError::Stopped)));
    held.wait_for(|held| !held).await.expect("it is looked at");
    drop(failed);
    looking.await.expect("it ends with the projector");
}
