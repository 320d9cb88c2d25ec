//! Events as an application hands them to its table.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, SystemTime};

use ledger_event::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

/// An event, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Created(Created),
    Ended(Ended),
}

/// A new row.
#[derive(Clone, Debug)]
pub(crate) struct Created {
    pub(super) id: String,
    pub(super) workspace_id: String,
    pub(super) subscription_id: String,
    pub(super) event_type: String,
    pub(super) payload: String,
    pub(super) max_attempts: i32,
    pub(super) created_at: SystemTime,
}

/// What an attempt changes in its delivery's row.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(super) id: String,
    pub(super) attempts: i32,
    pub(super) status: &'static str,
    pub(super) next_attempt_at: Option<SystemTime>,
    pub(super) last_attempt_at: SystemTime,
    pub(super) delivered_at: Option<SystemTime>,
    pub(super) response_status: i32,
    pub(super) response_body: String,
    pub(super) error: Option<String>,
}

impl Event {
    /// Reads a generated event.
    pub(super) fn parse(line: &str) -> Self {
        let event: Value = serde_json::from_str(line).expect("it is JSON");
        let (data, at) = (&event["data"], moment(&event["occurred_at"]));
        let id = text(&event["delivery_id"]);
        if event["kind"] == "delivery.created" {
            return Self::Created(Created {
                id,
                workspace_id: text(&event["workspace_id"]),
                subscription_id: text(&event["subscription_id"]),
                event_type: text(&data["event_type"]),
                payload: payload(line),
                max_attempts: number(&data["max_attempts"]),
                created_at: at,
            });
        }
        let has_succeeded = event["kind"] == "attempt.succeeded";
        let next_attempt_at = data.get("next_attempt_at").map(moment);
        Self::Ended(Ended {
            id,
            attempts: 1,
            status: match (has_succeeded, next_attempt_at) {
                (true, _) => "delivered",
                (false, Some(_)) => "pending",
                (false, None) => "failed",
            },
            next_attempt_at,
            last_attempt_at: at,
            delivered_at: has_succeeded.then_some(at),
            response_status: number(&data["response_status"]),
            response_body: text(&data["response_body"]),
            error: data.get("error").map(text),
        })
    }

    /// Which of so many connections sends it: the events of a delivery go over one, in their order.
    pub(super) fn share(&self, connections: usize) -> usize {
        let (Self::Created(Created { id, .. }) | Self::Ended(Ended { id, .. })) = self;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(id);
        usize::try_from(hash % connections as u64).expect("it is an index")
    }
}

/// The payload as it stands in the line.
fn payload(line: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        payload: &'a RawValue,
    }
    let line: Line<'_> = serde_json::from_str(line).expect("it is an event");
    line.data.payload.get().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is text").to_owned()
}

fn number(value: &Value) -> i32 {
    value.as_i64().and_then(|number| i32::try_from(number).ok()).expect("it is a small number")
}

fn moment(value: &Value) -> SystemTime {
    let at = Timestamp::parse(value.as_str().expect("it is text")).expect("it is a time");
    SystemTime::UNIX_EPOCH + Duration::from_micros(at.as_micros().unsigned_abs())
}
