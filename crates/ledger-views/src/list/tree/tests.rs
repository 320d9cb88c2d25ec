use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::list::counts::count_in;

#[derive(Default)]
struct InMemory(HashMap<u32, Arc<Node>>);

impl Nodes for InMemory {
    type Error = Infallible;

    fn node(&mut self, number: u32) -> Result<Arc<Node>, Infallible> {
        Ok(Arc::clone(&self.0[&number]))
    }
}

impl NodesMut for InMemory {
    fn node_mut(&mut self, number: u32) -> Result<&mut Node, Infallible> {
        Ok(Arc::make_mut(self.0.get_mut(&number).expect("it is there")))
    }

    fn put(&mut self, number: u32, node: Node) {
        self.0.insert(number, Arc::new(node));
    }

    fn remove(&mut self, number: u32) {
        self.0.remove(&number);
    }

    fn inner_mut(&mut self, number: u32) -> Result<&mut Inner, Infallible> {
        match self.node_mut(number)? {
            Node::Inner(inner) => Ok(inner),
            Node::Leaf(_) => unreachable!("node {number} is what its parent says"),
        }
    }
}

/// A key with a name of its own length, so that names are cut at the right places.
fn name(order: i64) -> String {
    crate::list::keys::name(&"d".repeat(1 + usize::try_from(order % 7).expect("it is small")), "s")
}

fn place(order: i64) -> Place {
    Place::of_number(order.cast_unsigned() * 3)
}

fn marks(number: u8) -> Marks {
    Marks { outcome: number % 6, response_class: number % 4, event_type: number % 3 }
}

#[derive(Clone, Debug)]
enum Change {
    Insert(i64, u8),
    Remove(i64),
    Mark(i64, u8),
}

/// Changes to a list: mostly rising insertions, as in life, with some anywhere, some removals and other marks.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let orders = || prop_oneof![(0..8000_i64), (0..40_i64)];
    let change = prop_oneof![
        8 => (orders(), any::<u8>()).prop_map(|(order, marks)| Change::Insert(order, marks)),
        3 => orders().prop_map(Change::Remove),
        3 => (orders(), any::<u8>()).prop_map(|(order, marks)| Change::Mark(order, marks)),
    ];
    (0..6000_i64, prop::collection::vec(change, 0..1500)).prop_map(|(rising, mut anywhere)| {
        let mut all: Vec<_> = (0..rising).map(|order| Change::Insert(order, 1)).collect();
        all.append(&mut anywhere);
        all
    })
}

fn apply(changes: Vec<Change>) -> (ListRoot, InMemory, BTreeMap<i64, Marks>) {
    let (mut root, mut nodes, mut model) = (ListRoot::default(), InMemory::default(), BTreeMap::new());
    for change in changes {
        match change {
            Change::Insert(order, number) => {
                let key = name(order);
                let Ok(is_new) = root.insert(&mut nodes, Key { order, name: &key }, place(order), marks(number));
                assert_eq!(is_new, !model.contains_key(&order));
                model.entry(order).or_insert(marks(number));
            }
            Change::Remove(order) => {
                let Ok(was_there) = root.remove(&mut nodes, Key { order, name: &name(order) });
                assert_eq!(was_there, model.remove(&order).is_some());
            }
            Change::Mark(order, number) => {
                let Ok(was_there) = root.mark(&mut nodes, Key { order, name: &name(order) }, marks(number));
                assert_eq!(was_there, model.contains_key(&order));
                model.entry(order).and_modify(|standing| *standing = marks(number));
            }
        }
    }
    (root, nodes, model)
}

/// What is met must be as it was put in.
fn seen(met: Met<'_>) -> (i64, Marks) {
    assert_eq!((met.key.name, met.place), (name(met.key.order).as_str(), place(met.key.order)));
    (met.key.order, met.marks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_list_is_a_sorted_map_with_ranks(changes in changes(), offset in 0..7000_u64, limit in 1..900_usize) {
        let (root, mut nodes, model) = apply(changes);
        prop_assert_eq!(root.total, model.len() as u64);
        for (offset, limit) in [(offset, limit), (0, 9000), (model.len() as u64, 1), (u64::MAX, 1)] {
            let skip = usize::try_from(offset).unwrap_or(usize::MAX);
            let mut found = Vec::new();
            let Ok(()) = root.newest(&mut nodes, offset, limit, &mut |met| { found.push(seen(met)); Ok(()) });
            let expected: Vec<_> = model.iter().rev().skip(skip).take(limit).map(|(order, marks)| (*order, *marks)).collect();
            prop_assert_eq!(&found, &expected);
            found.clear();
            let Ok(()) = root.oldest(&mut nodes, offset, limit, &mut |met| { found.push(seen(met)); Ok(()) });
            let expected: Vec<_> = model.iter().skip(skip).take(limit).map(|(order, marks)| (*order, *marks)).collect();
            prop_assert_eq!(found, expected);
        }
        let held: u64 = nodes.0.values().filter(|node| matches!(***node, Node::Leaf(_))).map(|node| node.total()).sum();
        prop_assert_eq!(held, model.len() as u64, "no node is left behind");
    }

    #[test]
    fn the_directory_counts_what_the_leaves_hold_and_nodes_read_back(changes in changes()) {
        let (root, mut nodes, model) = apply(changes);
        let mut expected = CodeCounts::new();
        model.values().for_each(|marks| count_in(&mut expected, *marks));
        let Ok(counts) = root.counts(&mut nodes);
        prop_assert_eq!(counts, expected);
        for node in nodes.0.values() {
            if let Node::Inner(inner) = &**node {
                for (row, child) in inner.nodes.iter().enumerate() {
                    let below = nodes.0[child].counts();
                    prop_assert!(below.iter().all(|(code, count)| inner.counts.of(row, *code) == *count));
                    prop_assert_eq!(inner.totals[row], nodes.0[child].total());
                }
            }
            let bytes = node.encode();
            let read = Node::decode(&bytes);
            prop_assert_eq!(read.as_ref(), Some(&**node));
            prop_assert_eq!(Node::decode(&bytes[..bytes.len() - 1]), None);
        }
    }
}

#[test]
fn entries_that_arrive_in_order_fill_their_leaves() {
    let rising = (0..i64::try_from(LEAF_MAX).expect("it is small") * 300).map(|order| Change::Insert(order, 0));
    let (_, nodes, _) = apply(rising.collect());
    let leaves = nodes.0.values().filter(|node| matches!(***node, Node::Leaf(_))).count();
    assert!(leaves <= 302, "{leaves} leaves");
}
