//! What readers and writer share: changes in memory over pages in sled, and one position for all of it.
//!
//! ```text
//! active    changes of the last commits
//! frozen    those that are being written to pages, if any are
//! base      pages, up to the version that the root names
//! ```
//!
//! A commit moves its changes into the active layer and the checkpoint on with them. A reader holds the read side of the
//! lock for the whole of an answer, a commit its write side while it moves pointers: so an answer never mixes two
//! commits, and the position that it names is that of its rows. With the lock held nothing waits for the disk: an answer
//! that lacks a page is given up, and made anew once that is loaded.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, TryLockError};

use ledger_event::{JsonText, SubscriptionId};
use tokio::sync::watch;

use crate::base::{Base, Misses, Page, Reading, Root, decode_row, shown_row};
use crate::checkpoint::Checkpoint;
use crate::error::{ViewsError, guarded};
use crate::generations::Generation;
use crate::list::node::Node;
use crate::loads::Loads;
use crate::names::{DeliveryKey, ScopeName};
use crate::overlay::{Overlay, QuarterId};
use crate::pace::Pace;
use crate::pages::{NodeId, PageId};
use crate::place::Place;
use crate::row::DeliveryRow;
use crate::rows::{BLOCK_PAYLOAD_MAX_BYTES, DeliveryRecord};
use crate::scope::Scope;
use crate::stats::Quarter;

/// How often a read is made anew at most, before it is made with the lock held: each try needs pages that the one before
/// led to, a path of a few nodes, or met pages that have just been replaced.
const TRIES_MAX: usize = 32;

/// What readers and writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) db: sled::Db,
    pub(crate) base: Base,
    layers: RwLock<Layers>,
    pub(crate) pace: Pace,
    pub(crate) checkpoint: watch::Sender<Checkpoint>,
    // After sled, which is closed when its folder goes.
    pub(crate) generation: Generation,
}

/// Changes in memory, and the root of the pages under them.
#[derive(Debug)]
struct Layers {
    active: Overlay,
    frozen: Option<Arc<Overlay>>,
    root: Arc<Root>,
}

/// The views as of one commit.
pub(crate) struct Commit<'a> {
    pub(crate) checkpoint: Checkpoint,
    layers: &'a Layers,
    pages: Reading<'a>,
}

impl Shared {
    pub(crate) fn new(db: sled::Db, base: Base, root: Root, pace: Pace, generation: Generation) -> Self {
        let checkpoint = watch::Sender::new(root.checkpoint);
        let layers = RwLock::new(Layers { active: Overlay::default(), frozen: None, root: Arc::new(root) });
        Self { db, base, layers, pace, checkpoint, generation }
    }

