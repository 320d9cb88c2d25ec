//! The other side: a server on this machine whose endpoints behave as receivers of webhooks do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use standardwebhooks::{HEADER_WEBHOOK_ID, Webhook};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::plan::{Behaviour, Subscription};

/// What a busy endpoint asks for, in nominal seconds.
const RETRY_AFTER_NOMINAL_S: u64 = 20;

/// How often a busy endpoint turns a delivery away before it takes it.
const BUSY_TRIES: u32 = 2;

/// How many answers in a row a flapping endpoint gives before it changes its mind.
const FLAP_PERIOD: u64 = 2;

/// How long a slow endpoint takes at least and at most, in nominal time.
const SLOW_MIN: Duration = Duration::from_secs(4);
const SLOW_MAX: Duration = Duration::from_secs(12);

/// The running receiver. Dropped, it stops.
#[derive(Debug)]
pub(crate) struct Receiver {
    endpoints: Arc<Endpoints>,
    base: String,
    /// Bound and not listening: a port that refuses connections for as long as this lives.
    refusing: TcpSocket,
    server: JoinHandle<()>,
}

/// What an endpoint got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Requests whose signature was right.
    pub(crate) verified: u64,
    /// Requests that were turned away because it was not.
    pub(crate) forged: u64,
}

#[derive(Debug)]
struct Endpoints {
    by_id: HashMap<String, Endpoint>,
    clock: Arc<Clock>,
}

struct Endpoint {
    behaviour: Behaviour,
    webhook: Webhook,
    verified: AtomicU64,
    forged: AtomicU64,
    /// How often each message was turned away by a busy endpoint.
    turned_away: Mutex<HashMap<String, u32>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The signing secret stays out of logs.
        f.debug_struct("Endpoint").field("behaviour", &self.behaviour).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1, with one endpoint for each subscription.
    pub(crate) async fn start(subscriptions: &[Subscription], clock: Arc<Clock>) -> anyhow::Result<Self> {
        let mut by_id = HashMap::new();
        for subscription in subscriptions {
            by_id.insert(subscription.id.clone(), Endpoint::new(subscription)?);
        }
        let endpoints = Arc::new(Endpoints { by_id, clock });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the receiver cannot listen on 127.0.0.1")?;
        let base = format!("http://{}", listener.local_addr().context("the receiver has no address")?);
        let refusing = TcpSocket::new_v4().context("cannot make a socket")?;
        refusing.bind(([127, 0, 0, 1], 0).into()).context("cannot reserve a port that refuses")?;
        let router = Router::new().route("/hooks/{subscription_id}", post(receive)).with_state(Arc::clone(&endpoints));
        let server = tokio::spawn(async move {
            // It fails only when the listener does, and then every delivery says so.
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { endpoints, base, refusing, server })
    }

    /// Where the subscription's webhooks go.
    pub(crate) fn url(&self, subscription: &Subscription) -> anyhow::Result<String> {
        let base = match subscription.behaviour {
            Behaviour::Refused => &format!("http://{}", self.refusing.local_addr().context("no port is reserved")?),
            Behaviour::Fast
            | Behaviour::Slow
            | Behaviour::Flapping
            | Behaviour::Busy
            | Behaviour::Broken
            | Behaviour::Gone
            | Behaviour::Silent => &self.base,
        };
        Ok(format!("{base}/hooks/{}", subscription.id))
    }

    /// What that subscription's endpoint got so far.
    pub(crate) fn received(&self, subscription: &Subscription) -> Received {
        let Some(endpoint) = self.endpoints.by_id.get(&subscription.id) else { return Received::default() };
        Received {
            verified: endpoint.verified.load(Ordering::Relaxed),
            forged: endpoint.forged.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Endpoint {
    fn new(subscription: &Subscription) -> anyhow::Result<Self> {
        Ok(Self {
            behaviour: subscription.behaviour,
            webhook: Webhook::from_bytes(subscription.secret.clone()).context("the secret cannot be used")?,
            verified: AtomicU64::new(0),
            forged: AtomicU64::new(0),
            turned_away: Mutex::default(),
        })
    }

    /// Whether a busy endpoint turns this message away once more.
    fn turns_away(&self, headers: &HeaderMap) -> bool {
        let id = headers.get(HEADER_WEBHOOK_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut turned_away = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        let times = turned_away.entry(id.to_owned()).or_default();
        *times += 1;
        *times <= BUSY_TRIES
    }
}

/// Verifies a request and answers as the endpoint does.
async fn receive(
    State(endpoints): State<Arc<Endpoints>>,
    Path(subscription_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(endpoint) = endpoints.by_id.get(&subscription_id) else {
        return json(StatusCode::NOT_FOUND, r#"{"error":"no such endpoint"}"#);
    };
    if endpoint.webhook.verify(&body, &headers).is_err() {
        endpoint.forged.fetch_add(1, Ordering::Relaxed);
        return json(StatusCode::UNAUTHORIZED, r#"{"error":"the signature is not right"}"#);
    }
    let earlier = endpoint.verified.fetch_add(1, Ordering::Relaxed);
    match endpoint.behaviour {
        Behaviour::Fast | Behaviour::Refused => received(),
        Behaviour::Slow => {
            // Between the two bounds, evenly, without chance.
            let wait = SLOW_MIN + (SLOW_MAX - SLOW_MIN) * u32::try_from(earlier % 5).unwrap_or(0) / 4;
            tokio::time::sleep(endpoints.clock.shortened(wait)).await;
            received()
        }
        Behaviour::Flapping if earlier / FLAP_PERIOD % 2 == 1 => received(),
        Behaviour::Flapping => json(StatusCode::BAD_GATEWAY, "<html><h1>502 Bad Gateway</h1>nginx</html>"),
        Behaviour::Busy if endpoint.turns_away(&headers) => {
            let busy = json(StatusCode::SERVICE_UNAVAILABLE, r#"{"error":"příliš mnoho požadavků, try later"}"#);
            ([(RETRY_AFTER, RETRY_AFTER_NOMINAL_S.to_string())], busy).into_response()
        }
        Behaviour::Busy => received(),
        Behaviour::Broken => {
            json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"internal","trace":"0af7651916cd43dd"}"#)
        }
        Behaviour::Gone => json(StatusCode::GONE, r#"{"error":"this endpoint was removed"}"#),
        // The sender hangs up, and this ends with its connection.
        Behaviour::Silent => std::future::pending().await,
    }
}

fn received() -> Response {
    json(StatusCode::OK, r#"{"received":true}"#)
}

fn json(status: StatusCode, body: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
