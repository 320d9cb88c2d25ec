//! Sends events to the table that the ledger replaces: one row per delivery, updated per attempt.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::{Client, Statement};

use super::event::{Created, Ended, Event};
use super::table::{SCHEMA, connect};
use super::{BATCH, Cluster, Figures, Mode};
use crate::report::quantile;

const INSERT_ONE: &str = "
    INSERT INTO webhook_deliveries (id, workspace_id, subscription_id, event_type, payload, max_attempts, created_at,
        status, attempts)
    VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7, 'pending', 0) ON CONFLICT (id) DO NOTHING";

const UPDATE_ONE: &str = "
    UPDATE webhook_deliveries SET attempts = attempts + $2, status = $3, next_attempt_at = $4, last_attempt_at = $5,
        delivered_at = $6, last_response_status = $7, last_response_body = $8, last_error = $9
    WHERE id = $1";

const INSERT_MANY: &str = "
    INSERT INTO webhook_deliveries (id, workspace_id, subscription_id, event_type, payload, max_attempts, created_at,
        status, attempts)
    SELECT id, workspace_id, subscription_id, event_type, payload::jsonb, max_attempts, created_at, 'pending', 0
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::timestamptz[])
        AS new (id, workspace_id, subscription_id, event_type, payload, max_attempts, created_at)
    ON CONFLICT (id) DO NOTHING";

const UPDATE_MANY: &str = "
    UPDATE webhook_deliveries AS old SET attempts = old.attempts + new.attempts, status = new.status,
        next_attempt_at = new.next_attempt_at, last_attempt_at = new.last_attempt_at, delivered_at = new.delivered_at,
        last_response_status = new.response_status, last_response_body = new.response_body, last_error = new.error
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
        $7::integer[], $8::text[], $9::text[])
        AS new (id, attempts, status, next_attempt_at, last_attempt_at, delivered_at, response_status, response_body,
            error)
    WHERE old.id = new.id";

/// Makes the empty table.
pub(super) async fn create_table(cluster: &Cluster) {
    connect(cluster).await.batch_execute(SCHEMA).await.expect("the table can be made");
}

/// When a run ends.
#[derive(Clone, Debug)]
struct End {
    deadline: Option<Instant>,
    /// Whether a connection has sent all it had, in a run with a deadline: the others no longer compete with it.
    is_over: Arc<AtomicBool>,
}

impl End {
    fn has_come(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// A connection has sent all it had.
    fn ran_out(&self) {
        self.is_over.store(self.deadline.is_some(), Ordering::Relaxed);
    }
}

/// Sends each share over a connection of its own: all of them to their ends, or for so long.
pub(super) async fn send(
    cluster: &Cluster,
    mode: Mode,
    shares: Vec<Vec<Event>>,
    duration: Option<Duration>,
) -> Figures {
    let mut connections = Vec::new();
    for share in shares {
        connections.push((Connection::open(cluster, mode).await, share));
    }
    let started = Instant::now();
    let end = End { deadline: duration.map(|duration| started + duration), is_over: Arc::default() };
    let mut senders = JoinSet::new();
    for (connection, share) in connections {
        let end = end.clone();
        senders.spawn(async move {
            match mode {
                Mode::OneByOne => connection.send_one_by_one(&share, &end).await,
                Mode::Batched => connection.send_batched(&share, &end).await,
            }
        });
    }
    let (mut events, mut each_ms) = (0, Vec::new());
    while let Some(sent) = senders.join_next().await {
        let (more, more_ms) = sent.expect("a sender does not panic");
        events += more;
        each_ms.extend(more_ms);
    }
    let events_per_second = events as f64 / started.elapsed().as_secs_f64();
    let p50_ms = if each_ms.is_empty() { 0.0 } else { quantile(&mut each_ms, 0.5) };
    Figures { events_per_second, p50_ms }
}

/// A connection with its statements.
struct Connection {
    client: Client,
    insert: Statement,
    update: Statement,
}

impl Connection {
    async fn open(cluster: &Cluster, mode: Mode) -> Self {
        let client = connect(cluster).await;
        let (insert, update) = match mode {
            Mode::OneByOne => (INSERT_ONE, UPDATE_ONE),
            Mode::Batched => (INSERT_MANY, UPDATE_MANY),
        };
        let insert = client.prepare(insert).await.expect("it is SQL");
        let update = client.prepare(update).await.expect("it is SQL");
        Self { client, insert, update }
    }

