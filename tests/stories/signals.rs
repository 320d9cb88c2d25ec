//! SIGTERM and SIGINT end the server in good order, whatever is under way.

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::events::{at, created};
use crate::support::{Client, Ledger, RawConnection, Server, Signal, eventually, serve_workspace};

const SIGNALS: [Signal; 2] = [Signal::Terminate, Signal::Interrupt];

#[tokio::test]
async fn an_idle_server_ends_with_0() {
    let (ledger, server, client) = serve_workspace("ws_1").await;
    client.must_append(&created(("whsub_1", "a"), &at(0))).await;
    server.signal(Signal::Terminate);
    server.expect_end().await;
    let server = ledger.serve().await;
    server.signal(Signal::Interrupt);
    server.expect_end().await;
}

#[tokio::test]
async fn a_request_that_was_begun_before_the_signal_is_answered() {
    for signal in SIGNALS {
        let ledger = Ledger::new();
        let token = ledger.workspace_token("ws_1");
        let server = ledger.serve().await;
        let body = created(("whsub_1", "a"), &at(0)).to_string();
        let mut connection = RawConnection::open(server.address());
        let length = body.len().to_string();
        connection.send_append_head(&token.secret, &[("content-length", &length), ("expect", "100-continue")]);
        // It asks for the body: the request is under way.
        let asked = connection.read_head();
        assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");
        server.signal(signal);
        no_longer_listens(&server).await;

        connection.send(&body);
        let head = connection.read_head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{signal:?}: {head}");
        let answer: Value = serde_json::from_str(&connection.read_rest()).expect("it is JSON");
        assert_eq!(answer["appended"], 1);
        server.expect_end().await;

        let server = ledger.serve().await;
        let page = server.client(&token).history("workspace_id=ws_1").await.json();
        assert_eq!(page["total"], 1, "what was acknowledged is there");
    }
}

#[tokio::test]
async fn a_sender_that_never_finishes_does_not_hold_up_the_end() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve_with(|serve| serve.arg("--shutdown-grace-seconds=0")).await;
    let mut slow = RawConnection::open(server.address());
    slow.send_append_head(&token.secret, &[("content-length", "100"), ("expect", "100-continue")]);
    assert!(slow.read_head().starts_with("HTTP/1.1 100 "), "it is under way");
    server.terminate().await;
}

async fn no_longer_listens(server: &Server) {
    eventually("the server no longer listens", async || TcpStream::connect(server.address()).is_err()).await;
}

#[tokio::test]
async fn what_senders_were_told_before_the_end_is_there_after_it() {
    for signal in SIGNALS {
        let ledger = Ledger::new();
        let token = ledger.workspace_token("ws_1");
        let server = ledger.serve().await;
        let (acknowledged, mut acknowledgements) = mpsc::unbounded_channel();
        let senders: Vec<_> = (0..4)
            .map(|sender| tokio::spawn(send_until_refused(sender, server.client(&token), acknowledged.clone())))
            .collect();
        drop(acknowledged);
        for _ in 0..20 {
            acknowledgements.recv().await.expect("the server takes events");
        }
        server.signal(signal);
        server.expect_end().await;
        let mut count = 20;
        while acknowledgements.recv().await.is_some() {
            count += 1;
        }
        for sender in senders {
            sender.await.expect("it ends with the server");
        }

        let server = ledger.serve().await;
        let page = server.client(&token).history("workspace_id=ws_1").await.json();
        // In good order nothing is stored whose sender was not told.
        assert_eq!(page["total"], count, "{signal:?}");
    }
}

/// Appends one delivery after the other until the server is gone.
async fn send_until_refused(sender: u32, client: Client, acknowledged: mpsc::UnboundedSender<()>) {
    for n in 0.. {
        let delivery = format!("whdel_{sender}_{n}");
        let event = json!([created(("whsub_1", &delivery), &at(n))]).to_string();
        match client.try_append_text("application/json", event).await {
            Ok(answer) => {
                answer.expect_status(200);
                acknowledged.send(()).ok();
            }
            Err(_) => return,
        }
    }
}
