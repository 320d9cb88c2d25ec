//! One HTTP try of a delivery: signed, sent, measured.

use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::Utc;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Client;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::events::Headers;
use crate::client::cause;

/// The most bytes of an answer's body that are kept. The rest is not read.
const RESPONSE_BODY_MAX_BYTES: usize = 1024;

/// The most headers of a request or an answer that the ledger takes, and the most bytes of their names and values.
const HEADERS_MAX_COUNT: usize = 64;
const HEADERS_MAX_BYTES: usize = 8 * 1024;

/// How a try ended.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// From before the connection until the end of the answer.
    pub(crate) duration_ms: u32,
    /// The answer, or why there is none.
    pub(crate) answer: Result<Answer, String>,
}

/// What the receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// The beginning of its body.
    pub(crate) body: String,
}

/// The headers of a request by Standard Webhooks: what it is, when it was sent, and who sent it.
///
/// The id stays the same however often a message is tried, so that the receiver can tell that it has it already.
pub(crate) fn signed(webhook: &Webhook, webhook_id: &str, body: &str) -> anyhow::Result<HeaderMap> {
    let timestamp = Utc::now().timestamp();
    let signature = webhook.sign(webhook_id, timestamp, body.as_bytes()).context("cannot sign")?;
    let value = |text: &str| HeaderValue::from_str(text).with_context(|| format!("{text:?} is no header value"));
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static("Hookledger-Demo/1.0")),
        (HeaderName::from_static(HEADER_WEBHOOK_ID), value(webhook_id)?),
        (HeaderName::from_static(HEADER_WEBHOOK_TIMESTAMP), value(&timestamp.to_string())?),
        (HeaderName::from_static(HEADER_WEBHOOK_SIGNATURE), value(&signature)?),
    ]))
}

/// Sends one request, and measures it whatever comes of it.
pub(crate) async fn send(client: &Client, url: &str, headers: HeaderMap, body: String, timeout: Duration) -> Exchange {
    let started = Instant::now();
    let request = client.post(url).headers(headers).body(body).timeout(timeout).send();
    let answer = match request.await {
        Ok(response) => read(response).await,
        Err(error) => Err(error),
    };
    let duration_ms = (started.elapsed().as_micros() + 500) / 1000;
    let answer = answer.map_err(|error| match error.is_timeout() {
        true => format!("no answer within {} ms", timeout.as_millis()),
        false => format!("the request failed: {}", cause(&error)),
    });
    Exchange { duration_ms: u32::try_from(duration_ms).unwrap_or(u32::MAX), answer }
}

async fn read(mut response: reqwest::Response) -> reqwest::Result<Answer> {
    let mut bytes = Vec::new();
    // A character more, so that none is read half and kept.
    while bytes.len() < RESPONSE_BODY_MAX_BYTES + char::MAX.len_utf8() {
        let Some(chunk) = response.chunk().await? else { break };
        bytes.extend_from_slice(&chunk);
    }
    let mut body = String::from_utf8_lossy(&bytes).into_owned();
    body.truncate(body.floor_char_boundary(RESPONSE_BODY_MAX_BYTES));
    Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
}

