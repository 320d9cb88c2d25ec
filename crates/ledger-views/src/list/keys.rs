//! What a node's items are ordered by, in columns: many keys in three allocations.

use std::cmp::Ordering;

use crate::list::columns::{Reader, put_differences, put_len};

/// What stands between the ids of a name; no id has it.
const SEPARATOR: char = '\0';

/// A key: the order, then the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'a> {
    /// Microseconds, or a position.
    pub(crate) order: i64,
    /// The delivery id, a separator below all that ids hold, and the subscription id: so names compare as the two ids do.
    pub(crate) name: &'a str,
}

/// The name of an entry.
pub(crate) fn name(delivery_id: &str, subscription_id: &str) -> String {
    [delivery_id, "\0", subscription_id].concat()
}

/// The two ids of a name.
pub(crate) fn ids_of(name: &str) -> Option<(&str, &str)> {
    name.split_once(SEPARATOR)
}

/// Keys in rising order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keys {
    orders: Vec<i64>,
    /// Where each name ends.
    ends: Vec<u32>,
    names: String,
}

impl Keys {
    pub(crate) fn len(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn get(&self, at: usize) -> Key<'_> {
        Key { order: self.orders[at], name: &self.names[self.start(at)..self.end(at)] }
    }

    /// Where a key stands, or where it would. O(log n).
    pub(crate) fn search(&self, key: Key<'_>) -> Result<usize, usize> {
        // Few keys have the same order, and integers are compared more quickly than names.
        let mut low = self.orders.partition_point(|order| *order < key.order);
        let mut high = low + self.orders[low..].partition_point(|order| *order == key.order);
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).name.cmp(key.name) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Puts a key in. At the end it costs O(1), elsewhere all behind it moves.
    pub(crate) fn insert(&mut self, at: usize, key: Key<'_>) {
        let start = self.start(at);
        self.names.insert_str(start, key.name);
        self.orders.insert(at, key.order);
        self.ends.insert(at, offset(start));
        self.shift(at, |end| end + offset(key.name.len()));
    }

    pub(crate) fn remove(&mut self, at: usize) {
        let (start, end) = (self.start(at), self.end(at));
        self.names.replace_range(start..end, "");
        self.orders.remove(at);
        self.ends.remove(at);
        self.shift(at, |behind| behind - offset(end - start));
    }

    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let start = self.start(at);
        let orders = self.orders.split_off(at);
        let mut ends = self.ends.split_off(at);
        ends.iter_mut().for_each(|end| *end -= offset(start));
        Self { orders, ends, names: self.names.split_off(start) }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.orders.capacity() * size_of::<i64>() + self.ends.capacity() * size_of::<u32>() + self.names.capacity()
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        put_len(bytes, self.len());
        put_differences(bytes, self.orders.iter().copied());
        put_differences(bytes, self.ends.iter().map(|end| i64::from(*end)));
        put_len(bytes, self.names.len());
        bytes.extend_from_slice(self.names.as_bytes());
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let len = from.len()?;
        let orders = from.differences(len)?;
        let ends = from.differences(len)?.into_iter().map(|end| u32::try_from(end).ok()).collect::<Option<Vec<_>>>()?;
        let names_len = from.len()?;
        let names = String::from_utf8(from.bytes(names_len)?.to_vec()).ok()?;
        let keys = Self { orders, ends, names };
        let starts = keys.ends.iter().all(|end| keys.names.is_char_boundary(*end as usize));
        let is_whole = keys.ends.is_sorted() && keys.ends.last().map_or(0, |end| *end as usize) == keys.names.len();
        (starts && is_whole).then_some(keys)
    }

    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.end(before))
    }

    fn end(&self, at: usize) -> usize {
        self.ends[at] as usize
    }

    fn shift(&mut self, from: usize, shifted: impl Fn(u32) -> u32) {
        self.ends[from..].iter_mut().for_each(|end| *end = shifted(*end));
    }
}

fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a node holds some hundred short names")
}
