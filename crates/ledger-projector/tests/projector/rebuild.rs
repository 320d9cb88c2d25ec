//! Views are made anew while the old ones serve, and those that are damaged by themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger_event::{Event, EventData, Position, Timestamp, testing};
use ledger_log::{EventLog, MemoryLog};
use ledger_projector::{Projector, ProjectorHandle, Rebuild, RebuildParts, Rebuilder, compare, start};
use ledger_views::{ReadModel, Views};
use tempfile::TempDir;

use crate::support::{OPTIONS, append_async, generate, open};

/// A log with views that are kept current.
struct Running {
    log: Arc<MemoryLog>,
    dir: TempDir,
    views: ReadModel,
    projector: ProjectorHandle,
    rebuilder: Rebuilder,
}

impl Running {
    /// Over the log and the views of that folder.
    fn start(log: &Arc<MemoryLog>, dir: TempDir) -> Self {
        let log = Arc::clone(log);
        let Views { reader: views, writer } = open(dir.path());
        let projector = Projector::new(log.clone(), writer).expect("they fit");
        let projector = start(projector, views.clone(), log.watch_head()).expect("there are threads");
        let rebuilder = Rebuilder::new(RebuildParts {
            log: log.clone(),
            live: views.clone(),
            succession: projector.succession(),
            views_dir: dir.path().to_owned(),
            options: OPTIONS,
            now: || Timestamp::from_micros(7).expect("it is a time"),
        });
        Self { log, dir, views, projector, rebuilder }
    }

    async fn caught_up(&self) {
        let head = self.log.head().position;
        self.views.reached(head, Duration::from_mins(1)).await.expect("it folds");
    }

    async fn ended(&self) -> Rebuild {
        let mut last = self.rebuilder.watch();
        let ended = last.wait_for(|last| !matches!(last, Rebuild::Never | Rebuild::Running { .. })).await;
        ended.expect("it says so").clone()
    }
}

/// The folders of generations.
fn generations(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("it is there");
    let names = entries.map(|entry| entry.expect("it reads").file_name().into_string().expect("our names are plain"));
    let mut generations: Vec<_> = names.filter(|name| name != "CURRENT").collect();
    generations.sort();
    generations
}

#[tokio::test]
async fn a_rebuild_takes_over_from_views_that_are_read_and_written_all_the_while() {
    let history = generate(testing::history_of(60, 3 * 4096..3 * 4096 + 100_usize));
    let (before, meanwhile) = history.split_at(history.len() / 2);
    let log = Arc::new(MemoryLog::new());
    append_async(&*log, before).await;
    let running = Running::start(&log, tempfile::tempdir().expect("a directory can be made"));
    running.caught_up().await;

    assert!(matches!(running.rebuilder.start(), Rebuild::Running { .. }));
    assert!(matches!(running.rebuilder.start(), Rebuild::Running { .. }), "there is one at a time");
    let mut seen = Position::START;
    for events in meanwhile.chunks(64) {
        append_async(&*log, events).await;
        let position = running.views.position();
        assert!(position >= seen, "readers were taken back from {seen} to {position}");
        seen = position;
    }
    let Rebuild::Done { position, .. } = running.ended().await else { panic!("{:?}", running.rebuilder.watch()) };
    assert!(position.get() >= before.len() as u64);
    running.caught_up().await;

    let fresh = tempfile::tempdir().expect("a directory can be made");
    let rebuilt = open(fresh.path());
    Projector::new(log.clone(), rebuilt.writer).expect("they fit").catch_up().expect("it folds");
    let compared = compare(&running.views, &rebuilt.reader, 10, |_| {}).expect("they read");
    assert_eq!(compared.differences, []);
    let Running { dir, views, projector, rebuilder, .. } = running;
    projector.stop().await.expect("it has not failed");
    drop((views, rebuilder));
    assert!(generations(dir.path()).contains(&"2".to_owned()));
    drop(open(dir.path()));
    assert_eq!(generations(dir.path()), ["2"]);
}

