//! Live views equal views rebuilt from position 1, and a naive model of vectors and sorts, for generated
//! histories, also across restarts and rebuilds at random points.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_event::{DeliveryId, Event, EventData, JsonText, Position, SubscriptionId, Timestamp, WorkspaceId, testing};
use ledger_log::{EventLog, MemoryLog, MemoryLogOptions};
use ledger_projector::{COMMIT_MAX_EVENTS, Projector, compare, fold};
use ledger_views::{
    DeliveryKey, DeliveryRow, DeliveryState, Outcome, PageRequest, Quarter, ReadModel, ScopeName, Stats,
    SubscriptionKey,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::{append, begin, open};

const WORKSPACES: [&str; 2] = ["ws_0", "ws_1"];
const SUBSCRIPTIONS: [&str; 3] = ["sub_0", "sub_1", "sub_2"];
/// Smaller than a list of these histories, so that pages are cut anywhere.
const PAGE: usize = 4;
const QUARTER_US: i64 = 900_000_000;

/// All that can be read, of one workspace or subscription.
#[derive(Debug, PartialEq)]
struct Readings {
    position: Position,
    waiting_count: u64,
    waiting: BTreeMap<&'static str, Vec<(u64, SubscriptionId, DeliveryId)>>,
    rows: BTreeMap<(&'static str, Option<&'static str>), Vec<DeliveryRow>>,
    /// Of each workspace, and of each of its subscriptions.
    stats: BTreeMap<(&'static str, Option<&'static str>), Stats>,
    /// The same, by the start of the quarter in microseconds; those in which nothing is any more are left out.
    quarters: BTreeMap<(&'static str, Option<&'static str>), BTreeMap<i64, Quarter>>,
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
        quarters: BTreeMap::new(),
    };
    for ws in WORKSPACES {
        let waiting = views.waiting(&workspace(ws), 0, usize::MAX).expect("it reads");
        assert_eq!(waiting.total, waiting.rows.len() as u64);
        let rows = waiting.rows.into_iter().map(|row| (row.first_position.get(), row.subscription_id, row.delivery_id));
        readings.waiting.insert(ws, rows.collect());
        for sub in std::iter::once(None).chain(SUBSCRIPTIONS.map(Some)) {
            readings.rows.insert((ws, sub), read_pages(views, ws, sub));
            let key = |sub| SubscriptionKey { workspace_id: workspace(ws), subscription_id: subscription(sub) };
            let name = sub.map_or_else(|| ScopeName::Workspace(workspace(ws)), |sub| ScopeName::Subscription(key(sub)));
            let stats = views.kept_stats(&name).expect("it reads").unwrap_or_default();
            if let Some(sub) = sub {
                assert_eq!(stats, views.stats(&key(sub)).expect("it reads").stats);
            }
            readings.stats.insert((ws, sub), stats);
            let quarters = views.kept_quarters(&name).expect("it reads").into_iter();
            let quarters = quarters.filter(|(_, quarter)| *quarter != Quarter::default());
            readings
                .quarters
                .insert((ws, sub), quarters.map(|(start, quarter)| (start.as_micros(), quarter)).collect());
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
        let page = views.deliveries(&request).expect("it reads");
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
        quarters: BTreeMap::new(),
    };
    for ws in WORKSPACES {
        for sub in std::iter::once(None).chain(SUBSCRIPTIONS.map(Some)) {
            readings.rows.insert((ws, sub), Vec::new());
            readings.stats.insert((ws, sub), Stats::default());
            readings.quarters.insert((ws, sub), BTreeMap::new());
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
        for scope in [None, Some(sub)] {
            let stats = readings.stats.get_mut(&(ws, scope)).expect("all are there");
            state.shares().for_each(|share| stats.attempts.put_in(share));
            stats.raise_maxima(state.max_duration_ms, state.latest_finish_at);
            let quarters = readings.quarters.get_mut(&(ws, scope)).expect("all are there");
            let start_of = |at: Timestamp| at.as_micros().div_euclid(QUARTER_US) * QUARTER_US;
            for share in state.shares() {
                quarters.entry(start_of(share.at)).or_default().attempts.put_in(share);
            }
            let created_at = state.description.as_ref().expect("it is described").created_at;
            quarters.entry(start_of(created_at)).or_default().deliveries.put_in(Outcome::of(&state));
        }
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

/// The events of the log, in order.
fn read_log(log: &MemoryLog) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(chunk) = log.chunk_at(Position::new(events.len() as u64 + 1)).expect("it reads") {
        events.extend(chunk.events.iter().map(|event| event.decode().expect("it was encoded")));
    }
    events
}

/// What happens next.
#[derive(Clone, Debug)]
enum Turn {
    /// A request of so many events is appended.
    Append(usize),
    /// The projector makes a step.
    Step,
    /// Everything is closed and opened again.
    Restart,
    /// New views make so many steps of their own, and take over.
    Rebuild(usize),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        6 => (1..12_usize).prop_map(Turn::Append),
        4 => Just(Turn::Step),
        1 => Just(Turn::Restart),
        1 => (0..30_usize).prop_map(Turn::Rebuild),
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
                append(&log, &left.drain(..count.min(left.len())).collect::<Vec<_>>());
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
            Turn::Rebuild(steps) => {
                let position = views.reader.position();
                let mut next = project(begin(live_dir.path()).writer);
                for _ in 0..steps {
                    next.step().expect("it folds");
                }
                next.take_place_of(Some(&views.reader)).expect("it is put in place");
                projector = next;
                assert!(views.reader.position() >= position, "readers are not taken back");
            }
        }
    }
    if !left.is_empty() {
        append(&log, &left);
    }
    projector.catch_up().expect("it folds");

    let rebuilt_dir = tempfile::tempdir().expect("a directory can be made");
    let rebuilt = open(rebuilt_dir.path());
    Projector::new(log.clone(), rebuilt.writer).expect("they fit").catch_up().expect("it folds");

    let live = read_all(&views.reader);
    assert_eq!(live, read_all(&rebuilt.reader));
    assert_eq!(live, model(&read_log(&log)));
    let compared = compare(&views.reader, &rebuilt.reader, 1, |_| {}).expect("both read");
    assert_eq!(compared.differences, [], "marks and what no answer shows are the same too");
}

#[test]
fn views_of_another_log_or_of_a_longer_one_are_refused() {
    let mut runner = TestRunner::deterministic();
    let mut history = || testing::history(30).new_tree(&mut runner).expect("it generates").current();
    let dir = tempfile::tempdir().expect("a directory can be made");
    let log = Arc::new(MemoryLog::new());
    append(&log, &history());
    let mut projector = Projector::new(log, open(dir.path()).writer).expect("they fit");
    projector.catch_up().expect("it folds");
    projector.flush().expect("it is written");
    drop(projector);

    let empty = Arc::new(MemoryLog::new());
    let refusal =
        |log: Arc<MemoryLog>| Projector::new(log, open(dir.path()).writer).err().map(|error| error.to_string());
    assert!(refusal(empty).is_some_and(|text| text.contains("ends at position 0")));
    let other = Arc::new(MemoryLog::new());
    (0..5).for_each(|_| append(&other, &history()));
    let text = refusal(other);
    assert!(text.as_ref().is_some_and(|text| text.contains("another log")), "{text:?}");
}
