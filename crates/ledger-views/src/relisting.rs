//! What a commit changes in lists.
//!
//! A delivery that goes through several events within a commit changes its lists once. And changes are made list by list,
//! in the order of the entries: neighbours lie in the same leaves, which so are found in the processor's caches.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::ViewsError;
use crate::layers::Shared;
use crate::list::keys::Key;
use crate::list::marks::Marks;
use crate::list::node::Node;
use crate::listing::Listing;
use crate::names::ScopeName;
use crate::pages::{ListKind, NodeId};
use crate::pending_nodes::PendingNodes;
use crate::place::Place;
use crate::scope::Scope;

/// Entries of lists that change.
#[derive(Debug, Default)]
pub(crate) struct Relisting {
    names: Vec<String>,
    entries: Vec<Entry>,
}

/// The scopes in whose lists a delivery stands, by their slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeSlots {
    pub(crate) workspace: usize,
    pub(crate) subscription: usize,
}

#[derive(Debug)]
struct Entry {
    scope: usize,
    list: ListKind,
    order: i64,
    /// The slot of its name.
    name: usize,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Insert(Place, Marks),
    Remove,
    Mark(Marks),
}

impl Relisting {
    /// Adds a delivery that stood in lists as `old`, if in any, and is to stand there as `new`, which differs.
    pub(crate) fn add(&mut self, name: String, place: Place, scopes: ScopeSlots, old: Option<Listing>, new: Listing) {
        match old {
            Some(old) if (old.kind(), old.order()) == (new.kind(), new.order()) => {
                self.add_entries(scopes, new, Change::Mark(new.marks()));
            }
            Some(old) => {
                self.add_entries(scopes, old, Change::Remove);
                self.add_entries(scopes, new, Change::Insert(place, new.marks()));
            }
            None => self.add_entries(scopes, new, Change::Insert(place, new.marks())),
        }
        self.names.push(name);
    }

    fn add_entries(&mut self, scopes: ScopeSlots, listing: Listing, change: Change) {
        let ScopeSlots { workspace, subscription } = scopes;
        let slots: &[usize] = match listing.kind() {
            ListKind::Waiting => &[workspace],
            ListKind::History => &[workspace, subscription],
        };
        let (list, order, name) = (listing.kind(), listing.order(), self.names.len());
        self.entries.extend(slots.iter().map(|scope| Entry { scope: *scope, list, order, name, change }));
    }

    /// Makes the changes. O(log n) each, of the n entries of a list.
    ///
    /// # Errors
    ///
    /// [`ViewsError::Lists`] when a delivery does not stand where it stood; when a list cannot be read.
    pub(crate) fn apply(
        self,
        scopes: &mut [(ScopeName, Scope)],
        shared: &Shared,
        changed: &mut FxHashMap<NodeId, Option<Arc<Node>>>,
    ) -> Result<(), ViewsError> {
        let Self { names, mut entries } = self;
        entries.sort_unstable_by(|a, b| {
            let place = |entry: &Entry| (entry.scope, entry.list, entry.order);
            place(a).cmp(&place(b)).then_with(|| names[a.name].cmp(&names[b.name]))
        });
        for Entry { scope, list, order, name, change } in entries {
            let scope = &mut scopes[scope].1;
            let nodes = &mut PendingNodes { shared, scope: scope.number, list, changed: &mut *changed };
            let (root, key) = (scope.list_mut(list), Key { order, name: &names[name] });
            let is_done = match change {
                Change::Insert(place, marks) => root.insert(nodes, key, place, marks)?,
                Change::Remove => root.remove(nodes, key)?,
                Change::Mark(marks) => root.mark(nodes, key, marks)?,
            };
            if !is_done {
                return Err(ViewsError::Lists);
            }
        }
        Ok(())
    }
}
