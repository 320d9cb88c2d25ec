//! The chain: a hash of each chunk that holds the hash of the one before.
//!
//! All hashes are BLAKE3. Integers are big-endian; whatever has no fixed length stands after its
//! length; each hash begins with a tag of its own, so that no input of one can be an input of another.
//!
//! ```text
//! salt(event, slot) = keyed(seed;  "hookledger salt 1\n"  event:u64  slot:u8)
//! digest(body)      = keyed(salt;  "hookledger body 1\n"  bytes)
//! leaf(event)       = hash("hookledger leaf 1\n"
//!                          skeleton_length:u64  skeleton
//!                          bodies:u64  then of each body by rising slot: slot:u8  digest:32)
//! hash(chunk)       = hash("hookledger chunk 1\n"
//!                          ledger_id:16  partition:u32  first_position:u64  count:u64
//!                          recorded_at:i64  previous:32  then the leaf of each event: 32)
//! ```
//!
//! `event` in a salt is the index of the event in its chunk, from 0; `recorded_at` is microseconds.
//! The seed is 32 random bytes of the chunk. A body can be erased and the chain still verifies: its
//! digest stays, and as its salt goes with it (the seed is dropped, the salts of the other bodies are
//! listed), a short body cannot be guessed from its digest. An event can be dropped whole: its leaf stays.

use blake3::Hasher;
use ledger_event::{Position, Timestamp};

use crate::event_log::ChainHash;
use crate::identity::LogIdentity;
use crate::packed::PackedEvent;

const SALT_TAG: &[u8] = b"hookledger salt 1\n";
const BODY_TAG: &[u8] = b"hookledger body 1\n";
const LEAF_TAG: &[u8] = b"hookledger leaf 1\n";
const CHUNK_TAG: &[u8] = b"hookledger chunk 1\n";

/// The random bytes of one chunk from which the salts of its bodies derive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkSeed(pub(crate) [u8; 32]);

impl ChunkSeed {
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(seed))
    }

    /// The salt of one body.
    fn salt(&self, event: u64, slot: u8) -> [u8; 32] {
        let mut input = [0; SALT_TAG.len() + 9];
        input[..SALT_TAG.len()].copy_from_slice(SALT_TAG);
        input[SALT_TAG.len()..SALT_TAG.len() + 8].copy_from_slice(&event.to_be_bytes());
        input[SALT_TAG.len() + 8] = slot;
        blake3::keyed_hash(&self.0, &input).into()
    }
}

/// What a chunk's hash covers beside its events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) first: Position,
    pub(crate) recorded_at: Timestamp,
    pub(crate) previous: ChainHash,
}

/// Hashes a chunk, event by event.
pub(crate) struct ChunkHasher {
    chunk: Hasher,
    seed: ChunkSeed,
    /// The index of the next event.
    next: u64,
    /// What is hashed: in one piece, which costs less than in several.
    input: Vec<u8>,
    leaf: Vec<u8>,
}

impl ChunkHasher {
    /// Begins the chunk of so many events.
    pub(crate) fn begin(identity: &LogIdentity, link: &Link, seed: &ChunkSeed, count: u64) -> Self {
        let mut chunk = Hasher::new();
        chunk
            .update(CHUNK_TAG)
            .update(&identity.to_bytes())
            .update(&link.first.get().to_be_bytes())
            .update(&count.to_be_bytes())
            .update(&link.recorded_at.as_micros().to_be_bytes())
            .update(&link.previous.0);
        Self { chunk, seed: *seed, next: 0, input: Vec::new(), leaf: Vec::new() }
    }

    /// Adds the next event.
    pub(crate) fn push(&mut self, event: &PackedEvent<'_, '_>) {
        self.leaf.clear();
        self.leaf.extend_from_slice(LEAF_TAG);
        self.leaf.extend_from_slice(&(event.skeleton.len() as u64).to_be_bytes());
        self.leaf.extend_from_slice(event.skeleton);
        self.leaf.extend_from_slice(&(event.bodies.len() as u64).to_be_bytes());
        for (slot, bytes) in event.bodies {
            let slot = *slot as u8;
            self.input.clear();
            self.input.extend_from_slice(BODY_TAG);
            self.input.extend_from_slice(bytes);
            let digest = blake3::keyed_hash(&self.seed.salt(self.next, slot), &self.input);
            self.leaf.push(slot);
            self.leaf.extend_from_slice(digest.as_bytes());
        }
        self.chunk.update(blake3::hash(&self.leaf).as_bytes());
        self.next += 1;
    }

