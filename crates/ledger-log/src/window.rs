//! The idempotence window: what the newest events were, by workspace and id.
//!
//! Content is compared without `occurred_at`, which the ledger fills in where a sender gave none, so
//! that it differs each time the sender tries again. Where the sender did give it, it is compared too.

use std::collections::VecDeque;

use hashbrown::HashTable;
use ledger_event::Position;

use crate::fingerprint::{Digest, Fingerprint};

/// Most events of any window: they are told apart by the lower half of their positions.
const MAX_EVENTS: usize = 1 << 30;

/// How many more events there is memory for when there is none left, at least: otherwise an eighth more.
const GROW_EVENTS: usize = 4096;

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

/// The newest events, at most so many of them once [`Window::evict`] was called: each takes 53 bytes, measured.
pub(crate) struct Window {
    max_events: usize,
    /// By position, which rises by one each time.
    events: VecDeque<Fingerprint>,
    /// The position after the last of them.
    next: Position,
    /// Where each is, by the hash of its key.
    places: HashTable<Place>,
}

/// The lower half of a position.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(u32);

impl Place {
    #[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
    fn of(position: Position) -> Self {
        Self(position.get() as u32)
    }
}

/// Keys are hashes already, and a half is hash enough.
fn hash_of(key: Digest) -> u64 {
    key[0]
}

/// The event at that place, of those that end before `next`.
fn at(events: &VecDeque<Fingerprint>, next: Position, place: Place) -> &Fingerprint {
    let behind = Place::of(next).0.wrapping_sub(place.0) as usize;
    &events[events.len() - behind]
}

impl Window {
    pub(crate) fn new(max_events: usize) -> Self {
        let max_events = max_events.min(MAX_EVENTS);
        Self { max_events, events: VecDeque::new(), next: Position::START, places: HashTable::new() }
    }

    /// How many events it may keep.
    pub(crate) fn max_events(&self) -> usize {
        self.max_events
    }

    pub(crate) fn standing(&self, fingerprint: &Fingerprint, occurred_at_given: bool) -> Standing {
        let is_it = |place: &Place| at(&self.events, self.next, *place).key == fingerprint.key;
        let Some(place) = self.places.find(hash_of(fingerprint.key), is_it) else { return Standing::New };
        let seen = at(&self.events, self.next, *place);
        let same_time = !occurred_at_given || seen.occurred_at == fingerprint.occurred_at;
        if same_time && seen.content == fingerprint.content {
            let behind = Place::of(self.next).0.wrapping_sub(place.0);
            Standing::Duplicate(Position::new(self.next.get() - u64::from(behind)))
        } else {
            Standing::Reused
        }
    }

    /// Adds an event, which stands right after the one that was added before.
    pub(crate) fn add(&mut self, fingerprint: &Fingerprint, position: Position) {
        debug_assert!(self.events.is_empty() || position == self.next, "{position} does not follow");
        if self.events.len() == self.events.capacity() {
            self.events.reserve_exact(GROW_EVENTS.max(self.events.len() / 8));
        }
        self.events.push_back(*fingerprint);
        self.next = position.next();
        let Self { events, next, places, .. } = self;
        let (hash, place) = (hash_of(fingerprint.key), Place::of(position));
        match places.find_mut(hash, |place| at(events, *next, *place).key == fingerprint.key) {
            // A log opened with a larger window than it was written with can hold an id twice.
            Some(earlier) => *earlier = place,
            None => drop(places.insert_unique(hash, place, |place| hash_of(at(events, *next, *place).key))),
        }
    }

    /// Takes back the events that were added at `position` and after it. Their ids were new.
    pub(crate) fn take_back_from(&mut self, position: Position) {
        while self.next > position {
            let Some(event) = self.events.pop_back() else { return };
            self.next = Position::new(self.next.get() - 1);
            self.forget(event.key, self.next);
        }
    }

    /// Forgets the oldest events beyond the bound.
    pub(crate) fn evict(&mut self) {
        while self.events.len() > self.max_events {
            let position = Position::new(self.next.get() - self.events.len() as u64);
            let Some(event) = self.events.pop_front() else { return };
            self.forget(event.key, position);
        }
    }

    /// Forgets where the event at `position` was, unless its id stands at a later place too.
    fn forget(&mut self, key: Digest, position: Position) {
        if let Ok(place) = self.places.find_entry(hash_of(key), |place| *place == Place::of(position)) {
            place.remove();
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
    fn every_event_of_the_window_is_found_and_none_before_it() {
        const MAX: usize = 3;
        // Positions whose lower halves begin anew on the way, and more events than there is memory for at first.
        for start in [1, u64::from(u32::MAX) - 5, 3 * u64::from(u32::MAX)] {
            let mut window = Window::new(MAX);
            for number in 0..10_000 {
                window.add(&fingerprint(number), position(start + number));
                if number % 5_000 < 10 {
                    window.evict();
                    let oldest = (number + 1).saturating_sub(MAX as u64);
                    for before in number.saturating_sub(6)..oldest {
                        assert_eq!(window.standing(&fingerprint(before), true), Standing::New);
                    }
                    for kept in oldest..=number {
                        let standing = Standing::Duplicate(position(start + kept));
                        assert_eq!(window.standing(&fingerprint(kept), true), standing);
                    }
                }
            }
        }
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
