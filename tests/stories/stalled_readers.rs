//! Clients that stall do not keep others out.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Ledger, eventually};

#[tokio::test]
async fn readers_that_take_no_answers_are_dropped_and_make_room() {
    let ledger = Ledger::new();
    let serve = ledger.serve_with(|serve| serve.arg("--max-connections=2").arg("--request-timeout-seconds=1"));
    let server = serve.await;
    let stalled: Vec<TcpStream> = (0..2).map(|_| stall(server.address())).collect();
    let client = server.open_client();
    eventually("another client is answered", async || client.get("/healthz").await.status == 200).await;
    drop(stalled);
}

/// Asks for answers until no more requests are taken, and reads none of them.
fn stall(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("it is a time");
    let requests = "GET /metrics HTTP/1.1\r\nhost: ledger\r\n\r\n".repeat(1000);
    while stream.write_all(requests.as_bytes()).is_ok() {}
    stream
}
