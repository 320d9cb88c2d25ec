//! The idempotence window: what the newest events were, by workspace and id.
//!
//! Content is compared without `occurred_at`, which the ledger fills in where a sender gave none, so
//! that it differs each time the sender tries again. Where the sender did give it, it is compared too.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use ledger_event::{Position, Timestamp};

use crate::fingerprint::{Digest, Fingerprint};

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

/// The newest events, at most so many of them once [`Window::evict`] was called: each takes about 100 bytes.
pub(crate) struct Window {
    max_events: usize,
    by_key: HashMap<Digest, Seen, BuildHasherDefault<KeyHasher>>,
    /// Their keys by position, which rises by one each time.
    order: VecDeque<Digest>,
    /// The position after the last of them.
    next: Position,
}

/// Takes keys as they are: they are hashes already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are written as numbers of 128 bits")
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of the key is hash enough")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Window {
    pub(crate) fn new(max_events: usize) -> Self {
        Self { max_events, by_key: HashMap::default(), order: VecDeque::new(), next: Position::START }
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

    /// Adds an event, which stands right after the one that was added before.
    pub(crate) fn add(&mut self, fingerprint: &Fingerprint, position: Position) {
        let Fingerprint { key, content, occurred_at } = *fingerprint;
        debug_assert!(self.order.is_empty() || position == self.next, "{position} does not follow");
        self.by_key.insert(key, Seen { content, occurred_at, position });
        self.order.push_back(key);
        self.next = position.next();
    }

    /// Takes back the events that were added at `position` and after it. Their ids were new.
    pub(crate) fn take_back_from(&mut self, position: Position) {
        while self.next > position {
            let Some(key) = self.order.pop_back() else { return };
            self.by_key.remove(&key);
            self.next = Position::new(self.next.get() - 1);
        }
    }

    /// Forgets the oldest events beyond the bound.
    pub(crate) fn evict(&mut self) {
        while self.order.len() > self.max_events {
            let position = Position::new(self.next.get() - self.order.len() as u64);
            let Some(key) = self.order.pop_front() else { return };
            // A log opened with a larger window than it was written with can hold an id twice.
            if self.by_key.get(&key).is_some_and(|seen| seen.position == position) {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_event::EventEncoder;

    use super::*;
    use crate::conformance::numbered;

    fn fingerprint(number: u64) -> Fingerprint {
        Fingerprint::of(numbered(number).event, &mut EventEncoder::default())
    }

    fn position(number: u64) -> Position {
        Position::new(number)
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