/// Headers as the ledger takes them: each name once, several values joined (RFC 9110, section 5.2), and no more than it
/// keeps, so that a receiver which sends very many does not get the event refused.
pub(crate) fn recordable(headers: &HeaderMap) -> Headers {
    let mut record = Headers::new();
    let mut bytes = 0;
    for name in headers.keys().take(HEADERS_MAX_COUNT) {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let value = values.join(", ");
        bytes += name.as_str().len() + value.len();
        if bytes > HEADERS_MAX_BYTES {
            break;
        }
        record.insert(name.to_string(), value);
    }
    record
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::demo::clock::Clock;
    use crate::demo::plan::{Behaviour, Plan, Subscription};
    use crate::demo::receiver::{Received, Receiver};

    const BODY: &str = r#"{"name":"Žofie","amount":12.50}"#;

    /// A receiver, one of its subscriptions, and its signer.
    async fn receiver(behaviour: Behaviour) -> (Receiver, Subscription, Webhook) {
        let plan = Plan::new("run", 1, 0);
        let clock = Arc::new(Clock::start(100));
        let receiver = Receiver::start(&plan.subscriptions, clock).await.expect("127.0.0.1 has a free port");
        let subscription = plan.subscriptions.into_iter().find(|subscription| subscription.behaviour == behaviour);
        let subscription = subscription.expect("every behaviour has a subscription");
        let webhook = Webhook::from_bytes(subscription.secret.clone()).expect("it is a secret");
        (receiver, subscription, webhook)
    }

    async fn status(receiver: &Receiver, subscription: &Subscription, headers: HeaderMap, body: &str) -> u16 {
        let url = receiver.url(subscription).expect("it has an address");
        let timeout = Duration::from_secs(30);
        send(&Client::new(), &url, headers, body.to_owned(), timeout).await.answer.expect("it answers").status
    }

    #[tokio::test]
    async fn a_signed_request_is_accepted_and_a_tampered_or_unsigned_one_refused() {
        let (receiver, subscription, webhook) = receiver(Behaviour::Fast).await;
        let headers = signed(&webhook, "whdel_1", BODY).expect("it can be signed");
        assert_eq!(status(&receiver, &subscription, headers.clone(), BODY).await, 200);
        let tampered = BODY.replace("12.50", "99.50");
        assert_eq!(status(&receiver, &subscription, headers.clone(), &tampered).await, 401);
        let mut other_id = headers;
        other_id.insert(HEADER_WEBHOOK_ID, HeaderValue::from_static("whdel_2"));
        assert_eq!(status(&receiver, &subscription, other_id, BODY).await, 401);
        assert_eq!(status(&receiver, &subscription, HeaderMap::new(), BODY).await, 401);
        assert_eq!(receiver.received(&subscription), Received { verified: 1, forged: 3 });
    }

    #[tokio::test]
    async fn a_signature_of_another_subscription_is_refused() {
        let (receiver, subscription, _) = receiver(Behaviour::Fast).await;
        let stranger = Webhook::from_bytes(vec![1; 32]).expect("it is a secret");
        let headers = signed(&stranger, "whdel_1", BODY).expect("it can be signed");
        assert_eq!(status(&receiver, &subscription, headers, BODY).await, 401);
    }

    #[tokio::test]
    async fn no_answer_and_no_listener_are_told_apart() {
        let (receiver, silent, webhook) = receiver(Behaviour::Silent).await;
        let headers = signed(&webhook, "whdel_1", BODY).expect("it can be signed");
        let url = receiver.url(&silent).expect("it has an address");
        let exchange = send(&Client::new(), &url, headers, BODY.to_owned(), Duration::from_millis(50)).await;
        assert_eq!(exchange.answer, Err("no answer within 50 ms".to_owned()));
        assert!(exchange.duration_ms >= 50);

        let refused = Subscription { behaviour: Behaviour::Refused, ..silent };
        let url = receiver.url(&refused).expect("it has an address");
        let exchange = send(&Client::new(), &url, HeaderMap::new(), String::new(), Duration::from_secs(30)).await;
        let error = exchange.answer.expect_err("nobody listens");
        assert!(error.to_lowercase().contains("refused"), "{error}");
    }

    #[test]
    fn a_header_that_came_twice_is_recorded_as_one() {
        let mut headers = HeaderMap::new();
        headers.append("via", HeaderValue::from_static("a"));
        headers.append("via", HeaderValue::from_static("b"));
        assert_eq!(recordable(&headers), Headers::from([("via".to_owned(), "a, b".to_owned())]));
    }

    #[test]
    fn no_more_headers_are_recorded_than_the_ledger_takes() {
        let name = |number: usize| HeaderName::try_from(format!("x-{number}")).expect("it is a header name");
        let headers =
            |count, value: &HeaderValue| HeaderMap::from_iter((0..count).map(|number| (name(number), value.clone())));
        assert_eq!(recordable(&headers(100, &HeaderValue::from_static(""))).len(), HEADERS_MAX_COUNT);
        let value = HeaderValue::try_from("v".repeat(200)).expect("it is a header value");
        let long = recordable(&headers(60, &value));
        assert!(long.len() < 60 && !long.is_empty(), "{}", long.len());
        let json = serde_json::to_string(&long).expect("it is JSON");
        serde_json::from_str::<ledger_event::Headers>(&json).expect("the ledger takes them");
    }
}
