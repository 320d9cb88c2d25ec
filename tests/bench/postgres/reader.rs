//! Asks the table what the two documented endpoints answer, as its application would.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::Table;

/// How many rows a page has.
const LIMIT: i64 = 20;

const COLUMNS: &str = "id, subscription_id, event_type, payload, status, attempts, max_attempts, next_attempt_at, \
    last_attempt_at, delivered_at, last_response_status, last_response_body, last_error, created_at";

/// Of a workspace, or of a subscription in it.
const OF_WORKSPACE: &str = "FROM webhook_deliveries WHERE workspace_id = $1";
const OF_SUBSCRIPTION: &str = "FROM webhook_deliveries WHERE workspace_id = $1 AND subscription_id = $2";

/// The table knows the number of attempts and the last one of them: durations are missing, so less is asked of it.
const STATS: &str = "SELECT COALESCE(SUM(attempts), 0), COUNT(*) FILTER (WHERE status = 'delivered'), \
    COUNT(*) FILTER (WHERE status = 'failed'), MAX(last_attempt_at)";

/// What is asked of it.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// 20 deliveries of a workspace, newest first, and how many it has.
    Workspace { workspace: String, offset: u64 },
    /// The same of a subscription.
    Subscription { workspace: String, subscription: String, offset: u64 },
    /// How many attempts a subscription has, and how they ended.
    Stats { workspace: String, subscription: String },
}

/// What it answers, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Deliveries of a list, attempts in stats.
    pub(crate) total: u64,
    /// Of the deliveries of a page.
    pub(crate) ids: Vec<String>,
}

impl Table {
    /// The answer to one question.
    pub(crate) async fn answer(&self, question: &Question) -> Answer {
        Reader::open(self).await.ask(question).await
    }

    /// Answers a second, in a closed loop over so many connections, for so long: what was asked is waited for.
    pub(crate) async fn answers_per_second(&self, question: &Question, connections: usize, duration: Duration) -> f64 {
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(Reader::open(self).await);
        }
        let started = Instant::now();
        let mut readers = JoinSet::new();
        for reader in opened {
            let question = question.clone();
            readers.spawn(async move {
                let mut answers = 0;
                while answers == 0 || started.elapsed() < duration {
                    reader.ask(&question).await;
                    answers += 1;
                }
                answers
            });
        }
        let answers: u32 = readers.join_all().await.into_iter().sum();
        f64::from(answers) / started.elapsed().as_secs_f64()
    }
}

/// A connection with its statements.
struct Reader {
    client: Client,
    workspace: [Statement; 2],
    subscription: [Statement; 2],
    stats: Statement,
}

impl Reader {
    async fn open(table: &Table) -> Self {
        let client = table.connect().await;
        let page = |of: &str, offset: &str| {
            format!("SELECT {COLUMNS} {of} ORDER BY created_at DESC LIMIT {LIMIT} OFFSET {offset}")
        };
        let prepare = async |sql: String| client.prepare(&sql).await.expect("it is SQL");
        let workspace =
            [prepare(format!("SELECT COUNT(*) {OF_WORKSPACE}")).await, prepare(page(OF_WORKSPACE, "$2")).await];
        let subscription =
            [prepare(format!("SELECT COUNT(*) {OF_SUBSCRIPTION}")).await, prepare(page(OF_SUBSCRIPTION, "$3")).await];
        let stats = prepare(format!("{STATS} {OF_SUBSCRIPTION}")).await;
        Self { client, workspace, subscription, stats }
    }

    async fn ask(&self, question: &Question) -> Answer {
        match question {
            Question::Workspace { workspace, offset } => {
                let offset = &offset.cast_signed();
                self.page(&self.workspace, &[workspace], &[workspace, offset]).await
            }
            Question::Subscription { workspace, subscription, offset } => {
                let offset = &offset.cast_signed();
                self.page(&self.subscription, &[workspace, subscription], &[workspace, subscription, offset]).await
            }
            Question::Stats { workspace, subscription } => {
                let row = self.client.query_one(&self.stats, &[workspace, subscription]).await;
                Answer { total: count(&row.expect("it answers")), ids: Vec::new() }
            }
        }
    }

    /// Both are on their way before the first is answered.
    async fn page(
        &self,
        [total, page]: &[Statement; 2],
        of: &[&(dyn ToSql + Sync)],
        from: &[&(dyn ToSql + Sync)],
    ) -> Answer {
        let answered = tokio::try_join!(self.client.query_one(total, of), self.client.query(page, from));
        let (total, rows) = answered.expect("it answers");
        Answer { total: count(&total), ids: rows.iter().map(|row| row.get("id")).collect() }
    }
}

fn count(row: &Row) -> u64 {
    row.get::<_, i64>(0).unsigned_abs()
}