    /// The hash of the chunk of all that were added.
    pub(crate) fn finish(self) -> ChainHash {
        ChainHash(self.chunk.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use ledger_event::{Body, BodySlot, StoredEvent};

    use super::*;
    use crate::identity::LedgerId;

    fn hash(identity: &LogIdentity, link: &Link, seed: &ChunkSeed, events: &[StoredEvent]) -> ChainHash {
        let mut hasher = ChunkHasher::begin(identity, link, seed, events.len() as u64);
        for event in events {
            let bodies: Vec<(BodySlot, &[u8])> = event.bodies.iter().map(|body| (body.slot, &body.bytes[..])).collect();
            hasher.push(&PackedEvent { skeleton: &event.skeleton, bodies: &bodies });
        }
        hasher.finish()
    }

    const SEED: ChunkSeed = ChunkSeed([7; 32]);
    const IDENTITY: LogIdentity = LogIdentity { ledger_id: LedgerId([1; 16]), partition: 0 };

    fn event(skeleton: &str, bodies: &[(BodySlot, &str)]) -> StoredEvent {
        let bodies = bodies.iter().map(|(slot, text)| Body { slot: *slot, bytes: text.as_bytes().to_vec() }).collect();
        StoredEvent { skeleton: skeleton.as_bytes().to_vec(), bodies }
    }

    fn link() -> Link {
        let recorded_at = Timestamp::from_micros(5).expect("it is a time");
        Link { first: Position::new(1), recorded_at, previous: ChainHash::START }
    }

    #[test]
    fn the_hash_of_a_chunk_never_changes_between_versions() {
        let events = [event("skeleton", &[(BodySlot::Payload, "{}"), (BodySlot::Url, "u")]), event("", &[])];
        let golden = "e06c475e28180afa67343c596e4e589c51663c7aefa34bc61c4eeaac63434b46";
        assert_eq!(hash(&IDENTITY, &link(), &SEED, &events).to_string(), golden);
    }

    #[test]
    fn the_hash_is_that_of_the_formula_above() {
        let event = event("skeleton", &[(BodySlot::Payload, "{}"), (BodySlot::Reason, "why")]);
        let digest = |slot: u8, body: &str| {
            let salt_of = [&b"hookledger salt 1\n"[..], &0_u64.to_be_bytes(), &[slot]].concat();
            let salt = blake3::keyed_hash(&SEED.0, &salt_of);
            *blake3::keyed_hash(salt.as_bytes(), format!("hookledger body 1\n{body}").as_bytes()).as_bytes()
        };
        let (payload, reason) = (digest(0, "{}"), digest(6, "why"));
        let skeleton = [&8_u64.to_be_bytes()[..], b"skeleton"].concat();
        let bodies = [&2_u64.to_be_bytes()[..], &[0], &payload, &[6], &reason].concat();
        let leaf = blake3::hash(&[&b"hookledger leaf 1\n"[..], &skeleton, &bodies].concat());
        let place = [&[1; 16][..], &0_u32.to_be_bytes(), &1_u64.to_be_bytes(), &1_u64.to_be_bytes()].concat();
        let rest = [&5_i64.to_be_bytes()[..], &[0; 32], leaf.as_bytes()].concat();
        let expected = blake3::hash(&[&b"hookledger chunk 1\n"[..], &place, &rest].concat());
        assert_eq!(hash(&IDENTITY, &link(), &SEED, &[event]).0, *expected.as_bytes());
    }

    #[test]
    fn whatever_differs_gives_another_hash() {
        let events = || vec![event("ab", &[(BodySlot::Url, "c")]), event("d", &[])];
        let base = hash(&IDENTITY, &link(), &SEED, &events());
        let other_ledger = LogIdentity { ledger_id: LedgerId([2; 16]), ..IDENTITY };
        let other_partition = LogIdentity { partition: 1, ..IDENTITY };
        let later = Timestamp::from_micros(6).expect("it is a time");
        let mut hashes = vec![
            base,
            hash(&other_ledger, &link(), &SEED, &events()),
            hash(&other_partition, &link(), &SEED, &events()),
            hash(&IDENTITY, &Link { first: Position::new(2), ..link() }, &SEED, &events()),
            hash(&IDENTITY, &Link { recorded_at: later, ..link() }, &SEED, &events()),
            hash(&IDENTITY, &Link { previous: ChainHash([1; 32]), ..link() }, &SEED, &events()),
            hash(&IDENTITY, &link(), &ChunkSeed([8; 32]), &events()),
        ];
        let altered = [
            vec![event("a", &[(BodySlot::Url, "bc")]), event("d", &[])],
            vec![event("ab", &[(BodySlot::Reason, "c")]), event("d", &[])],
            vec![event("ab", &[]), event("d", &[(BodySlot::Url, "c")])],
            vec![event("ab", &[(BodySlot::Url, "c")])],
            vec![event("d", &[]), event("ab", &[(BodySlot::Url, "c")])],
            vec![event("ab", &[(BodySlot::Url, "")]), event("d", &[])],
        ];
        hashes.extend(altered.iter().map(|events| hash(&IDENTITY, &link(), &SEED, events)));
        let distinct: std::collections::HashSet<[u8; 32]> = hashes.iter().map(|hash| hash.0).collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