    /// Reads within one commit. What is not in memory is loaded, and the read made anew, maybe of a later commit.
    pub(crate) fn read<T>(&self, read: impl Fn(&Commit<'_>) -> Result<T, ViewsError>) -> Result<T, ViewsError> {
        let mut loads = Loads::default();
        for _ in 0..TRIES_MAX {
            let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
            loads.begin(&self.base, &layers.root);
            match self.read_of(&layers, Misses::Note(&loads), &read) {
                Err(ViewsError::NotCached) => {}
                answer => return answer,
            }
            drop(layers);
            if let Err(error) = loads.load(&self.base)
                && loads.are_of(&self.root())
            {
                return Err(error);
            }
        }
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        self.read_of(&layers, Misses::Read, read)
    }

    /// Reads within one commit what is in memory, without waiting for anything.
    pub(crate) fn read_cached<T>(
        &self,
        read: impl FnOnce(&Commit<'_>) -> Result<T, ViewsError>,
    ) -> Result<T, ViewsError> {
        match self.layers.try_read() {
            Ok(layers) => self.read_of(&layers, Misses::Fail, read),
            Err(TryLockError::Poisoned(poisoned)) => self.read_of(&poisoned.into_inner(), Misses::Fail, read),
            Err(TryLockError::WouldBlock) => Err(ViewsError::NotCached),
        }
    }

    fn read_of<T>(
        &self,
        layers: &Layers,
        misses: Misses<'_>,
        read: impl FnOnce(&Commit<'_>) -> Result<T, ViewsError>,
    ) -> Result<T, ViewsError> {
        let checkpoint = *self.checkpoint.borrow();
        let pages = Reading { base: &self.base, root: &layers.root, misses };
        guarded(|| read(&Commit { checkpoint, layers, pages }))
    }

    /// Publishes a commit, and says how much memory the active layer takes now.
    pub(crate) fn publish(&self, changes: Overlay, checkpoint: Checkpoint) -> usize {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.active.absorb(changes);
        self.checkpoint.send_replace(checkpoint);
        let size_bytes = layers.active.size_bytes();
        self.pace.filled(size_bytes);
        size_bytes
    }

    /// Freezes the active layer, to be written under that root; nothing is frozen yet.
    pub(crate) fn freeze(&self) -> (Arc<Overlay>, Arc<Root>) {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let frozen = Arc::new(std::mem::take(&mut layers.active));
        self.pace.begin();
        layers.frozen = Some(Arc::clone(&frozen));
        (frozen, Arc::clone(&layers.root))
    }

    /// Puts pages that were written from the frozen layer in its place.
    pub(crate) fn thaw(&self, root: Root, pages: Vec<(PageId, Option<Page>)>) {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.root = Arc::new(root);
        for (id, page) in pages {
            self.base.replace(id, page);
        }
        let frozen = layers.frozen.take();
        drop(layers);
        // Which takes a while, with nobody waiting for it.
        drop(frozen);
    }

    /// Hands what was written to the system.
    pub(crate) fn flush(&self) -> Result<(), ViewsError> {
        guarded(|| self.db.flush().map(drop).map_err(ViewsError::Write))
    }

    /// Hands what was written to the disk.
    pub(crate) fn sync(&self) -> Result<(), ViewsError> {
        self.flush()?;
        self.generation.sync()
    }

    /// The same, if it is time for it.
    pub(crate) fn sync_if(&self, is_time: bool) -> Result<(), ViewsError> {
        if is_time { self.sync() } else { Ok(()) }
    }

    /// The root of the pages that are valid now.
    pub(crate) fn root(&self) -> Arc<Root> {
        Arc::clone(&self.layers.read().unwrap_or_else(PoisonError::into_inner).root)
    }
}

impl Commit<'_> {
    /// Whether the read must take no time at all.
    fn is_hasty(&self) -> bool {
        matches!(self.pages.misses, Misses::Fail)
    }

    /// Whether it is worth to go on without a page, to meet the others that are missing too.
    pub(crate) fn goes_on_without(&self, error: &ViewsError) -> bool {
        matches!((self.pages.misses, error), (Misses::Note(_), ViewsError::NotCached))
    }

    pub(crate) fn scope(&self, name: &ScopeName) -> Result<Option<Arc<Scope>>, ViewsError> {
        match self.layers.find(|overlay| overlay.scopes.get(name)) {
            Some(scope) => Ok(Some(Arc::clone(scope))),
            None => self.pages.scope(name),
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> Result<Arc<Node>, ViewsError> {
        match self.layers.find(|overlay| overlay.nodes.get(&id)) {
            Some(Some(node)) => Ok(Arc::clone(node)),
            Some(None) => Err(ViewsError::damaged(&PageId::Node(id).key())),
            None => self.pages.node(id),
        }
    }

    pub(crate) fn record(&self, place: Place) -> Result<Option<DeliveryRecord>, ViewsError> {
        match self.layers.find(|overlay| overlay.records.get(&place)) {
            Some(row) => decode_row(place, row),
            None => self.pages.record(place),
        }
    }

    /// What is shown of the delivery at a place; `None` where there is none, or it waits for its description.
    pub(crate) fn shown(
        &self,
        place: Place,
        subscription_id: SubscriptionId,
    ) -> Result<Option<DeliveryRow>, ViewsError> {
        let payload = self.payload(place);
        match self.layers.find(|overlay| overlay.records.get(&place)) {
            Some(row) => shown_row(place, row, subscription_id, payload?),
            None => self.pages.shown(place, subscription_id, payload),
        }
    }

    pub(crate) fn payload(&self, place: Place) -> Result<Option<JsonText>, ViewsError> {
        match self.layers.find(|overlay| overlay.payloads.get(&place)) {
            // Copying large ones takes its time too.
            Some(Some(payload)) if self.is_hasty() && payload.as_str().len() > BLOCK_PAYLOAD_MAX_BYTES => {
                Err(ViewsError::NotCached)
            }
            Some(payload) => Ok(payload.as_deref().cloned()),
            None => self.pages.payload(place),
        }
    }

    pub(crate) fn quarter(&self, id: QuarterId) -> Result<Option<Arc<Quarter>>, ViewsError> {
        match self.layers.find(|overlay| overlay.quarters.get(&id)) {
            Some(quarter) => Ok(Some(Arc::clone(quarter))),
            None => Ok(self.pages.quarter(id)?.map(Arc::new)),
        }
    }

    /// The place that stands for a hash.
    pub(crate) fn place(&self, hash: u64) -> Result<Option<Place>, ViewsError> {
        match self.layers.find(|overlay| overlay.places.get(&hash)) {
            Some(place) => Ok(Some(*place)),
            None => self.pages.place(hash),
        }
    }

    /// Where a delivery lies, if it was ever named.
    pub(crate) fn find(&self, key: &DeliveryKey) -> Result<Option<Place>, ViewsError> {
        let Some(subscription) = self.scope(&ScopeName::Subscription(key.subscription.clone()))? else {
            return Ok(None);
        };
        let mut hash = self.layers.root.hash_key.hash(key);
        while let Some(place) = self.place(hash)? {
            if place.subscription == subscription.number
                && self.record(place)?.is_some_and(|record| record.delivery_id == key.delivery_id)
            {
                return Ok(Some(place));
            }
            hash = hash.wrapping_add(1);
        }
        Ok(None)
    }

    /// The next scope in pages, in the order of their keys.
    pub(crate) fn scope_in_pages_after(&self, last: Option<&ScopeName>) -> Result<Option<ScopeName>, ViewsError> {
        let mut next = self.pages.base.pages.scope_after(last)?;
        // A crash may have left a page of a scope that is not valid.
        while let Some(name) = &next
            && self.pages.scope(name)?.is_none()
        {
            next = self.pages.base.pages.scope_after(Some(name))?;
        }
        Ok(next)
    }

    /// The scopes that are in no page yet, in no order.
    pub(crate) fn scopes_in_memory(&self) -> Result<Vec<ScopeName>, ViewsError> {
        let names: BTreeSet<&ScopeName> = self.layers.newest_first().flat_map(|layer| layer.scopes.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            if self.pages.scope(name)?.is_none() {
                found.push(name.clone());
            }
        }
        Ok(found)
    }

    /// The quarters of an hour of a scope in which something happened, rising, counted from 1970.
    pub(crate) fn quarters(&self, scope: u32) -> Result<Vec<(i32, Arc<Quarter>)>, ViewsError> {
        let ids = self.layers.newest_first().flat_map(|layer| layer.quarters.keys());
        let mut numbers: BTreeSet<i32> = ids.filter(|id| id.scope == scope).map(|id| id.quarter).collect();
        for day in self.pages.base.pages.days_of(scope)? {
            let day = self.pages.day(scope, day)?;
            numbers.extend(day.iter().flat_map(|day| day.0.keys()));
        }
        let quarter = |quarter| Ok(self.quarter(QuarterId { scope, quarter })?.map(|kept| (quarter, kept)));
        numbers.into_iter().filter_map(|number| quarter(number).transpose()).collect()
    }
}

impl Layers {
    fn newest_first(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.active).chain(self.frozen.as_deref())
    }

    /// What the newest layer in memory has that has it at all.
    fn find<'a, T>(&'a self, pick: impl Fn(&'a Overlay) -> Option<&'a T>) -> Option<&'a T> {
        self.newest_first().find_map(pick)
    }
}
