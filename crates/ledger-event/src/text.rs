//! URLs and header maps, and where long text is cut.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{HEADERS_MAX_BYTES, HEADERS_MAX_COUNT, URL_MAX_BYTES};
use crate::strict::Text;

/// Cuts text to at most so many bytes, on a character boundary.
pub(crate) fn cut(text: &mut String, max_bytes: usize) {
    text.truncate(text.floor_char_boundary(max_bytes));
}

/// Why a text is no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is {bytes} bytes long: a URL is 1 to {URL_MAX_BYTES} bytes")]
pub struct UrlError {
    /// How long it is.
    pub bytes: usize,
}

/// Where an attempt was sent: kept as text, not interpreted, at most [`URL_MAX_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(description = "Where an attempt was sent: at most 2048 bytes, not interpreted.")
)]
pub struct Url(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = URL_MAX_BYTES)))] String);

impl Url {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// Parses text that came from outside.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than [`URL_MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::of(text.to_owned())
    }

    fn of(text: String) -> Result<Self, UrlError> {
        if text.is_empty() || text.len() > URL_MAX_BYTES {
            return Err(UrlError { bytes: text.len() });
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Text::deserialize(deserializer)?.0).map_err(de::Error::custom)
    }
}

/// The headers of a request or a response: names as sent, each once, ordered bytewise.
///
/// At most [`HEADERS_MAX_COUNT`] of them with [`HEADERS_MAX_BYTES`] in all. A header that came
/// several times is one, its values joined by `, ` (RFC 9110, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(
    description = "The headers of a request or a response: names as sent, each once, of 8192 bytes in all with their \
                   values. One that came several times has its values joined by `, `.",
    extend("maxProperties" = HEADERS_MAX_COUNT),
))]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The headers by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an object of at most {HEADERS_MAX_COUNT} headers, names and values strings of {HEADERS_MAX_BYTES} bytes in all"
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = BTreeMap::new();
        let mut bytes = 0;
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            bytes += name.len() + value.len();
            if bytes > HEADERS_MAX_BYTES {
                return Err(de::Error::custom(format!(
                    "is too large: headers have at most {HEADERS_MAX_BYTES} bytes in all"
                )));
            }
            if headers.insert(name, value).is_some() {
                return Err(de::Error::custom("names a header twice: each name may appear once"));
            }
            if headers.len() > HEADERS_MAX_COUNT {
                return Err(de::Error::custom(format!(
                    "is too large: it may have at most {HEADERS_MAX_COUNT} headers"
                )));
            }
        }
        Ok(Headers(headers))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_on_a_character_boundary() {
        let mut text = "aé€".to_owned();
        cut(&mut text, 5);
        assert_eq!(text, "aé");
        cut(&mut text, 2);
        assert_eq!(text, "a");
    }

    #[test]
    fn headers_are_bounded_in_count_and_bytes_and_named_once() {
        let refusal = |json: &str| serde_json::from_str::<Headers>(json).expect_err("it is refused").to_string();
        let many: BTreeMap<String, String> = (0..65).map(|n| (format!("h{n}"), String::new())).collect();
        assert!(refusal(&serde_json::to_string(&many).expect("it is JSON")).contains("at most 64 headers"));
        let large = BTreeMap::from([("h", "x".repeat(8192))]);
        assert!(refusal(&serde_json::to_string(&large).expect("it is JSON")).contains("at most 8192 bytes"));
        assert!(refusal(r#"{"a":"1","a":"2"}"#).contains("twice"));
        assert!(refusal(r#"{"a":1}"#).contains("expected a string"));
    }
}
