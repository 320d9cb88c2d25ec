//! kill −9 in the middle of concurrent appends: what was acknowledged is there, once, and nothing is there in part.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::support::events::{at, created, failed, started, succeeded};
use crate::support::{Client, Dump, Ledger, Server, Token};

const SENDERS: u32 = 4;
const ROUNDS: u32 = 4;
/// Each round is killed when so many requests have been acknowledged in it.
const KILLED_AFTER: usize = 25;
/// Deliveries of a request: more than one, so that a part of it would show.
const DELIVERIES: u32 = 3;
const ATTEMPTS: u64 = 2;

/// One request: which, and what it holds.
#[derive(Clone, Debug)]
struct Request {
    deliveries: Vec<String>,
    events: Value,
}

impl Request {
    fn new(round: u32, sender: u32, number: u32) -> Self {
        let deliveries: Vec<_> = (0..DELIVERIES).map(|n| format!("whdel_{round}_{sender}_{number:04}_{n}")).collect();
        let subscription = format!("whsub_{sender}");
        let mut events = Vec::new();
        for id in &deliveries {
            let (delivery, t) = ((subscription.as_str(), id.as_str()), round * 1000 + number);
            events.extend([
                created(delivery, &at(t)),
                started(delivery, 1, &at(t + 1)),
                failed(delivery, 1, &at(t + 2), 30),
                succeeded(delivery, 2, &at(t + 3), 50),
            ]);
        }
        Self { deliveries, events: events.into() }
    }

    /// Whether all of it is in the ledger; that a part of it is, is a fault.
    fn is_there(&self, dump: &Dump) -> bool {
        let there = self.deliveries.iter().filter(|delivery| dump.row(delivery).is_some()).count();
        assert!(there == 0 || there == self.deliveries.len(), "a request is there in part: {:?}", self.deliveries);
        for row in self.deliveries.iter().filter_map(|delivery| dump.row(delivery)) {
            assert_eq!((&row["status"], &row["attempts"]), (&json!("delivered"), &json!(ATTEMPTS)), "{row}");
        }
        there > 0
    }
}

/// What a sender reports: a request before it is sent, and again once it is acknowledged.
enum Report {
    Sent(Request),
    Acknowledged(Request),
}

/// Sends one request after the other until the server is gone.
async fn send_until_killed(round: u32, sender: u32, client: Client, reports: mpsc::UnboundedSender<Report>) {
    for number in 0.. {
        let request = Request::new(round, sender, number);
        reports.send(Report::Sent(request.clone())).expect("the story listens to the end");
        match client.try_append_text("application/json", request.events.to_string()).await {
            Ok(answer) => {
                answer.expect_status(200);
                reports.send(Report::Acknowledged(request)).expect("the story listens to the end");
            }
            Err(_) => return,
        }
    }
}

/// Everything that was sent, by its first delivery, and whether it was acknowledged.
type Sent = BTreeMap<String, (Request, bool)>;

/// Lets the senders send, kills the server in the middle, and notes what they were told.
async fn round_of_sending(round: u32, server: Server, token: &Token, sent: &mut Sent) {
    let (reports, mut incoming) = mpsc::unbounded_channel();
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(send_until_killed(round, sender, server.client(token), reports.clone())))
        .collect();
    drop(reports);
    let (mut server, mut acknowledged) = (Some(server), 0);
    while let Some(report) = incoming.recv().await {
        let (request, is_acknowledged) = match report {
            Report::Sent(request) => (request, false),
            Report::Acknowledged(request) => (request, true),
        };
        sent.insert(request.deliveries[0].clone(), (request, is_acknowledged));
        acknowledged += usize::from(is_acknowledged);
        if acknowledged >= KILLED_AFTER
            && let Some(server) = server.take()
        {
            server.kill9();
        }
    }
    for sender in senders {
        sender.await.expect("it ends with the server");
    }
}

/// Holds the ledger against what was sent, and gives the number of requests that are there.
fn check(dump: &Dump, sent: &Sent) -> u64 {
    let mut there = 0;
    for (request, acknowledged) in sent.values() {
        let is_there = request.is_there(dump);
        assert!(is_there || !acknowledged, "acknowledged and lost: {:?}", request.deliveries);
        there += u64::from(is_there);
    }
    let deliveries = there * u64::from(DELIVERIES);
    assert_eq!(dump.rows.len() as u64, deliveries, "nothing else is there");
    assert_eq!(dump.sum("total"), deliveries * ATTEMPTS);
    assert_eq!((dump.sum("success_count"), dump.sum("failed_count")), (deliveries, deliveries));
    there
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there_once_and_nothing_in_part() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let mut sent = Sent::new();
    let mut server = ledger.serve().await;
    for round in 0..ROUNDS {
        round_of_sending(round, server, &token, &mut sent).await;
        server = ledger.serve().await;
        check(&Dump::of(&server.client(&token), "ws_1").await, &sent);
    }

    // The same client: it waits for what it has sent.
    let client = server.client(&token);
    resend_everything(&client, &sent).await;
    let after = Dump::of(&client, "ws_1").await;
    assert_eq!(check(&after, &sent), sent.len() as u64, "all of it is there, once");

    server.terminate().await;
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, after, "a restart changes nothing");
    server.terminate().await;
    std::fs::remove_dir_all(ledger.data_dir().join("views")).expect("they are in a folder of their own");
    let server = ledger.serve().await;
    assert_eq!(Dump::of(&server.client(&token), "ws_1").await, after, "nor does a rebuild");
}

/// Sends all again under the same ids, as a sender does that was not told.
async fn resend_everything(client: &Client, sent: &Sent) {
    let events = u64::from(DELIVERIES) * (ATTEMPTS + 2);
    for (request, acknowledged) in sent.values() {
        let answer = client.must_append(&request.events).await.json();
        let (appended, duplicates) = (answer["appended"].as_u64(), answer["duplicates"].as_u64());
        let is_whole = (appended, duplicates) == (Some(0), Some(events));
        let is_new = (appended, duplicates) == (Some(events), Some(0));
        assert!(is_whole || (is_new && !acknowledged), "acknowledged: {acknowledged}, then {answer}");
    }
}
