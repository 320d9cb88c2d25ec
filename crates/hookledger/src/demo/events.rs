//! The events as a sender writes them: the JSON of `POST /v1/events`.
//!
//! A sender needs nothing of the ledger's code for this, so the demo uses none.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::clock::Moment;

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct Event<'a> {
    /// The idempotency key: made from what happened, so that a sender that tries again after a crash makes the
    /// same one, and the ledger keeps one event.
    pub(crate) id: String,
    /// The tenant.
    pub(crate) workspace_id: &'a str,
    /// The configured receiver.
    pub(crate) subscription_id: &'a str,
    /// The delivery it happened to.
    pub(crate) delivery_id: &'a str,
    /// When it happened; of a finished attempt, the finish.
    pub(crate) occurred_at: Moment,
    /// What happened.
    #[serde(flatten)]
    pub(crate) fact: Fact<'a>,
}

/// What happened: `kind` and `data`.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", content = "data")]
pub(crate) enum Fact<'a> {
    /// A delivery was made from a source event.
    #[serde(rename = "delivery.created")]
    DeliveryCreated(Description<'a>),
    /// An attempt was begun.
    #[serde(rename = "attempt.started")]
    AttemptStarted {
        /// Its number, from 1.
        attempt: u32,
        /// Where it is sent.
        url: &'a str,
        /// What it is sent with.
        request_headers: &'a Headers,
    },
    /// The receiver accepted it.
    #[serde(rename = "attempt.succeeded")]
    AttemptSucceeded(Finish<'a>),
    /// The receiver refused it, or did not answer.
    #[serde(rename = "attempt.failed")]
    AttemptFailed(Finish<'a>),
    /// Somebody asked for another attempt.
    #[serde(rename = "delivery.retry_scheduled")]
    DeliveryRetryScheduled {
        /// When it is due.
        next_attempt_at: Moment,
        /// Why.
        reason: &'a str,
    },
    /// The delivery was given up.
    #[serde(rename = "delivery.cancelled")]
    DeliveryCancelled {
        /// Why.
        reason: &'a str,
    },
}

/// Header names and values, each name once.
pub(crate) type Headers = BTreeMap<String, String>;

/// What a delivery is.
#[derive(Debug, Serialize)]
pub(crate) struct Description<'a> {
    /// When it was created: only inside an attempt's event, `delivery.created` has it as `occurred_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<Moment>,
    /// What the source event was, such as `contact.created`.
    pub(crate) event_type: &'a str,
    /// What is sent, byte for byte.
    pub(crate) payload: &'a RawValue,
    /// How many attempts there will be at most.
    pub(crate) max_attempts: u32,
    /// When the first attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_attempt_at: Option<Moment>,
    /// Where it is sent.
    pub(crate) url: &'a str,
    /// The event that it was made from.
    pub(crate) source_event_id: &'a str,
}

/// How an attempt ended.
#[derive(Debug, Serialize)]
pub(crate) struct Finish<'a> {
    /// Its number, from 1.
    pub(crate) attempt: u32,
    /// How long it took.
    pub(crate) duration_ms: u32,
    /// The status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_status: Option<u16>,
    /// The headers of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_headers: Option<&'a Headers>,
    /// The beginning of the body of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_body: Option<&'a str>,
    /// What went wrong; absent on success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    /// When the next attempt is due; absent when there will be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_attempt_at: Option<Moment>,
    /// What the delivery is, from a sender that records nothing but attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery: Option<Description<'a>>,
}

#[cfg(test)]
mod tests {
    use ledger_event::EventDraft;

    use super::*;
    use crate::demo::clock::Clock;

    #[test]
    fn an_event_is_written_as_the_ledger_reads_it_and_the_payload_as_it_is() {
        let clock = Clock::start(1);
        let payload: &RawValue = serde_json::from_str(r#"{"b":12.50,"a":1e400}"#).expect("it is JSON");
        let description = |created_at| Description {
            created_at,
            event_type: "a.b",
            payload,
            max_attempts: 3,
            next_attempt_at: Some(clock.now()),
            url: "http://localhost",
            source_event_id: "evt_1",
        };
        let finish = |delivery| Finish {
            attempt: 1,
            duration_ms: 2,
            response_status: Some(503),
            response_headers: None,
            response_body: Some("busy"),
            error: Some("HTTP 503"),
            next_attempt_at: None,
            delivery,
        };
        let facts = [
            Fact::DeliveryCreated(description(None)),
            Fact::AttemptFailed(finish(Some(description(Some(clock.now()))))),
            Fact::AttemptSucceeded(Finish { error: None, ..finish(None) }),
            Fact::AttemptStarted { attempt: 1, url: "http://localhost", request_headers: &Headers::new() },
            Fact::DeliveryRetryScheduled { next_attempt_at: clock.now(), reason: "r" },
            Fact::DeliveryCancelled { reason: "r" },
        ];
        for (number, fact) in facts.into_iter().enumerate() {
            let event = Event {
                id: "id".to_owned(),
                workspace_id: "ws",
                subscription_id: "sub",
                delivery_id: "del",
                occurred_at: clock.now(),
                fact,
            };
            let json = serde_json::to_string(&event).expect("it is JSON");
            serde_json::from_str::<EventDraft>(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
            assert_eq!(json.contains(payload.get()), number < 2, "{json}");
        }
    }
}
