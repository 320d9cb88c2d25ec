//! A payload as a sender gives it.
//!
//! In JSON that is the object, whose text is kept as it came. In MessagePack it is a map, which is written as JSON
//! text while it is read. A string of JSON text, as our own MessagePack holds it, is refused here: an application
//! that packs its payload twice would otherwise never learn of it.
//!
//! Integers are written in full, and floating-point numbers as the shortest text that reads back to the same 64
//! bits; one of 32 bits is widened first, which is exact. What JSON cannot hold is refused.

use std::fmt;
use std::io;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::json_text::{JsonText, JsonTextError};
use crate::limits::{PAYLOAD_MAX_BYTES, PAYLOAD_MAX_DEPTH};

/// A payload as a sender gives it: an object in JSON, a map in MessagePack.
#[derive(Debug)]
pub(crate) struct SentPayload(JsonText);

impl SentPayload {
    pub(crate) fn into_text(self) -> JsonText {
        self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de> Deserialize<'de> for SentPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return JsonText::deserialize(deserializer).map(Self);
        }
        deserializer.deserialize_map(PayloadVisitor).map(Self)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = JsonText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JsonText, A::Error> {
        let mut json = BoundedJson::default();
        ValueWriter { json: &mut json, separator: "", depth: 0 }.visit_map(map)?;
        json.finish().map_err(de::Error::custom)
    }
}

/// JSON text that is counted to its end, and kept as far as a payload may be long.
#[derive(Default)]
struct BoundedJson {
    kept: Vec<u8>,
    bytes: usize,
}

impl BoundedJson {
    fn put(&mut self, text: &str) {
        self.put_bytes(text.as_bytes());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        if self.bytes <= PAYLOAD_MAX_BYTES {
            self.kept.extend_from_slice(bytes);
        }
    }

    fn put_value(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(self, value).expect("text and finite numbers can be written to memory");
    }

    fn finish(self) -> Result<JsonText, JsonTextError> {
        if self.bytes > PAYLOAD_MAX_BYTES {
            return Err(JsonTextError::TooLong { bytes: self.bytes });
        }
        Ok(JsonText::of_written(String::from_utf8(self.kept).expect("serde_json writes UTF-8")))
    }
}

impl io::Write for BoundedJson {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the value that it is read with.
struct ValueWriter<'a> {
    json: &'a mut BoundedJson,
    /// What goes before it.
    separator: &'static str,
    /// How many maps and arrays it stands in.
    depth: usize,
}

impl ValueWriter<'_> {
    /// The depth inside a map or an array, if a payload may be so deep.
    fn deeper<E: de::Error>(&self) -> Result<usize, E> {
        let depth = self.depth + 1;
        if depth > PAYLOAD_MAX_DEPTH { Err(E::custom(JsonTextError::TooDeep { depth })) } else { Ok(depth) }
    }
}

impl<'de> DeserializeSeed<'de> for ValueWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.json.put(self.separator);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what JSON can hold")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.json.put("null");
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.json.put(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.json.put_value(&number);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.json.put_value(&number);
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        if !number.is_finite() {
            return Err(E::custom("has a number that is not finite: JSON has no NaN and no Infinity"));
        }
        self.json.put_value(&number);
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.json.put_value(text);
        Ok(())
    }

    fn visit_bytes<E: de::Error>(self, _bytes: &[u8]) -> Result<(), E> {
        Err(E::custom("has binary data: a payload has only what JSON has"))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _extension: D) -> Result<(), D::Error> {
        Err(de::Error::custom("has an extension type: a payload has only what JSON has"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        self.json.put("[");
        let mut separator = "";
        while seq.next_element_seed(ValueWriter { json: &mut *self.json, separator, depth })?.is_some() {
            separator = ",";
        }
        self.json.put("]");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        self.json.put("{");
        let mut separator = "";
        while map.next_key_seed(KeyWriter { json: &mut *self.json, separator })?.is_some() {
            map.next_value_seed(ValueWriter { json: &mut *self.json, separator: ":", depth })?;
            separator = ",";
        }
        self.json.put("}");
        Ok(())
    }
}

/// Writes the key that it is read with.
struct KeyWriter<'a> {
    json: &'a mut BoundedJson,
    separator: &'static str,
}

impl<'de> DeserializeSeed<'de> for KeyWriter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyWriter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map whose keys are strings")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<(), E> {
        self.json.put(self.separator);
        self.json.put_value(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
