//! A list as a counted B+ tree: any rank is found, and any entry put in, taken out or marked anew, in O(log n).
//!
//! Leaves hold entries in rising order, inner nodes what is below each child, so the total is kept at the root and an
//! offset is a walk down one path. A change touches the nodes of one path. Entries that arrive in order fill their
//! leaves: a node that overflows at its end is split there, not in the middle.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::list::counts::CodeCounts;
use crate::list::inner::{INNER_MAX, Inner};
use crate::list::keys::Key;
use crate::list::leaf::{LEAF_MAX, Leaf};
use crate::list::marks::Marks;
use crate::list::node::Node;
use crate::place::Place;

/// The root of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListRoot {
    pub(crate) total: u64,
    node: Option<u32>,
    next_node: u32,
}

/// Where a list's nodes are read from.
pub(crate) trait Nodes {
    type Error;
    fn node(&mut self, number: u32) -> Result<Arc<Node>, Self::Error>;
}

/// Where a list's nodes are changed.
pub(crate) trait NodesMut: Nodes {
    fn node_mut(&mut self, number: u32) -> Result<&mut Node, Self::Error>;
    fn put(&mut self, number: u32, node: Node);
    fn remove(&mut self, number: u32);
    /// The same of a node that is part of the directory.
    fn inner_mut(&mut self, number: u32) -> Result<&mut Inner, Self::Error>;
}

/// An entry that is met on a walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Met<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) place: Place,
    pub(crate) marks: Marks,
}

/// What an insertion did below.
enum Inserted {
    /// The entry stands there already.
    Nothing,
    Entry,
    /// The node was split; this is its right half.
    Split(Node),
}

impl ListRoot {
    /// Puts an entry in; `false` when it stands there already.
    pub(crate) fn insert<N: NodesMut>(
        &mut self,
        nodes: &mut N,
        key: Key<'_>,
        place: Place,
        marks: Marks,
    ) -> Result<bool, N::Error> {
        let Some(root) = self.node else {
            let mut leaf = Leaf::default();
            leaf.insert(0, key, place, marks);
            self.node = Some(self.put_new(nodes, Node::Leaf(leaf)));
            self.total = 1;
            return Ok(true);
        };
        let inserted = self.insert_below(nodes, root, key, place, marks)?;
        if let Inserted::Nothing = inserted {
            return Ok(false);
        }
        self.total += 1;
        if let Inserted::Split(right) = inserted {
            let mut directory = Inner::default();
            let left = nodes.node(root)?;
            directory.insert(0, left.low(), root, left.total(), &left.counts());
            let (total, counts) = (right.total(), right.counts());
            let low = (right.low().order, right.low().name.to_owned());
            let number = self.put_new(nodes, right);
            directory.insert(1, Key { order: low.0, name: &low.1 }, number, total, &counts);
            self.node = Some(self.put_new(nodes, Node::Inner(directory)));
        }
        Ok(true)
    }

    fn insert_below<N: NodesMut>(
        &mut self,
        nodes: &mut N,
        number: u32,
        key: Key<'_>,
        place: Place,
        marks: Marks,
    ) -> Result<Inserted, N::Error> {
        let (at, child) = match nodes.node_mut(number)? {
            Node::Leaf(leaf) => {
                let Err(at) = leaf.keys.search(key) else { return Ok(Inserted::Nothing) };
                leaf.insert(at, key, place, marks);
                let is_full = leaf.len() > LEAF_MAX;
                let split = is_full.then(|| Node::Leaf(leaf.split_off(split_at(leaf.len(), at))));
                return Ok(split.map_or(Inserted::Entry, Inserted::Split));
            }
            Node::Inner(inner) => {
                let at = inner.child_of(key);
                inner.lower(at, key);
                (at, inner.nodes[at])
            }
        };
        let inserted = self.insert_below(nodes, child, key, place, marks)?;
        if let Inserted::Nothing = inserted {
            return Ok(inserted);
        }
        let directory = nodes.inner_mut(number)?;
        directory.totals[at] += 1;
        directory.counts.put_in(at, marks);
        let Inserted::Split(right) = inserted else { return Ok(Inserted::Entry) };
        let right_number = self.take_number();
        directory.split_child(at, right.low(), right_number, right.total(), &right.counts());
        let is_full = directory.len() > INNER_MAX;
        let split = is_full.then(|| Node::Inner(directory.split_off(split_at(directory.len(), at + 1))));
        nodes.put(right_number, right);
        Ok(split.map_or(Inserted::Entry, Inserted::Split))
    }

    /// Takes an entry out; `false` when it does not stand there.
    pub(crate) fn remove<N: NodesMut>(&mut self, nodes: &mut N, key: Key<'_>) -> Result<bool, N::Error> {
        let Some(root) = self.node else { return Ok(false) };
        let Some((_, left)) = remove_below(nodes, root, key)? else { return Ok(false) };
        self.total -= 1;
        self.node = (left > 0).then_some(root);
        while let Some(root) = self.node {
            match &*nodes.node(root)? {
                Node::Inner(inner) if inner.len() == 1 => {
                    self.node = Some(inner.nodes[0]);
                    nodes.remove(root);
                }
                Node::Inner(_) | Node::Leaf(_) => break,
            }
        }
        Ok(true)
    }

    /// Gives an entry other marks; `false` when it does not stand there.
    pub(crate) fn mark<N: NodesMut>(&self, nodes: &mut N, key: Key<'_>, marks: Marks) -> Result<bool, N::Error> {
        let Some(root) = self.node else { return Ok(false) };
        Ok(mark_below(nodes, root, key, marks)?.is_some())
    }

