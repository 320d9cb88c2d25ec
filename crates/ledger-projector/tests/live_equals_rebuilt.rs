//! Live views equal views rebuilt from position 1, and a naive model of vectors and sorts, for generated
//! histories, also across restarts at random points.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger_event::{
    CompletedEvent, DeliveryId, Event, EventData, JsonText, Position, SubscriptionId, WorkspaceId, testing,
};
use ledger_log::{Append, EventLog, MemoryLog, MemoryLogOptions};
use ledger_projector::{COMMIT_MAX_EVENTS, Projector, fold};
use ledger_views::{
    DeliveryKey, DeliveryRow, DeliveryState, PageRequest, ReadModel, Stats, StatsShare, SubscriptionKey, Views,
    ViewsOptions,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const WORKSPACES: [&str; 2] = ["ws_0", "ws_1"];
const SUBSCRIPTIONS: [&str; 3] = ["sub_0", "sub_1", "sub_2"];
/// Smaller than a list of these histories, so that pages are cut anywhere.
const PAGE: usize = 4;

/// All that can be read, of one workspace or subscription.
#[derive(Debug, PartialEq)]
struct Readings {
    position: Position,
    waiting_count: u64,
    waiting: BTreeMap<&'static str, Vec<(u64, SubscriptionId, DeliveryId)>>,
    rows: BTreeMap<(&'static str, Option<&'static str>), Vec<DeliveryRow>>,
    stats: BTreeMap<(&'static str, &'static str), Stats>,
}

fn workspace(id: &str) -> WorkspaceId {
    WorkspaceId::parse(id).expect("it is an id")
}

fn subscription(id: &str) -> SubscriptionId {
    SubscriptionId::parse(id).expect("it is an id")
}

fn read_all(views: &ReadModel) -> Readings {
    let mut readings = Readings {
        position: views.position(),
        waiting_count: views.waiting_count(),
        waiting: BTreeMap::new(),
        rows: BTreeMap::new(),
        stats: BTreeMap::new(),
    };
    for ws in WORKSPACES {
        let waiting = views.waiting(&workspace(ws), 0, usize::MAX).expect("it reads");
        assert_eq!(waiting.total, waiting.rows.len() as u64);
        let rows = waiting.rows.into_iter().map(|row| (row.first_position.get(), row.subscription_id, row.delivery_id));
        readings.waiting.insert(ws, rows.collect());
        readings.rows.insert((ws, None), read_pages(views, ws, None));
        for sub in SUBSCRIPTIONS {
            readings.rows.insert((ws, Some(sub)), read_pages(views, ws, Some(sub)));
            let key = SubscriptionKey { workspace_id: workspace(ws), subscription_id: subscription(sub) };
            readings.stats.insert((ws, sub), views.stats(&key).expect("it reads").stats);
        }
    }
    readings
}

fn read_pages(views: &ReadModel, ws: &str, sub: Option<&str>) -> Vec<DeliveryRow> {
    let mut rows = Vec::new();
    loop {
        let request = PageRequest {
            workspace_id: workspace(ws),
            subscription_id: sub.map(subscription),
            offset: rows.len() as u64,
            limit: PAGE,
        };
        let page = views.deliveries(request).expect("it reads");
        rows.extend(page.rows);
        if rows.len() as u64 == page.total {
            return rows;
        }
    }
}

/// The same readings, by the plainest means.
fn model(events: &[Event]) -> Readings {
    let mut states = BTreeMap::<DeliveryKey, (DeliveryState, Option<_>)>::new();
    for (number, event) in (1..).zip(events) {
        let subscription = SubscriptionKey {
            workspace_id: event.workspace_id.clone(),
            subscription_id: event.subscription_id.clone(),
        };
        let key = DeliveryKey { subscription, delivery_id: event.delivery_id.clone() };
        let (state, payload) = states.entry(key).or_insert_with(|| (DeliveryState::new(Position::new(number)), None));
        if let Some(taken) = fold::fold(state, event.clone()).payload {
            *payload = taken;
        }
    }
    let mut readings = Readings {
        position: Position::new(events.len() as u64),
        waiting_count: 0,
        waiting: WORKSPACES.map(|ws| (ws, Vec::new())).into(),
        rows: BTreeMap::new(),
        stats: BTreeMap::new(),
    };
    for ws in WORKSPACES {
        readings.rows.insert((ws, None), Vec::new());
        for sub in SUBSCRIPTIONS {
            readings.rows.insert((ws, Some(sub)), Vec::new());
            readings.stats.insert((ws, sub), Stats::default());
        }
    }
    for (key, (state, payload)) in states {
        let ws = known(&WORKSPACES, key.subscription.workspace_id.as_str());
        let sub = known(&SUBSCRIPTIONS, key.subscription.subscription_id.as_str());
        if state.description.is_none() {
            readings.waiting_count += 1;
            readings.waiting.get_mut(ws).expect("all are there").push((
                state.first_position.get(),
                key.subscription.subscription_id,
                key.delivery_id,
            ));
            continue;
        }
        let stats = readings.stats.get_mut(&(ws, sub)).expect("all are there");
        stats.exchange(StatsShare::default(), StatsShare::of(&state)).expect("nothing is taken out");
        stats.raise_maxima(state.max_duration_ms, state.latest_finish_at);
        let row = DeliveryRow::of(key.delivery_id, key.subscription.subscription_id, state, payload);
        let row = row.expect("it is described");
        for list in [None, Some(sub)] {
            readings.rows.get_mut(&(ws, list)).expect("all are there").push(row.clone());
        }
    }
    for rows in readings.rows.values_mut() {
        rows.sort_by(|a, b| (b.created_at, &b.id, &b.subscription_id).cmp(&(a.created_at, &a.id, &a.subscription_id)));
    }
    for waiting in readings.waiting.values_mut() {
        waiting.sort();
    }
    readings
}

fn known(names: &[&'static str], name: &str) -> &'static str {
    names.iter().find(|known| **known == name).expect("histories have these names alone")
}

fn open(dir: &Path) -> Views {
    Views::open(dir, ViewsOptions { cache_bytes: 1 << 20 }).expect("it opens")
}

fn append(log: &MemoryLog, events: Vec<Event>) {
    let events = events.into_iter().map(|event| CompletedEvent { event, occurred_at_given: true }).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    runtime.block_on(log.append(Append { events })).expect("it is appended");
}

/// The events of the log, in order.
fn read_log(log: &MemoryLog) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(chunk) = log.chunk_at(Position::new(events.len() as u64 + 1)).expect("it reads") {
        events.extend(chunk.events.iter().map(|event| event.decode().expect("it was encoded")));
    }
    events
}

/// What happens next: a request is appended, the projector makes a step, or everything is restarted.
#[derive(Clone, Debug)]
enum Turn {
    Append(usize),
    Step,
    Restart,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        6 => (1..12_usize).prop_map(Turn::Append),
        4 => Just(Turn::Step),
        1 => Just(Turn::Restart),
    ];
    prop::collection::vec(turn, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn live_views_equal_rebuilt_views_and_the_model(
        history in testing::history(150), turns in turns(), commit_max_events in 1..20_u64
    ) {
        check(history, turns, commit_max_events);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]
    #[test]
    fn the_same_holds_for_lists_of_many_leaves_and_rows_of_several_parts(
        mut history in testing::history_of(300, 2500..3000_usize), turns in turns()
    ) {
        for (number, event) in history.iter_mut().enumerate() {
            if let (0, EventData::DeliveryCreated(description)) = (number % 200, &mut event.data) {
                let filler = "x".repeat(number * 80);
                description.payload = Some(JsonText::parse(&format!(r#"{{"filler":"{filler}"}}"#)).expect("it is an object"));
            }
        }
        check(history, turns, COMMIT_MAX_EVENTS);
    }
}

/// Appends and folds a history by those turns, and compares live views, rebuilt views and the model.
fn check(history: Vec<Event>, turns: Vec<Turn>, commit_max_events: u64) {
    // A window of one event lets repetitions that are further apart into the log.
    let options = MemoryLogOptions { idempotence_window_events: 1, ..MemoryLogOptions::default() };
    let log = Arc::new(MemoryLog::with_options(options));
    let mut left: Vec<Event> = history.iter().chain(history.iter().step_by(5)).cloned().collect();
    let live_dir = tempfile::tempdir().expect("a directory can be made");
    let project = |writer| Projector::new(log.clone(), writer).expect("they fit").with_commits_of(commit_max_events);
    let mut views = open(live_dir.path());
    let mut projector = project(views.writer);
    for turn in turns {
        match turn {
            Turn::Append(count) if !left.is_empty() => {
                append(&log, left.drain(..count.min(left.len())).collect());
            }
            Turn::Append(_) => {}
            Turn::Step => {
                projector.step().expect("it folds");
            }
            Turn::Restart => {
                drop((projector, views.reader));
                views = open(live_dir.path());
                projector = project(views.writer);
            }
        }
    }
    if !left.is_empty() {
        append(&log, left);
    }
    projector.catch_up().expect("it folds");

    let rebuilt_dir = tempfile::tempdir().expect("a directory can be made");
    let rebuilt = open(rebuilt_dir.path());
    Projector::new(log.clone(), rebuilt.writer).expect("they fit").catch_up().expect("it folds");

    let live = read_all(&views.reader);
    assert_eq!(live, read_all(&rebuilt.reader));
    assert_eq!(live, model(&read_log(&log)));
}

#[test]
fn views_that_are_found_damaged_are_given_up_and_rebuilt_at_the_next_start() {
    let log = Arc::new(MemoryLog::new());
    let dir = tempfile::tempdir().expect("a directory can be made");
    let created = |history: &[Event]| {
        let mut events: Vec<Event> = history.to_vec();
        events.retain(|event| matches!(event.data, EventData::DeliveryCreated(_)));
        events
    };
    let mut history = created(&generate(testing::history(300)));
    let later = history.split_off(history.len() / 2);
    append(&log, history);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime can be made");
    runtime.block_on(async {
        let views = open(dir.path());
        let handle =
            ledger_projector::start(Projector::new(log.clone(), views.writer).expect("they fit"), log.watch_head());
        views.reader.reached(log.head().position, Duration::from_secs(60)).await.expect("it folds");
        handle.stop().await.expect("it has not failed");
        drop(views.reader);
        damage_delivery_rows(dir.path());

        let views = open(dir.path());
        let handle =
            ledger_projector::start(Projector::new(log.clone(), views.writer).expect("they fit"), log.watch_head());
        let events = later.into_iter().map(|event| CompletedEvent { event, occurred_at_given: true }).collect();
        log.append(Append { events }).await.expect("it is appended");
        let mut failure = handle.failure();
        let failed = failure.wait_for(Option::is_some).await.expect("it says so").clone().expect("it failed");
        assert!(failed.is_mended_by_rebuild(), "{failed:?}");
        handle.stop().await.expect_err("it failed");
    });
    let error = Views::open(dir.path(), ViewsOptions { cache_bytes: 1 << 20 }).expect_err("they were given up");
    assert!(error.is_mended_by_rebuild(), "{error:?}");
}

/// Writes nonsense over every state of a delivery, under the keys that begin with `d`.
fn damage_delivery_rows(dir: &Path) {
    let config = sled::Config::new().path(dir).segment_size(8 * 1024 * 1024);
    // sled holds the file for a moment after it was closed.
    let db = (0..100_000).find_map(|_| config.open().ok()).expect("it opens");
    let tree = db.open_tree("views").expect("it opens");
    for key in tree.scan_prefix(b"d").keys().collect::<Result<Vec<_>, _>>().expect("it reads") {
        tree.insert(key, b"\0nonsense").expect("it is written");
    }
}

fn generate<T>(strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(&mut TestRunner::deterministic()).expect("it generates").current()
}

#[test]
fn views_of_another_log_or_of_a_longer_one_are_refused() {
    let mut runner = TestRunner::deterministic();
    let mut history = || testing::history(30).new_tree(&mut runner).expect("it generates").current();
    let dir = tempfile::tempdir().expect("a directory can be made");
    let log = Arc::new(MemoryLog::new());
    append(&log, history());
    Projector::new(log, open(dir.path()).writer).expect("they fit").catch_up().expect("it folds");

    let empty = Arc::new(MemoryLog::new());
    let refusal =
        |log: Arc<MemoryLog>| Projector::new(log, open(dir.path()).writer).err().map(|error| error.to_string());
    assert!(refusal(empty).is_some_and(|text| text.contains("ends at position 0")));
    let other = Arc::new(MemoryLog::new());
    (0..5).for_each(|_| append(&other, history()));
    let text = refusal(other);
    assert!(text.as_ref().is_some_and(|text| text.contains("another log")), "{text:?}");
}
