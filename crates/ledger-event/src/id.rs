//! Ids: opaque text, 1–255 bytes without control characters, ordered bytewise.

use std::borrow::Borrow;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::ID_MAX_BYTES;

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has no bytes.
    #[error("is empty: an id is 1 to {ID_MAX_BYTES} bytes")]
    Empty,
    /// The text is longer than [`ID_MAX_BYTES`].
    #[error("is {bytes} bytes long: an id is 1 to {ID_MAX_BYTES} bytes")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The text has a control character.
    #[error("has a control character: an id has none")]
    ControlCharacter,
}

/// An id as JSON Schema can say it: it counts characters, where the bound is in bytes.
#[cfg(feature = "schema")]
const ID_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_MAX_BYTES {
        return Err(IdError::TooLong { bytes: text.len() });
    }
    // Nearly every id is ASCII, of which no character need be decoded.
    let has_control = if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    };
    if has_control { Err(IdError::ControlCharacter) } else { Ok(()) }
}

/// Builds an id from borrowed or owned text, without copying what is owned.
struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Box<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string of 1 to {ID_MAX_BYTES} bytes without control characters")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Box<str>, E> {
        check(text).map_err(E::custom)?;
        Ok(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Box<str>, E> {
        check(&text).map_err(E::custom)?;
        Ok(text.into_boxed_str())
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(
            #[cfg_attr(feature = "schema", schemars(length(min = 1, max = ID_MAX_BYTES), regex(pattern = ID_PATTERN)))]
            Box<str>,
        );

        impl $name {
            /// Parses text that came from outside.
            ///
            /// # Errors
            ///
            /// When it is empty, longer than [`ID_MAX_BYTES`], or has a control character.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_string(IdVisitor).map(Self)
            }
        }
    )+};
}

ids! {
    /// The tenant. Every other id is scoped to one.
    WorkspaceId,
    /// The configured receiver: `subscription_id` in one contract, `webhook_id` in the other.
    SubscriptionId,
    /// One source event for one subscription.
    DeliveryId,
    /// The producer's idempotency key of one event, within the workspace.
    EventId,
    /// What the sender's own event was, such as `contact.created`: bounded like an id.
    EventType,
    /// The id of the sender's own event, from which the deliveries were made.
    SourceEventId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_255_bytes_without_control_characters() {
        assert_eq!(EventId::parse(""), Err(IdError::Empty));
        assert!(EventId::parse(&"x".repeat(255)).is_ok());
        assert_eq!(EventId::parse(&"x".repeat(256)), Err(IdError::TooLong { bytes: 256 }));
        assert_eq!(EventId::parse("a\nb"), Err(IdError::ControlCharacter));
        assert_eq!(EventId::parse("a\u{85}b"), Err(IdError::ControlCharacter));
        assert!(EventId::parse("žluťoučký kůň").is_ok());
    }

    #[test]
    fn ids_order_bytewise() {
        let parse = |text| EventId::parse(text).expect("it is an id");
        assert!(parse("Z") < parse("a"));
        assert!(parse("a") < parse("ab"));
        assert!(parse("z") < parse("é"));
    }
}
