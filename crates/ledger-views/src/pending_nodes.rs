//! The nodes of a list within the commit under way.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::ViewsError;
use crate::layers::Shared;
use crate::list::inner::Inner;
use crate::list::node::Node;
use crate::list::tree::{Nodes, NodesMut};
use crate::pages::{ListKind, NodeId, PageId};

/// The nodes of a list, with what is not committed yet.
pub(crate) struct PendingNodes<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) scope: u32,
    pub(crate) list: ListKind,
    pub(crate) changed: &'a mut FxHashMap<NodeId, Option<Arc<Node>>>,
}

impl PendingNodes<'_> {
    fn id(&self, node: u32) -> NodeId {
        NodeId { scope: self.scope, list: self.list, node }
    }
}

impl Nodes for PendingNodes<'_> {
    type Error = ViewsError;

    fn node(&mut self, number: u32) -> Result<Arc<Node>, ViewsError> {
        let id = self.id(number);
        match self.changed.get(&id) {
            Some(Some(node)) => Ok(Arc::clone(node)),
            Some(None) => Err(ViewsError::damaged(&PageId::Node(id).key())),
            None => self.shared.read(|commit| commit.node(id)),
        }
    }
}

impl NodesMut for PendingNodes<'_> {
    fn node_mut(&mut self, number: u32) -> Result<&mut Node, ViewsError> {
        let id = self.id(number);
        if !self.changed.contains_key(&id) {
            let node = self.node(number)?;
            self.changed.insert(id, Some(node));
        }
        match self.changed.get_mut(&id) {
            Some(Some(node)) => Ok(Arc::make_mut(node)),
            Some(None) | None => Err(ViewsError::damaged(&PageId::Node(id).key())),
        }
    }

    fn put(&mut self, number: u32, node: Node) {
        self.changed.insert(self.id(number), Some(Arc::new(node)));
    }

    fn remove(&mut self, number: u32) {
        self.changed.insert(self.id(number), None);
    }

    fn inner_mut(&mut self, number: u32) -> Result<&mut Inner, ViewsError> {
        let id = self.id(number);
        match self.node_mut(number)? {
            Node::Inner(inner) => Ok(inner),
            Node::Leaf(_) => Err(ViewsError::damaged(&PageId::Node(id).key())),
        }
    }
}
