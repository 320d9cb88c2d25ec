//! Answers from the views.

use std::sync::Arc;
use std::time::Duration;

use ledger_event::{DeliveryId, JsonText, Position, SubscriptionId, Timestamp, WorkspaceId};
use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::error::ViewsError;
use crate::keys;
use crate::list::{ListEntry, ListId};
use crate::list_tree::{Node, Nodes};
use crate::names::{DeliveryKey, SubscriptionKey};
use crate::row::DeliveryRow;
use crate::rows;
use crate::shared::Shared;
use crate::state::DeliveryState;
use crate::stats::Stats;

/// Answers from the views. Clones share them.
///
/// Every answer is of one commit, and says which. Reads block and belong off the async runtime.
#[derive(Clone, Debug)]
pub struct ReadModel {
    /// The generation that is answered from.
    current: Arc<watch::Sender<Arc<Shared>>>,
    /// How many wait for a position.
    waiters: Arc<watch::Sender<usize>>,
}

/// Somebody who waits for a position, as long as the value is there.
struct Waiter<'a>(&'a watch::Sender<usize>);

impl<'a> Waiter<'a> {
    fn new(waiters: &'a watch::Sender<usize>) -> Self {
        waiters.send_modify(|count| *count += 1);
        Self(waiters)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Only this subscription's, if given.
    pub subscription_id: Option<SubscriptionId>,
    /// How many of the newest are passed over.
    pub offset: u64,
    /// At most so many rows.
    pub limit: usize,
}

/// A page of deliveries, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryPage {
    /// The commit it is of.
    pub position: Position,
    /// How many deliveries there are in all.
    pub total: u64,
    /// The rows of the page, by `created_at` falling, then delivery id falling.
    pub rows: Vec<DeliveryRow>,
}

/// A page of deliveries that wait for their description, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingPage {
    /// The commit it is of.
    pub position: Position,
    /// How many deliveries of the workspace wait.
    pub total: u64,
    /// The rows of the page, by the position that first named them.
    pub rows: Vec<WaitingRow>,
}

/// A delivery that waits for its description.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingRow {
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The position of the first event that named it.
    pub first_position: Position,
    /// How many attempts events named.
    pub attempts: u32,
    /// When the highest-numbered finished attempt ended.
    pub last_attempt_at: Option<Timestamp>,
}

/// The stats of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsAnswer {
    /// The commit they are of.
    pub position: Position,
    /// The figures; zeros for a subscription never seen.
    pub stats: Stats,
}

/// The views did not reach the position in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the views stand at position {reached} and have not reached {wanted} in time")]
pub struct WaitTimeout {
    /// Where they stand.
    pub reached: Position,
    /// What was waited for.
    pub wanted: Position,
}

