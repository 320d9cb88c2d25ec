//! A leaf of a list: consecutive entries, in columns.
//!
//! The marks stand as a byte per entry, not as a bitmap per value: an entry that is put in anywhere, or changes a mark,
//! costs one byte instead of a shift of every bitmap, values need not be few, and a scan of some hundred bytes is as
//! quick as an AND of a dozen words.

use crate::list::columns::{Reader, put_differences, put_len};
use crate::list::counts::{CodeCounts, count_in};
use crate::list::keys::{Key, Keys};
use crate::list::marks::Marks;
use crate::place::Place;

/// Most entries of a leaf.
pub(crate) const LEAF_MAX: usize = 256;

/// Consecutive entries of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) keys: Keys,
    places: Vec<Place>,
    marks: Vec<Marks>,
}

impl Leaf {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Where the delivery of an entry lies.
    pub(crate) fn place(&self, at: usize) -> Place {
        self.places[at]
    }

    pub(crate) fn marks(&self, at: usize) -> Marks {
        self.marks[at]
    }

    pub(crate) fn insert(&mut self, at: usize, key: Key<'_>, place: Place, marks: Marks) {
        self.keys.insert(at, key);
        self.places.insert(at, place);
        self.marks.insert(at, marks);
    }

    pub(crate) fn remove(&mut self, at: usize) -> Marks {
        self.keys.remove(at);
        self.places.remove(at);
        self.marks.remove(at)
    }

    /// Gives an entry other marks, and tells its old ones.
    pub(crate) fn mark(&mut self, at: usize, marks: Marks) -> Marks {
        std::mem::replace(&mut self.marks[at], marks)
    }

    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        Self { keys: self.keys.split_off(at), places: self.places.split_off(at), marks: self.marks.split_off(at) }
    }

    pub(crate) fn counts(&self) -> CodeCounts {
        let mut counts = CodeCounts::new();
        self.marks.iter().for_each(|marks| count_in(&mut counts, *marks));
        counts
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let rest = self.places.capacity() * size_of::<Place>() + self.marks.capacity() * size_of::<Marks>();
        self.keys.size_bytes() + rest
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        self.keys.encode(bytes);
        put_len(bytes, self.len());
        put_differences(bytes, self.places.iter().map(|place| place.number().cast_signed()));
        for column in
            [|marks: &Marks| marks.outcome, |marks: &Marks| marks.response_class, |marks: &Marks| marks.event_type]
        {
            bytes.extend(self.marks.iter().map(column));
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let keys = Keys::decode(from)?;
        let len = from.len()?;
        let places = from.differences(len)?.into_iter().map(|number| Place::of_number(number.cast_unsigned()));
        let places: Vec<_> = places.collect();
        let [outcomes, classes, types] = [from.bytes(len)?, from.bytes(len)?, from.bytes(len)?];
        let marks = outcomes.iter().zip(classes).zip(types);
        let marks = marks.map(|((outcome, response_class), event_type)| Marks {
            outcome: *outcome,
            response_class: *response_class,
            event_type: *event_type,
        });
        let leaf = Self { marks: marks.collect(), places, keys };
        (leaf.keys.len() == len).then_some(leaf)
    }
}
