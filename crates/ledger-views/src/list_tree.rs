//! A list as a counted B+ tree: any rank is found, and any entry put in or taken out, in O(log n).
//!
//! Leaves hold entries in rising order, inner nodes the count of each child, so the total is the sum at
//! the root and an offset is a walk down one path. A change touches the nodes of one path. Entries that
//! arrive in order fill their leaves: a node that overflows at its end is split there, not in the middle.

use serde::{Deserialize, Serialize};

use crate::list::ListEntry;

/// Most entries of a leaf: at ids of the greatest length a leaf stays below the size at which rows are split.
const LEAF_MAX: usize = 128;
/// Most children of an inner node.
const INNER_MAX: usize = 128;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Node {
    Leaf(Vec<ListEntry>),
    Inner(Vec<Child>),
}

/// A child of an inner node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Child {
    /// Not greater than any entry below.
    low: ListEntry,
    node: u64,
    count: u64,
}

/// The root of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListRoot {
    pub(crate) total: u64,
    node: Option<u64>,
    next_node: u64,
}

/// Where a list's nodes are read from.
pub(crate) trait Nodes {
    type Error;
    fn node(&mut self, number: u64) -> Result<Node, Self::Error>;
}

/// Where a list's changed nodes are put.
pub(crate) trait NodesMut: Nodes {
    fn put(&mut self, number: u64, node: Node);
    fn remove(&mut self, number: u64);
}

/// What an insertion did below.
struct Inserted {
    is_new: bool,
    /// The right half, when the node was split.
    split: Option<Child>,
}

impl ListRoot {
    /// Puts an entry in; `false` when it stands there already.
    pub(crate) fn insert<N: NodesMut>(&mut self, nodes: &mut N, entry: ListEntry) -> Result<bool, N::Error> {
        let Some(root) = self.node else {
            let number = self.take_number();
            nodes.put(number, Node::Leaf(vec![entry]));
            self.node = Some(number);
            self.total = 1;
            return Ok(true);
        };
        let inserted = self.insert_below(nodes, root, entry)?;
        if !inserted.is_new {
            return Ok(false);
        }
        self.total += 1;
        if let Some(right) = inserted.split {
            let left = Child { low: nodes.node(root)?.low(), node: root, count: self.total - right.count };
            let number = self.take_number();
            nodes.put(number, Node::Inner(vec![left, right]));
            self.node = Some(number);
        }
        Ok(true)
    }

    fn insert_below<N: NodesMut>(
        &mut self,
        nodes: &mut N,
        number: u64,
        entry: ListEntry,
    ) -> Result<Inserted, N::Error> {
        let (node, right) = match nodes.node(number)? {
            Node::Leaf(mut entries) => {
                let Err(at) = entries.binary_search(&entry) else {
                    return Ok(Inserted { is_new: false, split: None });
                };
                entries.insert(at, entry);
                let right = split_off(&mut entries, LEAF_MAX, at).map(Node::Leaf);
                (Node::Leaf(entries), right)
            }
            Node::Inner(mut children) => {
                let at = child_of(&children, &entry);
                if entry < children[at].low {
                    children[at].low = entry.clone();
                }
                let inserted = self.insert_below(nodes, children[at].node, entry)?;
                if !inserted.is_new {
                    return Ok(inserted);
                }
                children[at].count += 1;
                let mut changed = at;
                if let Some(right) = inserted.split {
                    children[at].count -= right.count;
                    children.insert(at + 1, right);
                    changed = at + 1;
                }
                let right = split_off(&mut children, INNER_MAX, changed).map(Node::Inner);
                (Node::Inner(children), right)
            }
        };
        nodes.put(number, node);
        let split = right.map(|right| {
            let child = Child { low: right.low(), node: self.take_number(), count: right.count() };
            nodes.put(child.node, right);
            child
        });
        Ok(Inserted { is_new: true, split })
    }

