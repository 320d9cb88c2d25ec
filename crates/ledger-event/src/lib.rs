//! The words of the ledger: ids, events, their codec and validation, positions.
//!
//! This crate does no I/O and reads no clock. What is out of bounds is refused while it is parsed
//! ([`parse_json`], [`parse_msgpack`], [`EventDraft`]); an [`Event`] that exists is right.
//!
//! - A sender's JSON, MessagePack or [`CloudEvent`] becomes an [`EventDraft`], is completed to an [`Event`], and is kept in the log
//!   as a [`StoredEvent`].
//! - A [`RecordedEvent`] is how reads and exports show it.
//! - Every bound is a constant in [`limits`].

mod cloud_event;
mod draft;
mod error_chain;
mod event;
mod field_error;
mod id;
mod json_text;
pub mod limits;
mod number;
mod parse;
mod position;
mod recorded_event;
#[cfg(feature = "schema")]
pub mod schema;
mod sent_payload;
mod stored;
mod strict;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod time;

pub use cloud_event::CloudEvent;
pub use draft::{CompletedEvent, Completion, EventDraft};
pub use error_chain::ErrorChain;
pub use event::{
    AttemptFailed, AttemptStarted, AttemptSucceeded, DeliveryCancelled, DeliveryDescription, DeliveryRetryScheduled,
    EmbeddedDelivery, Event, EventData, Kind,
};
pub use field_error::FieldError;
pub use id::{DeliveryId, EventId, EventType, IdError, SourceEventId, SubscriptionId, WorkspaceId};
pub use json_text::{JsonText, JsonTextError};
pub use number::{AttemptNumber, DurationMs, MaxAttempts, ResponseStatus};
pub use parse::{ParseError, parse_json, parse_msgpack};
pub use position::Position;
pub use recorded_event::RecordedEvent;
pub use stored::{Body, BodySlot, EncodedEvent, EventEncoder, StoredEvent, StoredEventError};
pub use text::{Headers, Url, UrlError};
pub use time::{Timestamp, TimestampError};
