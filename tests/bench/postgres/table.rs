//! The table that the ledger replaces: one row per delivery. And one that is filled with rows as they end up, for reads.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use ledger_event::Timestamp;
use tokio_postgres::{Client, NoTls};

use super::Cluster;
use super::event::{Created, Ended, Event};
use crate::program::Program;

/// The indexes are those that its pages are read by: by subscription and time, by status, by due time.
pub(super) const SCHEMA: &str = "
    CREATE TABLE webhook_deliveries (
        id text PRIMARY KEY, workspace_id text NOT NULL, subscription_id text NOT NULL, event_type text NOT NULL,
        payload jsonb NOT NULL, status text NOT NULL, attempts integer NOT NULL, max_attempts integer NOT NULL,
        next_attempt_at timestamptz, last_attempt_at timestamptz, delivered_at timestamptz,
        last_response_status integer, last_response_body text, last_error text, created_at timestamptz NOT NULL
    );
    CREATE INDEX ON webhook_deliveries (workspace_id, subscription_id, created_at DESC);
    CREATE INDEX ON webhook_deliveries (status);
    CREATE INDEX ON webhook_deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;";

/// It is known to have no dead rows from the first query on, as after a vacuum.
const COPY: &str = "COPY webhook_deliveries FROM STDIN (FREEZE)";

/// What is copied into a table of the same transaction is not logged: it is filled faster, and read the same.
const LOADING_SETTINGS: [&str; 2] = ["wal_level=minimal", "max_wal_senders=0"];

/// A running PostgreSQL with a filled table.
pub(crate) struct Table {
    cluster: Cluster,
    /// The rows of it.
    pub(crate) rows: u64,
}

impl Table {
    /// Starts it and fills the table with what these events come to; or says why not.
    pub(crate) fn load(program: &Program, events: u64, seed: u64) -> Result<Self, String> {
        let cluster = Cluster::start(&LOADING_SETTINGS)?;
        let mut copy = psql(&cluster, &["--single-transaction", "--command", SCHEMA, "--command", COPY]);
        let mut copying = copy.stdin(Stdio::piped()).spawn().map_err(|error| format!("psql cannot be run: {error}"))?;
        let mut out = BufWriter::with_capacity(1 << 16, copying.stdin.take().expect("it is piped"));
        let written = write_rows(program.lines(events, seed), &mut out);
        drop(out);
        let rows = written.map_err(|error| format!("psql takes no rows: {error}"))?;
        let has_copied = copying.wait().expect("it is our child").success();
        // Checkpointed, it has nothing left to write.
        let mut settle = psql(&cluster, &["--command", "VACUUM ANALYZE webhook_deliveries", "--command", "CHECKPOINT"]);
        let has_settled = has_copied && settle.status().is_ok_and(|status| status.success());
        if has_settled { Ok(Self { cluster, rows }) } else { Err("the table could not be filled".to_owned()) }
    }

    /// Its name and version.
    pub(crate) fn name(&self) -> &str {
        self.cluster.name()
    }

    /// How much the table takes on the disk, with its indexes.
    pub(crate) async fn bytes(&self) -> u64 {
        let client = self.connect().await;
        let row = client.query_one("SELECT pg_total_relation_size('webhook_deliveries')", &[]).await;
        row.expect("the table is there").get::<_, i64>(0).unsigned_abs()
    }

    pub(super) async fn connect(&self) -> Client {
        connect(&self.cluster).await
    }
}

/// A connection to it, driven by a task of this runtime.
pub(super) async fn connect(cluster: &Cluster) -> Client {
    let (client, connection) =
        tokio_postgres::connect(&cluster.connection(), NoTls).await.expect("it takes connections");
    tokio::spawn(connection);
    client
}

fn psql(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut psql = cluster.client("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]).args(arguments).stdout(Stdio::null());
    psql
}

/// A delivery as far as it was reported.
struct Delivery {
    created: Created,
    attempts: i32,
    last: Option<Ended>,
}

/// Writes a row for each delivery, in the order in which they end, and tells how many.
fn write_rows(lines: impl Iterator<Item = String>, out: &mut impl Write) -> io::Result<u64> {
    let (mut rows, mut open) = (0, HashMap::<String, Delivery>::new());
    for line in lines {
        let ended = match Event::parse(&line) {
            Event::Created(created) => {
                open.insert(created.id.clone(), Delivery { created, attempts: 0, last: None });
                continue;
            }
            Event::Ended(ended) => ended,
        };
        let delivery = open.get_mut(&ended.id).expect("it was created before, and has not ended");
        delivery.attempts += ended.attempts;
        let is_over = ended.status != "pending";
        let id = ended.id.clone();
        delivery.last = Some(ended);
        if is_over {
            open.remove(&id).expect("it was found").write(out)?;
            rows += 1;
        }
    }
    for delivery in open.values() {
        delivery.write(out)?;
        rows += 1;
    }
    out.flush()?;
    Ok(rows)
}

impl Delivery {
    /// Writes it as `COPY` reads it: the columns in their order, with tabs between them.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Created { id, workspace_id, subscription_id, event_type, payload, max_attempts, created_at } =
            &self.created;
        let last = self.last.as_ref();
        let status = last.map_or("pending", |last| last.status);
        write!(out, "{id}\t{workspace_id}\t{subscription_id}\t{event_type}\t")?;
        write!(out, "{}\t{status}\t{}\t{max_attempts}\t", escaped(payload), self.attempts)?;
        let cells = [
            last.and_then(|last| last.next_attempt_at).map(moment),
            last.map(|last| moment(last.last_attempt_at)),
            last.and_then(|last| last.delivered_at).map(moment),
            last.map(|last| last.response_status.to_string()),
            last.map(|last| escaped(&last.response_body)),
            last.and_then(|last| last.error.as_deref()).map(escaped),
        ];
        for cell in cells {
            write!(out, "{}\t", cell.as_deref().unwrap_or(r"\N"))?;
        }
        writeln!(out, "{}", moment(*created_at))
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('\t', r"\t").replace('\n', r"\n").replace('\r', r"\r")
}

fn moment(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let micros = i64::try_from(since.as_micros()).expect("it is before the year 10000");
    Timestamp::from_micros(micros).expect("it was one").to_string()
}