    /// Takes an entry out; `false` when it does not stand there.
    pub(crate) fn remove<N: NodesMut>(&mut self, nodes: &mut N, entry: &ListEntry) -> Result<bool, N::Error> {
        let Some(root) = self.node else { return Ok(false) };
        let Some(left) = remove_below(nodes, root, entry)? else { return Ok(false) };
        self.total -= 1;
        self.node = (left > 0).then_some(root);
        while let Some(root) = self.node {
            match nodes.node(root)? {
                Node::Inner(children) if children.len() == 1 => {
                    nodes.remove(root);
                    self.node = Some(children[0].node);
                }
                Node::Inner(_) | Node::Leaf(_) => break,
            }
        }
        Ok(true)
    }

    /// Up to `limit` entries from the greatest down, after the `offset` greatest.
    pub(crate) fn newest<N: Nodes>(
        &self,
        nodes: &mut N,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<ListEntry>, N::Error> {
        let end = self.total.saturating_sub(offset);
        let start = end.saturating_sub(limit as u64);
        self.ascending(nodes, start, end).map(|mut entries| {
            entries.reverse();
            entries
        })
    }

    /// Up to `limit` entries from the smallest up, after the `offset` smallest.
    pub(crate) fn oldest<N: Nodes>(
        &self,
        nodes: &mut N,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<ListEntry>, N::Error> {
        let start = offset.min(self.total);
        self.ascending(nodes, start, self.total.min(start.saturating_add(limit as u64)))
    }

    /// The entries of the ranks from `start` to before `end`, rising.
    fn ascending<N: Nodes>(&self, nodes: &mut N, start: u64, end: u64) -> Result<Vec<ListEntry>, N::Error> {
        let mut found = Vec::new();
        if let Some(root) = self.node
            && start < end
        {
            collect(nodes, root, start, end, &mut found)?;
        }
        Ok(found)
    }

    fn take_number(&mut self) -> u64 {
        self.next_node += 1;
        self.next_node
    }
}

impl Node {
    fn low(&self) -> ListEntry {
        match self {
            Node::Leaf(entries) => entries[0].clone(),
            Node::Inner(children) => children[0].low.clone(),
        }
    }

    fn count(&self) -> u64 {
        match self {
            Node::Leaf(entries) => entries.len() as u64,
            Node::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }
}

/// The child whose range an entry falls in: the last one that is not above it, else the first.
fn child_of(children: &[Child], entry: &ListEntry) -> usize {
    children.partition_point(|child| child.low <= *entry).saturating_sub(1)
}

/// Splits a node that overflows: at its end if it grew there, else in the middle.
fn split_off<T>(items: &mut Vec<T>, max: usize, grew_at: usize) -> Option<Vec<T>> {
    if items.len() <= max {
        return None;
    }
    let at = if grew_at + 1 == items.len() { grew_at } else { items.len() / 2 };
    Some(items.split_off(at))
}

/// Takes an entry out below a node and says how many are left there; `None` when it is not there.
fn remove_below<N: NodesMut>(nodes: &mut N, number: u64, entry: &ListEntry) -> Result<Option<u64>, N::Error> {
    let node = match nodes.node(number)? {
        Node::Leaf(mut entries) => {
            let Ok(at) = entries.binary_search(entry) else { return Ok(None) };
            entries.remove(at);
            Node::Leaf(entries)
        }
        Node::Inner(mut children) => {
            let at = child_of(&children, entry);
            let Some(left) = remove_below(nodes, children[at].node, entry)? else { return Ok(None) };
            children[at].count = left;
            if left == 0 {
                children.remove(at);
            }
            Node::Inner(children)
        }
    };
    let left = node.count();
    if left == 0 {
        nodes.remove(number)
    } else {
        nodes.put(number, node)
    }
    Ok(Some(left))
}

fn collect<N: Nodes>(
    nodes: &mut N,
    number: u64,
    start: u64,
    end: u64,
    found: &mut Vec<ListEntry>,
) -> Result<(), N::Error> {
    match nodes.node(number)? {
        Node::Leaf(entries) => {
            let rank = |rank: u64| usize::try_from(rank).map_or(entries.len(), |rank| rank.min(entries.len()));
            found.extend_from_slice(&entries[rank(start)..rank(end)]);
        }
        Node::Inner(children) => {
            let mut before = 0;
            for child in children {
                let after = before + child.count;
                if start < after && end > before {
                    collect(nodes, child.node, start.saturating_sub(before), end - before, found)?;
                }
                before = after;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};
    use std::convert::Infallible;

    use ledger_event::{DeliveryId, SubscriptionId};
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct InMemory(HashMap<u64, Node>);

    impl Nodes for InMemory {
        type Error = Infallible;

        fn node(&mut self, number: u64) -> Result<Node, Infallible> {
            Ok(self.0[&number].clone())
        }
    }

    impl NodesMut for InMemory {
        fn put(&mut self, number: u64, node: Node) {
            self.0.insert(number, node);
        }

        fn remove(&mut self, number: u64) {
            self.0.remove(&number);
        }
    }

    fn entry(order: i64) -> ListEntry {
        ListEntry {
            order,
            delivery_id: DeliveryId::parse("d").expect("it is an id"),
            subscription_id: SubscriptionId::parse("s").expect("it is an id"),
        }
    }

    /// Changes to a list: mostly rising insertions, as in life, with some anywhere and some removals.
    fn changes() -> impl Strategy<Value = Vec<(bool, i64)>> {
        let insertions = prop_oneof![(0..4000_i64), (0..40_i64)];
        let change =
            prop_oneof![8 => insertions.clone().prop_map(|n| (true, n)), 3 => insertions.prop_map(|n| (false, n))];
        (0..3000_usize, prop::collection::vec(change, 0..1500)).prop_map(|(rising, mut anywhere)| {
            let mut all: Vec<_> = (0..rising).map(|n| (true, n as i64)).collect();
            all.append(&mut anywhere);
            all
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_list_is_a_sorted_set_with_ranks(changes in changes(), offset in 0..5000_u64, limit in 1..300_usize) {
            let (mut root, mut nodes, mut model) = (ListRoot::default(), InMemory::default(), BTreeSet::new());
            for (is_insertion, order) in changes {
                if is_insertion {
                    prop_assert_eq!(root.insert(&mut nodes, entry(order)), Ok(model.insert(order)));
                } else {
                    prop_assert_eq!(root.remove(&mut nodes, &entry(order)), Ok(model.remove(&order)));
                }
            }
            prop_assert_eq!(root.total, model.len() as u64);
            let page = |offset: u64, limit: usize| -> Vec<i64> {
                model.iter().rev().skip(usize::try_from(offset).expect("it is small")).take(limit).copied().collect()
            };
            for (offset, limit) in [(offset, limit), (0, 5000), (model.len() as u64, 1), (u64::MAX, 1)] {
                let Ok(found) = root.newest(&mut nodes, offset, limit);
                let expected = if offset == u64::MAX { Vec::new() } else { page(offset, limit) };
                prop_assert_eq!(found.iter().map(|entry| entry.order).collect::<Vec<_>>(), expected);
                let Ok(found) = root.oldest(&mut nodes, offset, limit);
                let skip = usize::try_from(offset).unwrap_or(usize::MAX);
                let expected: Vec<i64> = model.iter().skip(skip).take(limit).copied().collect();
                prop_assert_eq!(found.iter().map(|entry| entry.order).collect::<Vec<_>>(), expected);
            }
            let held: u64 = nodes.0.values().filter(|node| matches!(node, Node::Leaf(_))).map(Node::count).sum();
            prop_assert_eq!(held, model.len() as u64, "no node is left behind");
        }
    }

    #[test]
    fn entries_that_arrive_in_order_fill_their_leaves() {
        let (mut root, mut nodes) = (ListRoot::default(), InMemory::default());
        for order in 0..(LEAF_MAX as i64 * 300) {
            let Ok(is_new) = root.insert(&mut nodes, entry(order));
            assert!(is_new);
        }
        let leaves = nodes.0.values().filter(|node| matches!(node, Node::Leaf(_))).count();
        assert!(leaves <= 302, "{leaves} leaves");
    }
}
