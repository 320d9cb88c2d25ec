//! The idempotence window: what the newest events were, by workspace and id.
//!
//! Content is compared without `occurred_at`, which the ledger fills in where a sender gave none, so
//! that it differs each time the sender tries again. Where the sender did give it, it is compared too.

use std::collections::{HashMap, VecDeque};

use blake3::Hasher;
use ledger_event::{Event, Position, Timestamp};

/// 128 bits of BLAKE3: no two of them meet by accident, nor by anybody's effort worth making.
type Digest = [u8; 16];

/// What tells an event apart from others, and from others of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of workspace and id.
    key: Digest,
    /// Of everything but `occurred_at`.
    content: Digest,
    occurred_at: Timestamp,
}

/// Makes fingerprints.
#[derive(Default)]
pub(crate) struct Fingerprints {
    scratch: Vec<u8>,
}

impl Fingerprints {
    /// The fingerprint of an event, by this version's encoding: so it is never stored, but made again
    /// from the decoded events when a log is opened.
    pub(crate) fn of(&mut self, event: &mut Event) -> Fingerprint {
        let nowhen = Timestamp::from_micros(0).expect("1970 is within the bounds");
        let occurred_at = std::mem::replace(&mut event.occurred_at, nowhen);
        self.scratch.clear();
        rmp_serde::encode::write_named(&mut self.scratch, event)
            .expect("an event is plain maps, text and integers, and memory takes any bytes");
        event.occurred_at = occurred_at;
        let content = digest(&Hasher::new().update(&self.scratch).finalize());
        let workspace = event.workspace_id.as_str();
        let key = Hasher::new()
            .update(&(workspace.len() as u64).to_be_bytes())
            .update(workspace.as_bytes())
            .update(event.id.as_str().as_bytes())
            .finalize();
        Fingerprint { key: digest(&key), content, occurred_at }
    }
}

fn digest(hash: &blake3::Hash) -> Digest {
    hash.as_bytes()[..16].try_into().expect("a BLAKE3 hash is 32 bytes")
}

/// How an event stands to those in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its id is not there.
    New,
    /// It is there, at that position.
    Duplicate(Position),
    /// Its id is there, with other content.
    Reused,
}

#[derive(Clone, Copy)]
struct Seen {
    content: Digest,
    occurred_at: Timestamp,
    position: Position,
}

/// The newest events, at most so many of them once [`Window::evict`] was called.
pub(crate) struct Window {
    max_events: usize,
    by_key: HashMap<Digest, Seen>,
    /// Keys by rising position.
    order: VecDeque<(Digest, Position)>,
}

impl Window {
    pub(crate) fn new(max_events: usize) -> Self {
        Self { max_events, by_key: HashMap::new(), order: VecDeque::new() }
    }

    /// How many events it may keep.
    pub(crate) fn max_events(&self) -> usize {
        self.max_events
    }

    pub(crate) fn standing(&self, fingerprint: &Fingerprint, occurred_at_given: bool) -> Standing {
        let Some(seen) = self.by_key.get(&fingerprint.key) else { return Standing::New };
        let same_time = !occurred_at_given || seen.occurred_at == fingerprint.occurred_at;
        if same_time && seen.content == fingerprint.content {
            Standing::Duplicate(seen.position)
        } else {
            Standing::Reused
        }
    }

    /// Adds an event that stands after all others.
    pub(crate) fn add(&mut self, fingerprint: &Fingerprint, position: Position) {
        let Fingerprint { key, content, occurred_at } = *fingerprint;
        self.by_key.insert(key, Seen { content, occurred_at, position });
        self.order.push_back((key, position));
    }

    /// Takes back the events that were added at `position` and after it. Their ids were new.
    pub(crate) fn take_back_from(&mut self, position: Position) {
        while let Some((key, _)) = self.order.pop_back_if(|(_, at)| *at >= position) {
            self.by_key.remove(&key);
        }
    }

    /// Forgets the oldest events beyond the bound.
    pub(crate) fn evict(&mut self) {
        while self.order.len() > self.max_events {
            let Some((key, position)) = self.order.pop_front() else { return };
            // A log opened with a larger window than it was written with can hold an id twice.
            if self.by_key.get(&key).is_some_and(|seen| seen.position == position) {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::numbered;

    fn fingerprint(number: u64) -> Fingerprint {
        Fingerprints::default().of(&mut numbered(number).event)
    }

    fn position(number: u64) -> Position {
        Position::new(number)
    }

    #[test]
    fn making_a_fingerprint_leaves_the_event_as_it_was() {
        let mut event = numbered(3).event;
        Fingerprints::default().of(&mut event);
        assert_eq!(event, numbered(3).event);
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut window = Window::new(1);
        for number in 1..=4 {
            window.add(&fingerprint(number), position(number));
        }
        window.take_back_from(position(3));
        let standings = [1, 2, 3, 4].map(|number| window.standing(&fingerprint(number), true));
        let (first, second) = (Standing::Duplicate(position(1)), Standing::Duplicate(position(2)));
        assert_eq!(
            standings,
            [first, second, Standing::New, Standing::New],
            "nothing is evicted before a chunk is sealed"
        );
    }

    #[test]
    fn an_id_that_stands_twice_in_a_larger_window_is_known_by_its_later_place() {
        let mut window = Window::new(2);
        for (number, at) in [(1, 1), (2, 2), (1, 3)] {
            window.add(&fingerprint(number), position(at));
        }
        window.evict();
        assert_eq!(window.standing(&fingerprint(1), true), Standing::Duplicate(position(3)));
        assert_eq!(window.standing(&fingerprint(2), true), Standing::Duplicate(position(2)));
    }
}