    /// How many events were sent, and how many milliseconds each took.
    async fn send_one_by_one(&self, events: &[Event], end: &End) -> (usize, Vec<f64>) {
        let mut each_ms = Vec::new();
        for event in events {
            if end.has_come() {
                return (each_ms.len(), each_ms);
            }
            let begun = Instant::now();
            match event {
                Event::Created(new) => self.insert_one(new).await,
                Event::Ended(ended) => self.update_one(ended).await,
            }
            each_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        end.ran_out();
        (each_ms.len(), each_ms)
    }

    /// How many events were sent, and how many milliseconds each transaction took.
    async fn send_batched(&self, events: &[Event], end: &End) -> (usize, Vec<f64>) {
        let (mut sent, mut each_ms) = (0, Vec::new());
        for events in events.chunks(BATCH) {
            if end.has_come() {
                return (sent, each_ms);
            }
            let begun = Instant::now();
            let (created, ended) = fold(events);
            // All four are on their way before the first is answered.
            let done = tokio::try_join!(
                self.client.batch_execute("BEGIN"),
                self.insert_many(&created),
                self.update_many(&ended),
                self.client.batch_execute("COMMIT"),
            );
            let ((), inserted, updated, ()) = done.expect("the events are taken");
            let rows = (created.len() as u64, ended.len() as u64);
            assert_eq!((inserted, updated), rows, "every row is new, and every attempt finds its own");
            sent += events.len();
            each_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        end.ran_out();
        (sent, each_ms)
    }

    async fn insert_one(&self, new: &Created) {
        let Created { id, workspace_id, subscription_id, event_type, payload, max_attempts, created_at } = new;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [id, workspace_id, subscription_id, event_type, payload, max_attempts, created_at];
        let inserted = self.client.execute(&self.insert, &values).await.expect("the row is taken");
        assert_eq!(inserted, 1, "it is new");
    }

    async fn update_one(&self, ended: &Ended) {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
            &ended.id,
            &ended.attempts,
            &ended.status,
            &ended.next_attempt_at,
            &ended.last_attempt_at,
            &ended.delivered_at,
            &ended.response_status,
            &ended.response_body,
            &ended.error,
        ];
        let updated = self.client.execute(&self.update, &values).await.expect("the row is changed");
        assert_eq!(updated, 1, "it was inserted over this connection");
    }

    async fn insert_many(&self, created: &[&Created]) -> Result<u64, tokio_postgres::Error> {
        let ids = column(created, |new| new.id.as_str());
        let workspaces = column(created, |new| new.workspace_id.as_str());
        let subscriptions = column(created, |new| new.subscription_id.as_str());
        let types = column(created, |new| new.event_type.as_str());
        let payloads = column(created, |new| new.payload.as_str());
        let max_attempts = column(created, |new| new.max_attempts);
        let times = column(created, |new| new.created_at);
        self.client
            .execute(&self.insert, &[&ids, &workspaces, &subscriptions, &types, &payloads, &max_attempts, &times])
            .await
    }

    async fn update_many(&self, ended: &[Ended]) -> Result<u64, tokio_postgres::Error> {
        let ended: Vec<&Ended> = ended.iter().collect();
        let ids = column(&ended, |ended| ended.id.as_str());
        let attempts = column(&ended, |ended| ended.attempts);
        let status = column(&ended, |ended| ended.status);
        let next = column(&ended, |ended| ended.next_attempt_at);
        let last = column(&ended, |ended| ended.last_attempt_at);
        let delivered = column(&ended, |ended| ended.delivered_at);
        let codes = column(&ended, |ended| ended.response_status);
        let bodies = column(&ended, |ended| ended.response_body.as_str());
        let errors = column(&ended, |ended| ended.error.as_deref());
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&ids, &attempts, &status, &next, &last, &delivered, &codes, &bodies, &errors];
        self.client.execute(&self.update, &values).await
    }
}

fn column<'a, R, T>(rows: &[&'a R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

/// The rows that a batch adds, and what it changes: of several attempts of one delivery the last one is written, with
/// their number.
fn fold(events: &[Event]) -> (Vec<&Created>, Vec<Ended>) {
    let (mut created, mut ended) = (Vec::new(), HashMap::<&str, Ended>::new());
    for event in events {
        match event {
            Event::Created(new) => created.push(new),
            Event::Ended(attempt) => {
                let before = ended.get(attempt.id.as_str()).map_or(0, |before| before.attempts);
                ended.insert(&attempt.id, Ended { attempts: before + 1, ..attempt.clone() });
            }
        }
    }
    (created, ended.into_values().collect())
}
