//! The two documented endpoints over HTTP, beside a bare axum route that returns the same bytes.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::program::{Program, Server};
use crate::report::{Report, Row, Unit};
use crate::scale::Scale;
use crate::{load, machine};

/// Measures the newest page and the stats of the busiest subscription.
pub(crate) async fn measure(report: &mut Report, scale: &Scale, program: &Program) {
    let dir = machine::scratch();
    let mut server = Server::start(program, dir.path());
    server.fill(scale.events);
    server.folded().await;
    let (address, token, position) = (server.address.clone(), server.token.clone(), server.position());
    let list = "/api/webhookSubscriptions.deliveries?workspace_id=ws_large&limit=20";
    let total =
        total(&address, &format!("GET {list} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"))
            .await;
    let stats = "/api/v1/workspace/webhooks/whsub_000/stats?workspace_id=ws_large".to_owned();
    let deep = format!("{list}&offset={}", total / 2);
    for (row, path) in [("stats", stats), ("history, newest 20", list.to_owned()), ("history, 20 at half depth", deep)]
    {
        let request = |address: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nledger-min-position: {position}\r\n\r\n"
            )
        };
        let body = load::body(&address, &request(&address)).await;
        let bare = serve_bare(&path, body).await;
        let (mut ledger, mut reference) = (Vec::new(), Vec::new());
        for _ in 0..scale.runs {
            ledger.push(load::requests_per_second(&address, &request(&address), scale.run_duration()).await);
            reference.push(load::requests_per_second(&bare, &request(&bare), scale.run_duration()).await);
        }
        let row = Row::new(format!("{row} of {total} deliveries"), Unit::PerSecond("requests"), ledger);
        report.add(row.beside("bare axum route, same bytes", reference));
    }
}

async fn total(address: &str, request: &str) -> u64 {
    let page: serde_json::Value = serde_json::from_slice(&load::body(address, request).await).expect("it is JSON");
    page["total"].as_u64().expect("it is a count")
}

async fn serve_bare(path: &str, body: Vec<u8>) -> String {
    let body = axum::body::Bytes::from(body);
    let path = path.split('?').next().expect("it has a path").to_owned();
    let router = Router::new().route(&path, get(move || async move { ([("content-type", "application/json")], body) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
