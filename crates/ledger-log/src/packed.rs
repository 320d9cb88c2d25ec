//! Events as they lie in a chunk: one after the other, in one buffer.
//!
//! ```text
//! event = { "e": [ skeleton: bin, [ [slot: u8, body: bin], ... ] ] }        (MessagePack)
//! ```
//!
//! A sender's thread packs its events, and from there on they are bytes: to be hashed, joined and compressed, with no
//! memory of their own. The forms of MessagePack are the shortest ones, as `rmp_serde` writes them.

use ledger_event::{Body, BodySlot, EncodedEvent, StoredEvent};
use rmp::{decode, encode};

use crate::event_log::BoxError;

/// What each event begins with: a map of one, the name of the form, an array of two.
const EVENT_START: [u8; 4] = [0x81, 0xa1, b'e', 0x92];

/// What each body begins with: an array of two.
const BODY_START: u8 = 0x92;

/// Packs an event behind others.
pub(crate) fn pack(event: EncodedEvent<'_>, packed: &mut Vec<u8>) {
    packed.extend_from_slice(&EVENT_START);
    write_bytes(packed, event.skeleton);
    let bodies = u32::try_from(event.bodies.len()).expect("there are nine slots");
    encode::write_array_len(packed, bodies).expect("memory takes it");
    for body in event.bodies {
        packed.extend_from_slice(&[BODY_START, body.slot as u8]);
        write_bytes(packed, &body.bytes);
    }
}

fn write_bytes(packed: &mut Vec<u8>, bytes: &[u8]) {
    encode::write_bin(packed, bytes).expect("memory takes it");
}

/// An event that is looked at where it lies.
#[derive(Debug)]
pub(crate) struct PackedEvent<'a, 'b> {
    pub(crate) skeleton: &'a [u8],
    /// By rising slot.
    pub(crate) bodies: &'b [(BodySlot, &'a [u8])],
}

impl PackedEvent<'_, '_> {
    /// A copy that stands for itself.
    pub(crate) fn to_stored(&self) -> StoredEvent {
        let bodies = self.bodies.iter().map(|(slot, bytes)| Body { slot: *slot, bytes: bytes.to_vec() });
        StoredEvent { skeleton: self.skeleton.to_vec(), bodies: bodies.collect() }
    }
}

/// Looks at packed events, one after the other.
#[derive(Debug)]
pub(crate) struct Unpacker<'a> {
    rest: &'a [u8],
    bodies: Vec<(BodySlot, &'a [u8])>,
}

impl<'a> Unpacker<'a> {
    pub(crate) fn new(packed: &'a [u8]) -> Self {
        Self { rest: packed, bodies: Vec::new() }
    }

    /// The next event; `None` when there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes. Those that [`pack`] wrote are right.
    pub(crate) fn next(&mut self) -> Option<Result<PackedEvent<'a, '_>, BoxError>> {
        (!self.rest.is_empty()).then(|| self.unpack())
    }

    fn unpack(&mut self) -> Result<PackedEvent<'a, '_>, BoxError> {
        let rest = self.rest.strip_prefix(&EVENT_START).ok_or("an event is of a form that is not known")?;
        self.rest = rest;
        let skeleton = read_bytes(&mut self.rest)?;
        self.bodies.clear();
        for _ in 0..decode::read_array_len(&mut self.rest)? {
            self.rest = self.rest.strip_prefix(&[BODY_START]).ok_or("a body is not a slot and bytes")?;
            let number = decode::read_int(&mut self.rest)?;
            let slot = BodySlot::of(number).ok_or_else(|| format!("a body has the slot {number}"))?;
            if self.bodies.last().is_some_and(|(before, _)| *before >= slot) {
                return Err("the bodies of an event are not in order".into());
            }
            self.bodies.push((slot, read_bytes(&mut self.rest)?));
        }
        Ok(PackedEvent { skeleton, bodies: &self.bodies })
    }
}

/// Reads bytes of MessagePack, and moves on to what follows them.
pub(crate) fn read_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], BoxError> {
    let length = usize::try_from(decode::read_bin_len(rest)?)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or("it ends early")?;
    *rest = after;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use ledger_event::{EventEncoder, testing};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packed_events_read_back_and_are_what_serde_writes(history in testing::history(20)) {
            let (mut packed, mut by_serde) = (Vec::new(), Vec::new());
            let mut encoder = EventEncoder::default();
            for event in &history {
                pack(encoder.encode(event.clone()), &mut packed);
                let StoredEvent { skeleton, bodies } = StoredEvent::encode(event.clone());
                let bodies: Vec<_> =
                    bodies.into_iter().map(|body| (body.slot as u8, serde_bytes::ByteBuf::from(body.bytes))).collect();
                let entry = std::collections::BTreeMap::from([("e", (serde_bytes::ByteBuf::from(skeleton), bodies))]);
                rmp_serde::encode::write_named(&mut by_serde, &entry).expect("memory takes it");
            }
            prop_assert_eq!(&packed, &by_serde);
            let mut unpacker = Unpacker::new(&packed);
            for event in history {
                let read = unpacker.next().expect("there is one for each").expect("it was just packed");
                prop_assert_eq!(read.to_stored(), StoredEvent::encode(event));
            }
            prop_assert!(unpacker.next().is_none());
        }
    }
}
