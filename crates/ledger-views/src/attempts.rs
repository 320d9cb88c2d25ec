//! The attempts of a delivery, by number.

use std::fmt;
use std::marker::PhantomData;

use ledger_event::{AttemptNumber, EventId};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::state::Attempt;

/// The attempts that events named, by number.
///
/// There are few, and they come in order: a sorted vector, found by bisection, takes a tenth of the memory of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempts<I = EventId>(Vec<(AttemptNumber, Attempt<I>)>);

impl<I> Default for Attempts<I> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<I> Attempts<I> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The attempt of that number.
    #[must_use]
    pub fn get(&self, number: AttemptNumber) -> Option<&Attempt<I>> {
        self.find(number).ok().map(|at| &self.0[at].1)
    }

    /// The attempt of that number, to be changed; a new one is empty.
    pub fn entry(&mut self, number: AttemptNumber) -> &mut Attempt<I> {
        let at = self.find(number).unwrap_or_else(|at| {
            self.0.insert(at, (number, Attempt::default()));
            at
        });
        &mut self.0[at].1
    }

    /// All of them by rising number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (AttemptNumber, &Attempt<I>)> {
        self.0.iter().map(|(number, attempt)| (*number, attempt))
    }

    /// The highest-numbered one.
    #[must_use]
    pub fn last(&self) -> Option<&Attempt<I>> {
        self.0.last().map(|(_, attempt)| attempt)
    }

    fn find(&self, number: AttemptNumber) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }
}

impl<I: Serialize> Serialize for Attempts<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, I: Deserialize<'de>> Deserialize<'de> for Attempts<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttemptsVisitor(PhantomData))
    }
}

struct AttemptsVisitor<I>(PhantomData<I>);

impl<'de, I: Deserialize<'de>> Visitor<'de> for AttemptsVisitor<I> {
    type Value = Attempts<I>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of attempts by rising number")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attempts<I>, A::Error> {
        let mut attempts: Vec<(AttemptNumber, Attempt<I>)> = Vec::with_capacity(map.size_hint().unwrap_or(0).min(16));
        while let Some((number, attempt)) = map.next_entry()? {
            if attempts.last().is_some_and(|(last, _)| *last >= number) {
                return Err(de::Error::custom("the numbers of attempts do not rise"));
            }
            attempts.push((number, attempt));
        }
        Ok(Attempts(attempts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_stand_by_number_in_whatever_order_they_come() {
        let number = |n| AttemptNumber::new(n).expect("it is one");
        let mut attempts = <Attempts>::default();
        for n in [3, 1, 7, 3] {
            attempts.entry(number(n));
        }
        assert_eq!(attempts.iter().map(|(number, _)| number.get()).collect::<Vec<_>>(), [1, 3, 7]);
        assert_eq!((attempts.get(number(7)), attempts.get(number(2))), (Some(&Attempt::default()), None));
        let bytes = rmp_serde::to_vec(&attempts).expect("it is plain");
        assert_eq!(rmp_serde::from_slice::<Attempts>(&bytes).expect("it was encoded"), attempts);
    }
}