impl ReadModel {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { current: Arc::new(watch::Sender::new(shared)), waiters: Arc::default() }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.current.borrow())
    }

    /// Answers from other views from now on.
    pub(crate) fn switch_to(&self, next: Arc<Shared>) {
        let old = self.current.send_replace(next);
        old.generation.retire();
    }

    /// The position that the views have reached.
    #[must_use]
    pub fn position(&self) -> Position {
        self.checkpoint().position
    }

    /// Waits until the views have reached a position.
    ///
    /// # Errors
    ///
    /// When that takes longer than `at_most`.
    pub async fn reached(&self, wanted: Position, at_most: Duration) -> Result<(), WaitTimeout> {
        if self.position() >= wanted {
            return Ok(());
        }
        let _waiter = Waiter::new(&self.waiters);
        let waited = tokio::time::timeout(at_most, self.wait_for(wanted)).await;
        waited.map_err(|_| WaitTimeout { reached: self.position(), wanted })
    }

    /// How many wait for a position just now: while somebody does, it is worth being quick.
    #[must_use]
    pub fn watch_waiters(&self) -> watch::Receiver<usize> {
        self.waiters.subscribe()
    }

    async fn wait_for(&self, wanted: Position) {
        let mut current = self.current.subscribe();
        loop {
            let mut checkpoint = current.borrow_and_update().checkpoint.subscribe();
            tokio::select! {
                // Views that are gone before they reached it have been replaced by others.
                reached = checkpoint.wait_for(|checkpoint| checkpoint.position >= wanted) => if reached.is_ok() { return },
                _ = current.changed() => {}
            }
        }
    }

    /// How many deliveries wait for their description.
    #[must_use]
    pub fn waiting_count(&self) -> u64 {
        self.checkpoint().waiting_count
    }

    /// The checkpoint of the last commit.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        *self.current.borrow().checkpoint.borrow()
    }

    /// The deliveries of a workspace that wait for their description, oldest first.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn waiting(&self, workspace_id: &WorkspaceId, offset: u64, limit: usize) -> Result<WaitingPage, ViewsError> {
        let list = ListId::Waiting(workspace_id.clone());
        let shared = self.shared();
        shared.read(|commit| {
            let root = shared.list_root(&list)?;
            let entries = root.oldest(&mut StoredNodes { shared: &shared, list: &list }, offset, limit)?;
            let rows = entries.into_iter().map(|entry| waiting_row(&shared, workspace_id, entry));
            Ok(WaitingPage { position: commit.position, total: root.total, rows: rows.collect::<Result<_, _>>()? })
        })
    }

    /// The stats of a subscription.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn stats(&self, subscription: &SubscriptionKey) -> Result<StatsAnswer, ViewsError> {
        let shared = self.shared();
        shared.read(|commit| {
            let stats = shared.row(&keys::stats(subscription))?.unwrap_or_default();
            Ok(StatsAnswer { position: commit.position, stats })
        })
    }

    /// A page of deliveries.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn deliveries(&self, request: PageRequest) -> Result<DeliveryPage, ViewsError> {
        let list = match request.subscription_id {
            None => ListId::Workspace(request.workspace_id.clone()),
            Some(subscription_id) => {
                ListId::Subscription(SubscriptionKey { workspace_id: request.workspace_id.clone(), subscription_id })
            }
        };
        let shared = self.shared();
        shared.read(|commit| {
            let (total, entries) = newest(&shared, &list, request.offset, request.limit)?;
            let rows = entries.into_iter().map(|entry| row(&shared, &request.workspace_id, entry));
            Ok(DeliveryPage { position: commit.position, total, rows: rows.collect::<Result<_, _>>()? })
        })
    }
}

pub(crate) fn newest(
    shared: &Shared,
    list: &ListId,
    offset: u64,
    limit: usize,
) -> Result<(u64, Vec<ListEntry>), ViewsError> {
    let root = shared.list_root(list)?;
    let entries = root.newest(&mut StoredNodes { shared, list }, offset, limit)?;
    Ok((root.total, entries))
}

fn row(shared: &Shared, workspace_id: &WorkspaceId, entry: ListEntry) -> Result<DeliveryRow, ViewsError> {
    let subscription = SubscriptionKey { workspace_id: workspace_id.clone(), subscription_id: entry.subscription_id };
    let delivery = DeliveryKey { subscription, delivery_id: entry.delivery_id };
    let key = keys::delivery(&delivery);
    let damaged = || ViewsError::damaged(&key);
    let state: DeliveryState = shared.row(&key)?.ok_or_else(damaged)?;
    let payload = rows::get(&shared.tree, &keys::payload(&delivery))?
        .map(|text| std::str::from_utf8(&text).ok().and_then(|text| JsonText::parse(text).ok()).ok_or_else(damaged))
        .transpose()?;
    DeliveryRow::of(delivery.delivery_id, delivery.subscription.subscription_id, state, payload).ok_or_else(damaged)
}

fn waiting_row(shared: &Shared, workspace_id: &WorkspaceId, entry: ListEntry) -> Result<WaitingRow, ViewsError> {
    let subscription = SubscriptionKey { workspace_id: workspace_id.clone(), subscription_id: entry.subscription_id };
    let delivery = DeliveryKey { subscription, delivery_id: entry.delivery_id };
    let key = keys::delivery(&delivery);
    let state: DeliveryState = shared.row(&key)?.ok_or_else(|| ViewsError::damaged(&key))?;
    Ok(WaitingRow {
        subscription_id: delivery.subscription.subscription_id,
        delivery_id: delivery.delivery_id,
        first_position: state.first_position,
        attempts: u32::try_from(state.attempts.len()).expect("attempt numbers are bounded"),
        last_attempt_at: state.last_finish().map(|(_, finish)| finish.key.occurred_at),
    })
}

/// The committed nodes of a list.
struct StoredNodes<'a> {
    shared: &'a Shared,
    list: &'a ListId,
}

impl Nodes for StoredNodes<'_> {
    type Error = ViewsError;

    fn node(&mut self, number: u64) -> Result<Node, ViewsError> {
        self.shared.list_node(self.list, number)
    }
}