    /// Shows up to `limit` entries from the greatest down, after the `offset` greatest.
    pub(crate) fn newest<N: Nodes>(
        &self,
        nodes: &mut N,
        offset: u64,
        limit: usize,
        show: &mut impl FnMut(Met<'_>) -> Result<(), N::Error>,
    ) -> Result<(), N::Error> {
        let end = self.total.saturating_sub(offset);
        let start = end.saturating_sub(limit as u64);
        self.walk(nodes, start, end, true, show)
    }

    /// Shows up to `limit` entries from the smallest up, after the `offset` smallest.
    pub(crate) fn oldest<N: Nodes>(
        &self,
        nodes: &mut N,
        offset: u64,
        limit: usize,
        show: &mut impl FnMut(Met<'_>) -> Result<(), N::Error>,
    ) -> Result<(), N::Error> {
        let start = offset.min(self.total);
        self.walk(nodes, start, self.total.min(start.saturating_add(limit as u64)), false, show)
    }

    /// How many entries have which mark, by what the directory says.
    pub(crate) fn counts<N: Nodes>(&self, nodes: &mut N) -> Result<CodeCounts, N::Error> {
        self.node.map_or(Ok(CodeCounts::new()), |root| Ok(nodes.node(root)?.counts()))
    }

    fn walk<N: Nodes>(
        &self,
        nodes: &mut N,
        start: u64,
        end: u64,
        is_falling: bool,
        show: &mut impl FnMut(Met<'_>) -> Result<(), N::Error>,
    ) -> Result<(), N::Error> {
        match self.node {
            Some(root) if start < end => walk_below(nodes, root, start, end, is_falling, show),
            Some(_) | None => Ok(()),
        }
    }

    fn put_new<N: NodesMut>(&mut self, nodes: &mut N, node: Node) -> u32 {
        let number = self.take_number();
        nodes.put(number, node);
        number
    }

    fn take_number(&mut self) -> u32 {
        self.next_node += 1;
        self.next_node - 1
    }
}

/// Where a node that overflows is split: at its end if it grew there, else in the middle.
fn split_at(len: usize, grew_at: usize) -> usize {
    if grew_at + 1 == len { grew_at } else { len / 2 }
}

/// Takes an entry out below a node, and says its marks and how many are left there; `None` when it is not there.
fn remove_below<N: NodesMut>(nodes: &mut N, number: u32, key: Key<'_>) -> Result<Option<(Marks, u64)>, N::Error> {
    let (at, child) = match nodes.node_mut(number)? {
        Node::Leaf(leaf) => {
            let Ok(at) = leaf.keys.search(key) else { return Ok(None) };
            let marks = leaf.remove(at);
            let left = leaf.len() as u64;
            if left == 0 {
                nodes.remove(number);
            }
            return Ok(Some((marks, left)));
        }
        Node::Inner(inner) => {
            let at = inner.child_of(key);
            (at, inner.nodes[at])
        }
    };
    let Some((marks, left)) = remove_below(nodes, child, key)? else { return Ok(None) };
    let directory = nodes.inner_mut(number)?;
    directory.totals[at] = left;
    directory.counts.take_out(at, marks);
    if left == 0 {
        directory.remove(at);
    }
    let left = directory.total();
    if left == 0 {
        nodes.remove(number);
    }
    Ok(Some((marks, left)))
}

/// Gives an entry below a node other marks, and tells its old ones; `None` when it is not there.
fn mark_below<N: NodesMut>(nodes: &mut N, number: u32, key: Key<'_>, marks: Marks) -> Result<Option<Marks>, N::Error> {
    let (at, child) = match nodes.node_mut(number)? {
        Node::Leaf(leaf) => return Ok(leaf.keys.search(key).ok().map(|at| leaf.mark(at, marks))),
        Node::Inner(inner) => {
            let at = inner.child_of(key);
            (at, inner.nodes[at])
        }
    };
    let Some(old) = mark_below(nodes, child, key, marks)? else { return Ok(None) };
    nodes.inner_mut(number)?.counts.exchange(at, old, marks);
    Ok(Some(old))
}

/// Shows the entries of a node with ranks from `start` up to `end`, exclusive.
fn walk_below<N: Nodes>(
    nodes: &mut N,
    number: u32,
    start: u64,
    end: u64,
    is_falling: bool,
    show: &mut impl FnMut(Met<'_>) -> Result<(), N::Error>,
) -> Result<(), N::Error> {
    match &*nodes.node(number)? {
        Node::Leaf(leaf) => {
            let rank = |rank: u64| usize::try_from(rank).map_or(leaf.len(), |rank| rank.min(leaf.len()));
            let met = |at| Met { key: leaf.keys.get(at), place: leaf.place(at), marks: leaf.marks(at) };
            let mut ranks = rank(start)..rank(end);
            if is_falling {
                ranks.rev().try_for_each(|at| show(met(at)))
            } else {
                ranks.try_for_each(|at| show(met(at)))
            }
        }
        Node::Inner(inner) => {
            let mut parts = Vec::new();
            let mut before = 0;
            for (child, total) in inner.nodes.iter().zip(&inner.totals) {
                let after = before + total;
                if start < after && end > before {
                    parts.push((*child, start.saturating_sub(before), end - before));
                }
                before = after;
            }
            if is_falling {
                parts.reverse();
            }
            parts.into_iter().try_for_each(|(child, start, end)| walk_below(nodes, child, start, end, is_falling, show))
        }
    }
}

#[cfg(test)]
mod tests;
