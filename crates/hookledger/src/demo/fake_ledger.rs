//! A ledger for tests: keeps what is posted in memory, checks it as the real one does, and has mishaps on demand.

use std::collections::{BTreeMap, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use ledger_event::{Completion, EventDraft, EventId, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::LedgerClient;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    /// 503, nothing is stored.
    Unavailable,
    /// The connection breaks, nothing is stored.
    RequestLost,
    /// The events are stored, and the connection breaks before the sender hears of it.
    AnswerLost,
}

/// The running ledger. Dropped, it stops.
#[derive(Debug)]
pub(crate) struct FakeLedger {
    store: Arc<Mutex<Store>>,
    url: String,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Store {
    by_id: BTreeMap<String, String>,
    events: Vec<Value>,
    mishaps: VecDeque<Mishap>,
    refusal: Option<(StatusCode, Value)>,
    largest_request: usize,
}

impl FakeLedger {
    /// A ledger to which these mishaps happen, one a request.
    pub(crate) async fn start(mishaps: impl IntoIterator<Item = Mishap>) -> Self {
        let store = Store { mishaps: mishaps.into_iter().collect(), ..Store::default() };
        let store = Arc::new(Mutex::new(store));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("127.0.0.1 has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let router = Router::new().route("/v1/events", post(append)).with_state(Arc::clone(&store));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self { store, url, server }
    }

    /// The way to it.
    pub(crate) fn client(&self) -> LedgerClient {
        LedgerClient::new(&self.url.parse().expect("it is a URL"), Some("token"))
            .expect("it is the address of a ledger")
    }

    /// Refuses everything from now on.
    pub(crate) fn refuse(&self, status: StatusCode, document: Value) {
        lock(&self.store).refusal = Some((status, document));
    }

    /// What it has, in the order in which it came.
    pub(crate) fn events(&self) -> Vec<Value> {
        lock(&self.store).events.clone()
    }

    /// What it has about one subscription: the kinds of each delivery's events, by delivery.
    pub(crate) fn kinds(&self, subscription_id: &str) -> BTreeMap<String, Vec<String>> {
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in self.events().iter().filter(|event| event["subscription_id"] == subscription_id) {
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            kinds.entry(text("delivery_id")).or_default().push(text("kind"));
        }
        kinds
    }

    /// The most events that one request had.
    pub(crate) fn largest_request(&self) -> usize {
        lock(&self.store).largest_request
    }
}

impl Drop for FakeLedger {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(store: &Mutex<Store>) -> std::sync::MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn append(State(store): State<Arc<Mutex<Store>>>, body: String) -> Response {
    let mut store = lock(&store);
    if let Some((status, document)) = &store.refusal {
        return (*status, document.to_string()).into_response();
    }
    let mishap = store.mishaps.pop_front();
    match mishap {
        Some(Mishap::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Mishap::RequestLost) => resume_unwind(Box::new("it ends the connection's task")),
        Some(Mishap::AnswerLost) | None => {}
    }
    let (status, document) = store.append(&body);
    if mishap.is_some() {
        resume_unwind(Box::new("it ends the connection's task"));
    }
    (status, [("ledger-position", store.events.len().to_string())], document.to_string()).into_response()
}

impl Store {
    /// Stores lines that are new.
    fn append(&mut self, body: &str) -> (StatusCode, Value) {
        let (mut appended, mut duplicates) = (0, 0);
        self.largest_request = self.largest_request.max(body.lines().count());
        for line in body.lines() {
            if let Err(problem) = check(line) {
                return (StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": format!("{problem}: {line}") }));
            }
            let event: Value = serde_json::from_str(line).expect("it was read before");
            let id = event["id"].as_str().expect("it was checked before").to_owned();
            match self.by_id.get(&id) {
                Some(stored) if stored == line => duplicates += 1,
                Some(_) => return (StatusCode::CONFLICT, json!({ "detail": format!("{id} is reused") })),
                None => {
                    appended += 1;
                    self.events.push(event);
                    self.by_id.insert(id, line.to_owned());
                }
            }
        }
        (StatusCode::OK, json!({ "appended": appended, "duplicates": duplicates }))
    }
}

/// Checks an event as the ledger does.
fn check(line: &str) -> Result<(), String> {
    let draft: EventDraft = ledger_event::parse_json(line.as_bytes()).map_err(|error| error.to_string())?;
    let received_at = Timestamp::from(chrono::Utc::now());
    let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 1024 };
    let new_id = || EventId::parse("none").expect("it is an id");
    draft.complete(&completion, new_id).map_err(|error| error.to_string())?;
    Ok(())
}
