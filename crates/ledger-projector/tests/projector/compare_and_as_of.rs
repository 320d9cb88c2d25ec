//! Views are compared by every field, and the stats of any earlier position are those of a log that ended there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_event::{Event, Position, Timestamp, testing};
use ledger_log::{Clock, EventLog, MemoryLog, MemoryLogOptions};
use ledger_projector::{Comparison, Projector, compare, position_at, stats_as_of};
use ledger_views::{ReadModel, SubscriptionKey, Views};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{append, open};

/// A log of small chunks, of which each is recorded a second after the one before.
fn log_of(history: &[Event], chunk_events: usize) -> Arc<MemoryLog> {
    let seconds = AtomicI64::new(0);
    let clock = Clock::new(move || {
        let micros = 1_000_000 * seconds.fetch_add(1, Ordering::SeqCst);
        Timestamp::from_micros(micros).expect("it is in the seventies")
    });
    let log = MemoryLog::with_options(MemoryLogOptions { idempotence_window_events: 1, clock });
    history.chunks(chunk_events).for_each(|events| append(&log, events));
    Arc::new(log)
}

fn fresh() -> (TempDir, Views) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let views = open(dir.path());
    (dir, views)
}

fn folded(log: &Arc<MemoryLog>) -> (TempDir, ReadModel) {
    let (dir, views) = fresh();
    let reader = views.reader.clone();
    Projector::new(log.clone(), views.writer).expect("they fit").catch_up().expect("it folds");
    (dir, reader)
}

fn compared(views: &ReadModel, rebuilt: &ReadModel) -> Comparison {
    compare(views, rebuilt, 1000, |_| {}).expect("they read")
}

fn subscriptions(history: &[Event]) -> Vec<SubscriptionKey> {
    let key = |event: &Event| SubscriptionKey {
        workspace_id: event.workspace_id.clone(),
        subscription_id: event.subscription_id.clone(),
    };
    let mut keys: Vec<_> = history.iter().map(key).collect();
    keys.sort();
    keys.dedup();
    keys
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn views_of_one_log_are_identical_and_those_of_a_shorter_one_are_not(
        history in testing::history(80), kept in 0..80_usize
    ) {
        let log = log_of(&history, 7);
        let ((_dir, views), (_rebuilt_dir, rebuilt)) = (folded(&log), folded(&log));
        let same = compared(&views, &rebuilt);
        prop_assert_eq!((same.difference_count, &same.differences), (0, &Vec::new()));
        prop_assert_eq!(same.deliveries, views.all_deliveries().count() as u64);

        let shorter = log_of(&history[..kept.min(history.len() - 1)], 7);
        let (_shorter_dir, shorter) = folded(&shorter);
        let (less, more) = (compared(&shorter, &views), compared(&views, &shorter));
        prop_assert!(less.difference_count > 0, "their checkpoints differ");
        prop_assert_eq!(less.difference_count, more.difference_count, "either way the same rows differ");
    }

    #[test]
    fn stats_as_of_a_position_are_those_of_a_log_that_ended_there(
        history in testing::history(60), end in 0..60_usize
    ) {
        let end = end.min(history.len());
        let log = log_of(&history, 7);
        let (_dir, ended) = folded(&log_of(&history[..end], 7));
        for key in subscriptions(&history) {
            let (_fresh_dir, views) = fresh();
            let position = Position::new(end as u64);
            let stats = stats_as_of(log.as_ref(), views, &key, position, |_| {}).expect("it folds");
            prop_assert_eq!(stats, ended.stats(&key).expect("it reads").stats);
        }
    }

    #[test]
    fn a_time_names_the_last_chunk_that_was_recorded_by_then(history in testing::history(60), chunk_events in 1..9_usize) {
        let log = log_of(&history, chunk_events);
        let mut expected = Position::START;
        let mut before = Timestamp::from_micros(-1).expect("it is in the sixties");
        while let Some(chunk) = log.chunk_at(expected.next()).expect("it reads") {
            let just_before = Timestamp::from_micros(chunk.recorded_at.as_micros() - 1).expect("it is in the seventies");
            for time in [before, just_before] {
                prop_assert_eq!(position_at(log.as_ref(), time).expect("it reads"), expected);
            }
            (expected, before) = (chunk.last(), chunk.recorded_at);
        }
        let much_later = Timestamp::from_micros(i64::MAX / 2).unwrap_or(before);
        prop_assert_eq!(position_at(log.as_ref(), much_later).expect("it reads"), log.head().position);
    }
}
