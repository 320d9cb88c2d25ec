//! Answers from the views.

use std::sync::Arc;
use std::time::Duration;

use ledger_event::{DeliveryId, Position, SubscriptionId, Timestamp, WorkspaceId};
use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::error::ViewsError;
use crate::layers::{Commit, Shared};
use crate::list::ListId;
use crate::list::keys::ids_of;
use crate::list::node::Node;
use crate::list::tree::{ListRoot, Met, Nodes};
use crate::names::{ScopeName, SubscriptionKey};
use crate::pages::{ListKind, NodeId, PageId};
use crate::place::Place;
use crate::row::DeliveryRow;
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
    reads: Reads,
}

/// What a read may take.
#[derive(Clone, Copy, Debug)]
enum Reads {
    All,
    /// Only what is in memory.
    Cached,
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
        Self { current: Arc::new(watch::Sender::new(shared)), waiters: Arc::default(), reads: Reads::All }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.current.borrow())
    }

    /// Answers from other views from now on.
    pub(crate) fn switch_to(&self, next: Arc<Shared>) {
        let old = self.current.send_replace(next);
        old.generation.retire();
    }

    /// The same, for reads that do not block: those that would fail with [`ViewsError::NotCached`]. They may be made on
    /// the async runtime.
    #[must_use]
    pub fn cached(&self) -> Self {
        Self { reads: Reads::Cached, ..self.clone() }
    }

    pub(crate) fn read<T>(&self, read: impl Fn(&Commit<'_>) -> Result<T, ViewsError>) -> Result<T, ViewsError> {
        match self.reads {
            Reads::All => self.shared().read(read),
            Reads::Cached => self.shared().read_cached(read),
        }
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

    /// The deliveries of a workspace that wait for their description, oldest first. O(log n) of their n.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn waiting(&self, workspace_id: &WorkspaceId, offset: u64, limit: usize) -> Result<WaitingPage, ViewsError> {
        self.read(|commit| {
            let position = commit.checkpoint.position;
            let Some(list) = List::of(commit, &ListId::Waiting(workspace_id.clone()))? else {
                return Ok(WaitingPage { position, total: 0, rows: Vec::new() });
            };
            let mut rows = Vec::new();
            list.root.oldest(&mut list.nodes(commit), offset, limit, &mut |met| {
                rows.push(waiting_row(commit, met)?);
                Ok(())
            })?;
            Ok(WaitingPage { position, total: list.root.total, rows })
        })
    }

    /// The stats of a subscription.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn stats(&self, subscription: &SubscriptionKey) -> Result<StatsAnswer, ViewsError> {
        let (position, stats) = self.stats_shown(subscription, Stats::clone)?;
        Ok(StatsAnswer { position, stats })
    }

    /// What is shown of the stats of a subscription, which are not copied, and the commit they are of.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn stats_shown<T>(
        &self,
        subscription: &SubscriptionKey,
        show: impl FnOnce(&Stats) -> T,
    ) -> Result<(Position, T), ViewsError> {
        let name = ScopeName::Subscription(subscription.clone());
        let read = |commit: &Commit<'_>| Ok((commit.checkpoint.position, commit.scope(&name)?));
        let (position, scope) = self.read(read)?;
        let shown = match scope {
            Some(scope) => show(&scope.stats),
            None => show(&Stats::default()),
        };
        Ok((position, shown))
    }

    /// A page of deliveries. O(log n) of the n in the list, at any offset, and O(1) for each row.
    ///
    /// # Errors
    ///
    /// When the views cannot be read.
    pub fn deliveries(&self, request: &PageRequest) -> Result<DeliveryPage, ViewsError> {
        let workspace_id = request.workspace_id.clone();
        let list = match request.subscription_id.clone() {
            None => ListId::Workspace(workspace_id),
            Some(subscription_id) => ListId::Subscription(SubscriptionKey { workspace_id, subscription_id }),
        };
        self.read(|commit| {
            let position = commit.checkpoint.position;
            let Some(list) = List::of(commit, &list)? else {
                return Ok(DeliveryPage { position, total: 0, rows: Vec::new() });
            };
            let (mut rows, mut missing) = (Vec::new(), None);
            list.root.newest(&mut list.nodes(commit), request.offset, request.limit, &mut |met| {
                match row(commit, met) {
                    Err(error) if commit.goes_on_without(&error) => missing = Some(error),
                    row => rows.push(row?),
                }
                Ok(())
            })?;
            match missing {
                Some(error) => Err(error),
                None => Ok(DeliveryPage { position, total: list.root.total, rows }),
            }
        })
    }
}

/// A list of a scope.
pub(crate) struct List {
    pub(crate) root: ListRoot,
    scope: u32,
    kind: ListKind,
}

impl List {
    /// `None` where the scope was never named.
    pub(crate) fn of(commit: &Commit<'_>, list: &ListId) -> Result<Option<Self>, ViewsError> {
        let (name, kind) = match list {
            ListId::Workspace(id) => (ScopeName::Workspace(id.clone()), ListKind::History),
            ListId::Subscription(key) => (ScopeName::Subscription(key.clone()), ListKind::History),
            ListId::Waiting(id) => (ScopeName::Workspace(id.clone()), ListKind::Waiting),
        };
        let scope = commit.scope(&name)?;
        Ok(scope.map(|scope| Self { root: scope.list(kind).clone(), scope: scope.number, kind }))
    }

    pub(crate) fn nodes<'a>(&self, commit: &'a Commit<'_>) -> StoredNodes<'a> {
        StoredNodes { commit, scope: self.scope, list: self.kind }
    }
}

/// The two ids of an entry.
pub(crate) fn ids(met: &Met<'_>) -> Option<(DeliveryId, SubscriptionId)> {
    let (delivery_id, subscription_id) = ids_of(met.key.name)?;
    Some((DeliveryId::parse(delivery_id).ok()?, SubscriptionId::parse(subscription_id).ok()?))
}

fn damaged(place: Place) -> ViewsError {
    ViewsError::damaged(&PageId::states_of(place).key())
}

fn row(commit: &Commit<'_>, met: Met<'_>) -> Result<DeliveryRow, ViewsError> {
    let damaged = || damaged(met.place);
    let subscription_id = ids_of(met.key.name).and_then(|(_, id)| SubscriptionId::parse(id).ok());
    commit.shown(met.place, subscription_id.ok_or_else(damaged)?)?.ok_or_else(damaged)
}

fn waiting_row(commit: &Commit<'_>, met: Met<'_>) -> Result<WaitingRow, ViewsError> {
    let damaged = || damaged(met.place);
    let record = commit.record(met.place)?.ok_or_else(damaged)?;
    let (delivery_id, subscription_id) = ids(&met).ok_or_else(damaged)?;
    Ok(WaitingRow {
        subscription_id,
        delivery_id,
        first_position: record.state.first_position,
        attempts: u32::try_from(record.state.attempts.len()).expect("attempt numbers are bounded"),
        last_attempt_at: record.state.last_finish().map(|(_, finish)| finish.key.occurred_at),
    })
}

/// The committed nodes of a list.
pub(crate) struct StoredNodes<'a> {
    commit: &'a Commit<'a>,
    scope: u32,
    list: ListKind,
}

impl Nodes for StoredNodes<'_> {
    type Error = ViewsError;

    fn node(&mut self, node: u32) -> Result<Arc<Node>, ViewsError> {
        self.commit.node(NodeId { scope: self.scope, list: self.list, node })
    }
}
