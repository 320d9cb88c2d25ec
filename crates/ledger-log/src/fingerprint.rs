//! What tells an event apart from others, and from others of its id, in a few bytes.
//!
//! Fingerprints live in the memory of one process and are made again from the log when it is opened. So they may be
//! of this version's encoding, and of a keyed hash whose key nobody else knows: SipHash-1-3 of 128 bits, which no
//! sender can make collide on purpose, and which costs a fraction of a hash that had to last.

use std::hash::Hasher;
use std::sync::LazyLock;

use ledger_event::{EncodedEvent, Event, EventEncoder, Timestamp};
use siphasher::sip128::{Hasher128, SipHasher13};

/// 128 bits: no two of them meet by accident.
pub(crate) type Digest = [u64; 2];

static KEY: LazyLock<[u8; 16]> = LazyLock::new(|| {
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("the machine has randomness");
    key
});

/// What tells an event apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of workspace and id.
    pub(crate) key: Digest,
    /// Of everything but `occurred_at`.
    pub(crate) content: Digest,
    pub(crate) occurred_at: Timestamp,
}

/// What is known of an event before it is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    key: Digest,
    occurred_at: Timestamp,
}

impl Marks {
    pub(crate) fn of(event: &Event) -> Self {
        let key = digest(|hasher| {
            write_piece(hasher, event.workspace_id.as_str().as_bytes());
            write_piece(hasher, event.id.as_str().as_bytes());
        });
        Self { key, occurred_at: event.occurred_at }
    }

    /// The fingerprint of the event, encoded.
    pub(crate) fn with_content(self, encoded: &EncodedEvent<'_>) -> Fingerprint {
        let content = digest(|hasher| {
            let (before, after) = encoded.skeleton_without_time();
            write_piece(hasher, before);
            write_piece(hasher, after);
            for body in encoded.bodies {
                hasher.write_u8(body.slot as u8);
                write_piece(hasher, &body.bytes);
            }
        });
        Fingerprint { key: self.key, content, occurred_at: self.occurred_at }
    }
}

impl Fingerprint {
    /// The fingerprint of an event.
    pub(crate) fn of(event: Event, encoder: &mut EventEncoder) -> Self {
        Marks::of(&event).with_content(&encoder.encode(event))
    }
}

fn digest(write: impl FnOnce(&mut SipHasher13)) -> Digest {
    let mut hasher = SipHasher13::new_with_key(&KEY);
    write(&mut hasher);
    hasher.finish128().as_u64().into()
}

/// Hashes bytes of any length so that the next ones cannot be taken for theirs.
fn write_piece(hasher: &mut SipHasher13, bytes: &[u8]) {
    hasher.write_usize(bytes.len());
    hasher.write(bytes);
}

#[cfg(test)]
mod tests {
    use ledger_event::testing;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_content_is_all_of_the_event_but_its_time(event in testing::event(), other in testing::event()) {
            let mut encoder = EventEncoder::default();
            let fingerprint = Fingerprint::of(event.clone(), &mut encoder);
            let moved = Fingerprint::of(Event { occurred_at: other.occurred_at, ..event.clone() }, &mut encoder);
            prop_assert_eq!((moved.key, moved.content), (fingerprint.key, fingerprint.content));
            let changed = Fingerprint::of(Event { data: other.data.clone(), ..event.clone() }, &mut encoder);
            prop_assert_eq!(changed.content == fingerprint.content, other.data == event.data);
        }
    }

    #[test]
    fn a_workspace_and_an_id_are_not_taken_for_others_that_read_the_same() {
        let key = |workspace: &[u8], id: &[u8]| {
            digest(|hasher| {
                write_piece(hasher, workspace);
                write_piece(hasher, id);
            })
        };
        assert_ne!(key(b"ab", b"c"), key(b"a", b"bc"));
    }
}
