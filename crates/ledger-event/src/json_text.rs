//! A JSON object kept as the text that came.

use std::fmt;

use serde::de::{self, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::limits::{PAYLOAD_MAX_BYTES, PAYLOAD_MAX_DEPTH};

/// A JSON object as text: number forms, key order and escapes as they came, white space outside
/// strings removed, at most [`PAYLOAD_MAX_BYTES`].
///
/// In JSON it is the object itself, in our own MessagePack (log and views) a string of JSON text; what a
/// sender's MessagePack holds is another form, which only a draft reads. It is never parsed into a tree,
/// so nothing of it can be lost on the way.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(
        rename = "Payload",
        description = "A JSON object, as it was sent: number forms, key order and escapes are not touched.",
        with = "serde_json::Map<String, serde_json::Value>",
    )
)]
pub struct JsonText(Box<str>);

/// Why a text is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonTextError {
    /// The text is not JSON.
    #[error("is not JSON: {reason}")]
    NotJson {
        /// What the parser said.
        reason: String,
    },
    /// The text is JSON, but not an object.
    #[error("is not a JSON object")]
    NotAnObject,
    /// The text is nested deeper than [`PAYLOAD_MAX_DEPTH`].
    #[error("is nested {depth} deep: a payload is nested at most {PAYLOAD_MAX_DEPTH} deep")]
    TooDeep {
        /// How deep it is.
        depth: usize,
    },
    /// A string holds half of a character.
    #[error("has an escape of half a character: surrogates such as \\ud83d come in pairs")]
    LoneSurrogate,
    /// The text is longer than [`PAYLOAD_MAX_BYTES`].
    #[error("is {bytes} bytes of JSON: a payload is at most {PAYLOAD_MAX_BYTES} bytes")]
    TooLong {
        /// How long it is without white space.
        bytes: usize,
    },
}

/// The name by which `serde_json` knows text that is JSON already.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl JsonText {
    /// Parses text that came from outside.
    ///
    /// # Errors
    ///
    /// When it is not JSON, not an object, or longer than [`PAYLOAD_MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, JsonTextError> {
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|error| JsonTextError::NotJson { reason: error.to_string() })?;
        Self::of_valid(raw.get())
    }

    /// The object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of a payload that was kept: it was parsed when it came, and is not parsed again.
    #[must_use]
    pub fn of_stored(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    pub(crate) fn into_string(self) -> String {
        self.0.into_string()
    }

    /// JSON text that we wrote ourselves within the bounds of a payload: an object without white space.
    pub(crate) fn of_written(text: String) -> Self {
        debug_assert!(text.starts_with('{') && text.len() <= PAYLOAD_MAX_BYTES, "it is a payload");
        Self(text.into_boxed_str())
    }

    fn of_valid(text: &str) -> Result<Self, JsonTextError> {
        if !text.starts_with('{') {
            return Err(JsonTextError::NotAnObject);
        }
        let (text, depth) = without_white_space(text);
        if depth > PAYLOAD_MAX_DEPTH {
            return Err(JsonTextError::TooDeep { depth });
        }
        if has_lone_surrogate(&text) {
            return Err(JsonTextError::LoneSurrogate);
        }
        if text.len() > PAYLOAD_MAX_BYTES {
            return Err(JsonTextError::TooLong { bytes: text.len() });
        }
        Ok(Self(text.into_boxed_str()))
    }
}

/// Removes white space outside strings from valid JSON, and says how deep it is nested.
fn without_white_space(json: &str) -> (String, usize) {
    let mut kept = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    let mut run_start = 0;
    let (mut depth, mut deepest) = (0_usize, 0);
    for (at, byte) in json.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte == b'"' {
            in_string = true;
        } else if matches!(byte, b'{' | b'[') {
            depth += 1;
            deepest = deepest.max(depth);
        } else if matches!(byte, b'}' | b']') {
            depth -= 1;
        } else if byte.is_ascii_whitespace() {
            kept.push_str(&json[run_start..at]);
            run_start = at + 1;
        }
    }
    kept.push_str(&json[run_start..]);
    (kept, deepest)
}

