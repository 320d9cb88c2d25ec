//! A bare axum route, as a server of nothing else: what stands beside an answer over HTTP.

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What stands beside a row.
pub(crate) const NAME: &str = "bare axum route, same bytes";

/// A server of one answer, in threads of its own as the ledger has. It ends with the value.
#[derive(Debug)]
pub(crate) struct Bare {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    _runtime: Runtime,
}

impl Bare {
    /// Answers every request for that path, whatever its query, with these bytes.
    pub(crate) fn serve(path: &str, body: Vec<u8>) -> Self {
        let runtime = Runtime::new().expect("a runtime can be made");
        let body = Bytes::from(body);
        let path = path.split('?').next().expect("it has a path");
        let answer = move || async move { ([("content-type", "application/json")], body) };
        let router = Router::new().route(path, get(answer));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("it is a socket"));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, _runtime: runtime }
    }
}