#[tokio::test]
async fn a_rebuild_that_is_stopped_leaves_the_old_views() {
    let history = generate(testing::history_of(60, 3 * 4096..3 * 4096 + 100_usize));
    let log = Arc::new(MemoryLog::new());
    for events in history.chunks(5000) {
        append_async(&*log, events).await;
    }
    let running = Running::start(&log, tempfile::tempdir().expect("a directory can be made"));
    running.caught_up().await;
    let _ = running.rebuilder.start();
    running.rebuilder.stop().await;
    let Rebuild::Failed { error, .. } = running.ended().await else { panic!("{:?}", running.rebuilder.watch()) };
    assert_eq!(error.to_string(), "the ledger is being stopped");
    running.projector.stop().await.expect("it has not failed");
    assert_eq!(generations(running.dir.path()), ["1"]);
    assert_eq!(running.views.position(), log.head().position);
}

/// Events of deliveries that are made, in two halves: what comes later meets what was there before.
fn creations() -> (Vec<Event>, Vec<Event>) {
    let mut first = generate(testing::history(300));
    first.retain(|event| matches!(event.data, EventData::DeliveryCreated(_)));
    let later = first.split_off(first.len() / 2);
    (first, later)
}

/// A log, and the folder of its views, in which the states of deliveries are nonsense.
async fn damaged(history: &[Event]) -> (Arc<MemoryLog>, TempDir) {
    let log = Arc::new(MemoryLog::new());
    append_async(&*log, history).await;
    let running = Running::start(&log, tempfile::tempdir().expect("a directory can be made"));
    running.caught_up().await;
    running.projector.stop().await.expect("it has not failed");
    let dir = running.dir;
    drop((running.views, running.rebuilder));
    damage_states(&dir.path().join("1"));
    (log, dir)
}

/// Writes nonsense over every block of states, under the keys that begin with `d`.
fn damage_states(dir: &Path) {
    let config = sled::Config::new().path(dir).segment_size(8 * 1024 * 1024);
    // sled holds the file for a moment after it was closed.
    let db = (0..100_000).find_map(|_| config.open().ok()).expect("it opens");
    let tree = db.open_tree("pages").expect("it opens");
    for key in tree.scan_prefix(b"d").keys().collect::<Result<Vec<_>, _>>().expect("it reads") {
        tree.insert(key, b"\0nonsense").expect("it is written");
    }
}

#[tokio::test]
async fn views_that_are_found_damaged_are_given_up_for_the_next_start() {
    let (first, later) = creations();
    let (log, dir) = damaged(&first).await;
    let running = Running::start(&log, dir);
    append_async(&*log, &later).await;
    let mut failure = running.projector.failure();
    let failed = failure.wait_for(Option::is_some).await.expect("it says so").clone().expect("it failed");
    assert!(failed.is_mended_by_rebuild(), "{failed:?}");
    running.projector.stop().await.expect_err("it failed");
    drop((running.views, running.rebuilder));
    let error = Views::open(running.dir.path(), OPTIONS).expect_err("they were given up");
    assert!(error.is_mended_by_rebuild(), "{error:?}");
}

#[tokio::test]
async fn views_that_are_found_damaged_are_rebuilt_while_the_log_goes_on() {
    let (first, later) = creations();
    let (log, dir) = damaged(&first).await;
    let running = Running::start(&log, dir);
    let mending = tokio::spawn(running.rebuilder.clone().mend(running.projector.failure()));
    append_async(&*log, &later).await;
    running.caught_up().await;
    assert!(matches!(running.ended().await, Rebuild::Done { .. }));
    assert!(running.projector.failure().borrow().is_none(), "it is mended");
    append_async(&*log, &first[..1]).await;
    running.caught_up().await;
    mending.abort();
    running.projector.stop().await.expect("it is mended");
}
