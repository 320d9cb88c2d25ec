//! A payload comes back as the JSON text that was sent.

use crate::support::events::at;
use crate::support::{Client, serve_workspace};

/// Appends a delivery with that payload and gives its payload as it stands in the history.
async fn round_trip(client: &Client, delivery: &str, payload: &str) -> String {
    let event = format!(
        r#"{{"kind":"delivery.created","subscription_id":"whsub_1","delivery_id":"{delivery}","occurred_at":"{}","data":{{"event_type":"a","payload":{payload}}}}}"#,
        at(0)
    );
    client.append_text("application/json", event).await.expect_status(200);
    let page = client.history("workspace_id=ws_1&limit=1").await.expect_status(200).text;
    let (_, rest) = page.split_once(r#""payload":"#).expect("a row has a payload");
    let (payload, _) = rest.split_once(r#","status":"#).expect("status follows it");
    payload.to_owned()
}

#[tokio::test]
async fn number_forms_key_order_escapes_and_unicode_stay_as_they_came() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let payloads = [
        "{}",
        r#"{"z":1,"a":2,"m":{"y":[],"b":{}}}"#,
        r#"{"n":[1.0,1.00,1e3,1E+3,-0,-0.0,0.1e-7,123456789012345678901234567890,3.141592653589793238462643383]}"#,
        r#"{"s":"\u0041\/\n\t\"\\\ud83d\ude00 A/"}"#,
        r#"{"s":"žluťoučký 😀 日本語 \u2028","ключ":true}"#,
        r#"{"s":"two  spaces, a \t and a : in a string , stay"}"#,
        r#"{"twice":1,"twice":2,"null":null,"":false}"#,
    ];
    for (number, payload) in payloads.into_iter().enumerate() {
        assert_eq!(round_trip(&client, &format!("whdel_{number}"), payload).await, payload);
    }
}

#[tokio::test]
async fn white_space_outside_strings_goes() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let spaced = "{ \"a\" :\t[ 1 ,\r\n 2 ] ,\n \"b c\" : \" d \\\" , e \" }";
    assert_eq!(round_trip(&client, "whdel_1", spaced).await, r#"{"a":[1,2],"b c":" d \" , e "}"#);
}

#[tokio::test]
async fn a_payload_of_256_kib_comes_back_whole() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let frame = r#"{"s":""}"#.len();
    let payload = format!(r#"{{"s":"{}"}}"#, "x".repeat(256 * 1024 - frame));
    assert!(round_trip(&client, "whdel_1", &payload).await == payload, "it was changed");
}

#[tokio::test]
async fn a_payload_as_deep_as_the_bound_comes_back() {
    let (_ledger, _server, client) = serve_workspace("ws_1").await;
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(99), "]".repeat(99));
    assert!(round_trip(&client, "whdel_1", &deep).await == deep, "it was changed");
}