/// Whether a string of valid JSON escapes half of a character, which is no Unicode and breaks those who read it.
fn has_lone_surrogate(json: &str) -> bool {
    let mut rest = json;
    let mut high = false;
    while let Some(at) = rest.find('\\') {
        let adjacent = at == 0;
        let (escape, after) = rest[at + 1..].split_at(1);
        let unit = (escape == "u").then(|| u16::from_str_radix(&after[..4], 16).unwrap_or(0));
        let is_low = unit.is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
        if high != (is_low && adjacent) || (is_low && !high) {
            return true;
        }
        high = unit.is_some_and(|unit| (0xd800..0xdc00).contains(&unit));
        rest = if unit.is_some() { &after[4..] } else { after };
    }
    high
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.0);
        }
        // What `RawValue` does, which can only be made by parsing the text once more: that would take half the time of a page.
        let mut raw = serializer.serialize_struct(RAW_VALUE, 1)?;
        raw.serialize_field(RAW_VALUE, &self.0)?;
        raw.end()
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = JsonText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of JSON text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<JsonText, E> {
        JsonText::parse(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return deserializer.deserialize_str(TextVisitor);
        }
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::of_valid(raw.get()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keys_order_and_unicode_stay_as_they_came() {
        let text = "{ \"b\" : 1.0e+2,\n \"a\":\t[1, 12345678901234567890123, \"\\u00e9 \\\" { \\\\\" ] }";
        let kept = JsonText::parse(text).expect("it is an object");
        assert_eq!(kept.as_str(), "{\"b\":1.0e+2,\"a\":[1,12345678901234567890123,\"\\u00e9 \\\" { \\\\\"]}");
    }

    #[test]
    fn json_text_is_written_as_the_json_it_is() {
        let text = r#"{"b":1.0e+2,"a":["\u00e9"]}"#;
        let kept = JsonText::of_stored(text);
        assert_eq!(serde_json::to_string(&kept).expect("it is JSON"), text);
        assert_eq!(serde_json::to_value([&kept]).expect("it is JSON").to_string(), r#"[{"a":["é"],"b":100.0}]"#);
    }

    #[test]
    fn what_is_no_object_or_too_long_is_refused() {
        assert_eq!(JsonText::parse("[1]"), Err(JsonTextError::NotAnObject));
        assert!(matches!(JsonText::parse("{\"a\":}"), Err(JsonTextError::NotJson { .. })));
        let filler = "x".repeat(PAYLOAD_MAX_BYTES - "{\"a\":\"\"}".len());
        assert!(JsonText::parse(&format!("{{\"a\": \"{filler}\"}}")).is_ok());
        assert_eq!(
            JsonText::parse(&format!("{{\"a\":\"{filler}x\"}}")),
            Err(JsonTextError::TooLong { bytes: PAYLOAD_MAX_BYTES + 1 })
        );
    }

    #[test]
    fn a_payload_that_readers_could_not_parse_is_refused() {
        let nested = |depth: usize| format!("{}1{}", "{\"[\":".repeat(depth), "}".repeat(depth));
        assert!(JsonText::parse(&nested(PAYLOAD_MAX_DEPTH)).is_ok());
        let too_deep = Err(JsonTextError::TooDeep { depth: PAYLOAD_MAX_DEPTH + 1 });
        assert_eq!(JsonText::parse(&nested(PAYLOAD_MAX_DEPTH + 1)), too_deep);
    }

    #[test]
    fn half_a_character_is_refused_and_a_whole_one_is_not() {
        let refused = |text: &str| JsonText::parse(text) == Err(JsonTextError::LoneSurrogate);
        for text in [
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":"\ud83dx\ude00"}"#,
            r#"{"a":"\ud83d\n"}"#,
            r#"{"a":"\ud83d\ud83d\ude00"}"#,
            r#"{"a":"\ude00\ud83d"}"#,
            r#"{"a":"\ud83d","b":"\ude00"}"#,
        ] {
            assert!(refused(text), "{text}");
        }
        for text in
            [r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"\\ud800"}"#, r#"{"a":"\u00e9\uD83D\uDE00\uffff"}"#, r#"{"a":"\\"}"#]
        {
            assert!(JsonText::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn it_is_an_object_in_json_and_a_string_in_messagepack() {
        let text = JsonText::parse(r#"{"n": 1e400}"#).expect("it is an object");
        assert_eq!(serde_json::to_string(&text).expect("it is JSON"), r#"{"n":1e400}"#);
        let packed = rmp_serde::to_vec_named(&text).expect("it is MessagePack");
        assert_eq!(rmp_serde::from_slice::<String>(&packed).expect("it is a string"), r#"{"n":1e400}"#);
        assert_eq!(rmp_serde::from_slice::<JsonText>(&packed).expect("it reads back"), text);
    }
}
