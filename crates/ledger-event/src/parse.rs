//! From a sender's bytes to a value.
//!
//! Good input is read once. Only when it is refused is it read again, with the path at hand, to name the field: so
//! good input pays nothing for the names.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use crate::field_error::{FieldError, field_error};

/// How deep MessagePack may be nested in all: a payload, what it stands in, and a little more.
const MSGPACK_MAX_DEPTH: usize = 128;

/// Why bytes could not be read as a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes are not what they are said to be.
    #[error("not {format}: {reason}")]
    Syntax {
        /// What they are said to be: `JSON` or `MessagePack`.
        format: &'static str,
        /// What the parser said; of JSON, with line and column.
        reason: String,
    },
    /// The bytes can be read, but a field is not what it must be.
    #[error(transparent)]
    Field(FieldError),
}

impl ParseError {
    /// The refusal of text that is not JSON.
    #[must_use]
    pub fn not_json(error: &serde_json::Error) -> Self {
        Self::Syntax { format: "JSON", reason: error.to_string() }
    }

    /// The refusal of bytes that are not MessagePack.
    pub fn not_msgpack(reason: impl Into<String>) -> Self {
        Self::Syntax { format: "MessagePack", reason: reason.into() }
    }
}

/// Reads a value from JSON text.
///
/// # Errors
///
/// When the text is not JSON, or a field is out of its bounds, missing or unknown.
pub fn parse_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, ParseError> {
    serde_json::from_slice(json).map_err(|error| {
        if !error.is_data() {
            return ParseError::not_json(&error);
        }
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
        explain::<T, _>(&mut serde_json::Deserializer::from_slice(json), text)
    })
}

/// Reads the value that MessagePack begins with, and moves on to what follows it.
///
/// # Errors
///
/// When the bytes are not MessagePack, or a field is out of its bounds, missing or unknown.
pub fn parse_msgpack<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, ParseError> {
    use rmp_serde::decode::Error;

    let mut again = *bytes;
    let error = match T::deserialize(&mut msgpack(bytes)) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut explain = |text: &str| explain::<T, _>(&mut msgpack(&mut again), text);
    Err(match error {
        Error::Syntax(text) => explain(&text),
        Error::Utf8Error(_) => explain("has a string that is not UTF-8: strings are UTF-8"),
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => ParseError::not_msgpack("it ends early"),
        Error::DepthLimitExceeded => {
            ParseError::not_msgpack(format!("it is nested more than {MSGPACK_MAX_DEPTH} deep"))
        }
        // What is left is the one marker that MessagePack reserves: our readers take any other value and say what
        // they expected.
        Error::TypeMismatch(_) | Error::OutOfRange | Error::LengthMismatch(_) | Error::Uncategorized(_) => {
            ParseError::not_msgpack("it has a byte that begins no value")
        }
    })
}

fn msgpack<'a, 'de>(
    bytes: &'a mut &'de [u8],
) -> rmp_serde::Deserializer<rmp_serde::decode::ReadReader<&'a mut &'de [u8]>> {
    let mut reader = rmp_serde::Deserializer::new(bytes);
    reader.set_max_depth(MSGPACK_MAX_DEPTH);
    reader
}

/// Reads again what was refused with that text, to name the field.
fn explain<'de, T: Deserialize<'de>, D: Deserializer<'de>>(again: D, text: &str) -> ParseError {
    let path = match serde_path_to_error::deserialize::<_, T>(again) {
        Ok(_) => String::new(),
        Err(error) => error.path().to_string(),
    };
    ParseError::Field(field_error(&path, text))
}
