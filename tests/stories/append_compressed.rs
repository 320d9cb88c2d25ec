//! A sender packs its requests, well or badly.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::events::{at, created, with};
use crate::support::{Answer, Client, Ledger, serve_workspace};

const DELIVERY: (&str, &str) = ("whsub_1", "whdel_1");
const ENCODINGS: [&str; 2] = ["gzip", "zstd"];
const MIB: usize = 1024 * 1024;

fn pack(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    if encoding == "zstd" {
        return zstd::encode_all(bytes, 1).expect("it writes to memory");
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("it writes to memory");
    encoder.finish().expect("it writes to memory")
}

async fn append(client: &Client, content_type: &str, encoding: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = client.request(reqwest::Method::POST, "/v1/events").header("Content-Type", content_type);
    Answer::to(request.header("Content-Encoding", encoding).body(body)).await
}

async fn append_json(client: &Client, encoding: &str, body: impl Into<reqwest::Body>) -> Answer {
    append(client, "application/json", encoding, body).await
}

/// An event and white space, so many bytes in all.
fn padded(event: &Value, bytes: usize) -> Vec<u8> {
    let mut body = event.to_string().into_bytes();
    body.resize(bytes, b' ');
    body
}

#[tokio::test]
async fn every_format_is_read_from_both_encodings() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = created(DELIVERY, &at(0));
    let packed = rmp_serde::to_vec(&event).expect("it is MessagePack");
    for (name, encoding) in [("gzip", "gzip"), ("X-GZIP", "gzip"), ("zstd", "zstd"), ("identity", "identity")] {
        let body = |bytes: &[u8]| if encoding == "identity" { bytes.to_vec() } else { pack(encoding, bytes) };
        let text = event.to_string();
        append_json(&client, name, body(text.as_bytes())).await.expect_status(200);
        append(&client, "application/x-ndjson", name, body(text.as_bytes())).await.expect_status(200);
        append(&client, "application/msgpack", name, body(&packed)).await.expect_status(200);
    }
    let answer = client.must_append(&event).await.json();
    assert_eq!((&answer["appended"], &answer["duplicates"]), (&json!(0), &json!(1)));
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 1);
}

#[tokio::test]
async fn sixteen_mebibytes_are_taken_from_a_few_kibibytes_and_no_byte_more() {
    let (_ledger, server, client) = serve_workspace("ws_1").await;
    for encoding in ENCODINGS {
        let event = created(DELIVERY, &at(0));
        append_json(&client, encoding, pack(encoding, &padded(&event, 16 * MIB))).await.expect_status(200);
        let problem = append_json(&client, encoding, pack(encoding, &padded(&event, 16 * MIB + 1))).await.problem(413);
        assert_eq!(problem["bound"], "at most 16777216 bytes", "{problem}");
    }
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 1);
    server.terminate().await;
}

#[tokio::test]
async fn bombs_are_stopped_at_the_bound_and_others_are_served_meanwhile() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    for encoding in ENCODINGS {
        let member = pack(encoding, &vec![b' '; 16 * MIB]);
        // Unpacked it would be 1 GiB and more.
        let bomb: Vec<u8> = std::iter::repeat_n(member, 70).flatten().collect();
        let bombs: Vec<_> = (0..12)
            .map(|_| {
                let (client, bomb) = (client.clone(), bomb.clone());
                tokio::spawn(async move { append_json(&client, encoding, bomb).await })
            })
            .collect();
        client.must_append(&created(DELIVERY, &at(0))).await;
        for bomb in bombs {
            let answer = bomb.await.expect("the task ran");
            assert!(matches!(answer.status, 413 | 503), "{} {}", answer.status, answer.text);
        }
        append_json(&client, encoding, bomb).await.problem(413);
    }
}

#[tokio::test]
async fn what_is_cut_off_damaged_or_followed_by_more_is_a_400() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = created(DELIVERY, &at(0)).to_string();
    for encoding in ENCODINGS {
        let packed = pack(encoding, event.as_bytes());
        let half = append_json(&client, encoding, packed[..packed.len() / 2].to_vec()).await.problem(400);
        assert!(half["detail"].as_str().is_some_and(|detail| detail.contains("ends early")), "{half}");
        append_json(&client, encoding, packed[..packed.len() - 1].to_vec()).await.problem(400);
        append_json(&client, encoding, Vec::new()).await.problem(400);
        append_json(&client, encoding, [packed, b"and more".to_vec()].concat()).await.problem(400);
        append_json(&client, encoding, event.clone()).await.problem(400);
    }
    append_json(&client, "zstd", pack("gzip", event.as_bytes())).await.problem(400);
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
}

#[tokio::test]
async fn a_refusal_names_event_field_and_bound_as_for_a_plain_body() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let bad = with(created(("whsub_1", "whdel_2"), &at(0)), "id", "");
    let body = pack("gzip", json!([created(DELIVERY, &at(0)), bad]).to_string().as_bytes());
    let problem = append_json(&client, "gzip", body).await.problem(422);
    assert_eq!((&problem["index"], &problem["field"]), (&json!(1), &json!("id")));
    append_json(&client, "zstd", pack("zstd", b"{")).await.problem(400);
    assert_eq!(client.history("workspace_id=ws_1").await.json()["total"], 0);
}

#[tokio::test]
async fn another_encoding_is_a_415_that_names_those_that_are_read() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let event = created(DELIVERY, &at(0)).to_string();
    for encoding in ["br", "deflate", "compress", "gzip, zstd", "gzip, gzip"] {
        let answer = append_json(&client, encoding, event.clone()).await;
        let problem = answer.problem(415);
        let detail = problem["detail"].as_str().expect("it is text");
        assert!(detail.contains(encoding) && detail.contains("gzip, zstd, or"), "{detail}");
        assert_eq!(answer.header("Accept-Encoding"), Some("gzip, zstd"));
    }
}

#[tokio::test]
async fn a_body_is_not_unpacked_for_who_may_not_append() {
    let ledger = Ledger::new();
    let reader = ledger.token("--workspace ws_1 --scope read");
    let server = ledger.serve().await;
    let bomb = pack("zstd", &vec![b' '; 64 * MIB]);
    append_json(&server.client(&reader), "zstd", bomb.clone()).await.problem(403);
    append_json(&server.open_client(), "zstd", bomb).await.problem(401);
}

#[tokio::test]
async fn the_smallest_room_still_takes_the_largest_request_packed() {
    let ledger = Ledger::new();
    let token = ledger.workspace_token("ws_1");
    let server = ledger.serve_with(|serve| serve.arg("--append-queue-bytes=16777216")).await;
    let client = server.client(&token);
    for encoding in ENCODINGS {
        let body = pack(encoding, &padded(&created(DELIVERY, &at(0)), 16 * MIB));
        append_json(&client, encoding, body).await.expect_status(200);
    }
}
