//! The one writer of the views.
//!
//! Changes gather in memory and become visible together, with the checkpoint, when they are committed. Commits gather in
//! the active layer; once that has reached its bound it is written to pages beside the commits that follow, and it is
//! durable when that is done. What is gathered is bounded by how many events the caller folds into one commit, and by
//! the bound of a layer: if the layer before is not written yet, a commit waits for it.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_event::{JsonText, Position, Timestamp, WorkspaceId};
use rustc_hash::FxHashMap;

use crate::checkpoint::Checkpoint;
use crate::day::quarter_of;
use crate::error::ViewsError;
use crate::index::HashKey;
use crate::layers::Shared;
use crate::list::keys::name;
use crate::list::marks::Marks;
use crate::listing::Listing;
use crate::names::{DeliveryKey, ScopeName, SubscriptionKey};
use crate::overlay::{Overlay, QuarterId};
use crate::pages::{PageId, encode_into};
use crate::place::Place;
use crate::read_model::ReadModel;
use crate::relisting::{Relisting, ScopeSlots};
use crate::rows::DeliveryRecord;
use crate::scope::Scope;
use crate::state::DeliveryState;
use crate::stats::{Quarter, Stats};
use crate::write_back::{Leftovers, WriteBack};

/// The one writer of the views.
#[derive(Debug)]
pub struct ViewWriter {
    shared: Arc<Shared>,
    hash_key: HashKey,
    /// What is not committed yet, but for what is at hand.
    changes: Overlay,
    /// The deliveries at hand.
    records: Vec<AtHand>,
    record_slots: FxHashMap<Place, usize>,
    scopes: Vec<(ScopeName, Scope)>,
    workspaces: HashMap<WorkspaceId, usize>,
    subscriptions: HashMap<SubscriptionKey, usize>,
    /// The number that the next scope gets.
    next_scope: u32,
    layer_max_bytes: usize,
    write_back: Option<WriteBack>,
    leftovers: Leftovers,
}

/// What is known of a delivery at hand.
#[derive(Debug)]
struct AtHand {
    place: Place,
    record: DeliveryRecord,
    scopes: ScopeSlots,
    /// Where it stood in lists when it was taken at hand; a new one stood in none.
    listed: Option<Listing>,
}

/// A delivery at hand, within one commit.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    place: Place,
    record: usize,
    scopes: ScopeSlots,
    is_new: bool,
}

impl Opened {
    /// Whether nothing was heard of it before.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

impl ViewWriter {
    pub(crate) fn new(shared: Arc<Shared>, layer_max_bytes: usize) -> Self {
        let root = shared.root();
        Self {
            hash_key: root.hash_key,
            shared,
            changes: Overlay::default(),
            records: Vec::new(),
            record_slots: FxHashMap::default(),
            scopes: Vec::new(),
            workspaces: HashMap::new(),
            subscriptions: HashMap::new(),
            next_scope: root.next_scope,
            layer_max_bytes,
            write_back: None,
            leftovers: Leftovers::default(),
        }
    }

    /// The checkpoint of the last commit.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        *self.shared.checkpoint.borrow()
    }

    /// Takes a delivery at hand, to be changed. A new one has `first_position`. O(log n) of the n deliveries there are.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn open(&mut self, key: &DeliveryKey, first_position: Position) -> Result<Opened, ViewsError> {
        let workspace = self.workspace(&key.subscription.workspace_id)?;
        let subscription = self.subscription(&key.subscription)?;
        let scopes = ScopeSlots { workspace, subscription };
        let number = self.scopes[subscription].1.number;
        let mut hash = self.hash_key.hash(key);
        while let Some(place) = self.place(hash)? {
            if place.subscription == number {
                let record = self.record(place, scopes)?;
                if self.records[record].record.delivery_id == key.delivery_id {
                    return Ok(Opened { place, record, scopes, is_new: false });
                }
            }
            hash = hash.wrapping_add(1);
        }
        let deliveries = &mut self.scopes[subscription].1.deliveries;
        let place = Place { subscription: number, number: *deliveries };
        *deliveries += 1;
        let state = DeliveryState::new(first_position);
        let record = DeliveryRecord { delivery_id: key.delivery_id.clone(), state };
        let record = self.take_at_hand(AtHand { place, record, scopes, listed: None });
        self.changes.places.insert(hash, place);
        Ok(Opened { place, record, scopes, is_new: true })
    }

    /// What is kept of a delivery.
    ///
    /// # Panics
    ///
    /// When it was opened before the last commit.
    #[must_use]
    pub fn state(&self, opened: &Opened) -> &DeliveryState {
        &self.records[opened.record].record.state
    }

    /// The same, to be changed.
    ///
    /// # Panics
    ///
    /// When it was opened before the last commit.
    pub fn state_mut(&mut self, opened: &Opened) -> &mut DeliveryState {
        &mut self.records[opened.record].record.state
    }

    /// Where a delivery stands in lists, by its state.
    ///
    /// # Panics
    ///
    /// When it was opened before the last commit.
    pub fn listing(&mut self, opened: &Opened) -> Listing {
        let workspace = &mut self.scopes[opened.scopes.workspace].1;
        listing_of(&self.records[opened.record].record.state, workspace)
    }

    /// Puts the payload of a delivery, or takes it away.
    pub fn put_payload(&mut self, opened: &Opened, payload: Option<JsonText>) {
        self.changes.payloads.insert(opened.place, payload.map(Arc::new));
    }

    /// Changes the stats of a delivery's workspace, and of its subscription.
    ///
    /// # Errors
    ///
    /// What `change` fails with.
    pub fn change_stats<E>(
        &mut self,
        opened: &Opened,
        mut change: impl FnMut(&mut Stats) -> Result<(), E>,
    ) -> Result<(), E> {
        change(&mut self.scopes[opened.scopes.workspace].1.stats)?;
        change(&mut self.scopes[opened.scopes.subscription].1.stats)
    }

    /// Changes the figures of the quarter of an hour of a moment, of a delivery's workspace and of its subscription.
    ///
    /// # Errors
    ///
    /// When they cannot be read, and what `change` fails with.
    pub fn change_quarter<E: From<ViewsError>>(
        &mut self,
        opened: &Opened,
        at: Timestamp,
        mut change: impl FnMut(&mut Quarter) -> Result<(), E>,
    ) -> Result<(), E> {
        for slot in [opened.scopes.workspace, opened.scopes.subscription] {
            let id = QuarterId { scope: self.scopes[slot].1.number, quarter: quarter_of(at) };
            if !self.changes.quarters.contains_key(&id) {
                let quarter = self.shared.read(|commit| commit.quarter(id))?.unwrap_or_default();
                self.changes.quarters.insert(id, quarter);
            }
            change(Arc::make_mut(self.changes.quarters.get_mut(&id).expect("it was just put there")))?;
        }
        Ok(())
    }

    fn workspace(&mut self, id: &WorkspaceId) -> Result<usize, ViewsError> {
        if let Some(slot) = self.workspaces.get(id) {
            return Ok(*slot);
        }
        let slot = self.load_scope(ScopeName::Workspace(id.clone()))?;
        self.workspaces.insert(id.clone(), slot);
        Ok(slot)
    }

    fn subscription(&mut self, key: &SubscriptionKey) -> Result<usize, ViewsError> {
        if let Some(slot) = self.subscriptions.get(key) {
            return Ok(*slot);
        }
        let slot = self.load_scope(ScopeName::Subscription(key.clone()))?;
        self.subscriptions.insert(key.clone(), slot);
        Ok(slot)
    }

    fn load_scope(&mut self, name: ScopeName) -> Result<usize, ViewsError> {
        let scope = match self.shared.read(|commit| commit.scope(&name))? {
            Some(scope) => (*scope).clone(),
            None => {
                self.next_scope += 1;
                Scope::new(self.next_scope - 1)
            }
        };
        self.scopes.push((name, scope));
        Ok(self.scopes.len() - 1)
    }

    fn place(&self, hash: u64) -> Result<Option<Place>, ViewsError> {
        match self.changes.places.get(&hash) {
            Some(place) => Ok(Some(*place)),
            None => self.shared.read(|commit| commit.place(hash)),
        }
    }

    /// Takes the record at a place at hand, a delivery of those scopes.
    fn record(&mut self, place: Place, scopes: ScopeSlots) -> Result<usize, ViewsError> {
        if let Some(slot) = self.record_slots.get(&place) {
            return Ok(*slot);
        }
        let record = self.shared.read(|commit| commit.record(place))?;
        let damaged = || ViewsError::damaged(&PageId::states_of(place).key());
        let record = record.ok_or_else(damaged)?;
        let listed = listing_of(&record.state, &mut self.scopes[scopes.workspace].1);
        Ok(self.take_at_hand(AtHand { place, record, scopes, listed: Some(listed) }))
    }

    fn take_at_hand(&mut self, at_hand: AtHand) -> usize {
        self.record_slots.insert(at_hand.place, self.records.len());
        self.records.push(at_hand);
        self.records.len() - 1
    }

    /// Lets the deliveries at hand stand in lists as their states say.
    fn relist(&mut self) -> Result<(), ViewsError> {
        let mut relisting = Relisting::default();
        for AtHand { place, record, scopes, listed } in &self.records {
            let new = listing_of(&record.state, &mut self.scopes[scopes.workspace].1);
            if *listed != Some(new) {
                let ScopeName::Subscription(key) = &self.scopes[scopes.subscription].0 else {
                    unreachable!("a delivery is one of a subscription")
                };
                let name = name(record.delivery_id.as_str(), key.subscription_id.as_str());
                relisting.add(name, *place, *scopes, *listed, new);
            }
        }
        relisting.apply(&mut self.scopes, &self.shared, &mut self.changes.nodes)
    }

    /// Makes all changes visible together, and durable in order: after a crash the views stand at this checkpoint or at an
    /// earlier one.
    ///
    /// # Errors
    ///
    /// When a list cannot be read or a delivery does not stand in it, and when an earlier commit could not be written. The
    /// changes are lost then, and the writer is of no more use.
    pub fn commit(&mut self, checkpoint: Checkpoint) -> Result<(), ViewsError> {
        self.relist()?;
        if self.write_back.as_ref().is_some_and(WriteBack::is_finished) {
            self.finish_write_back()?;
        }
        let next = Overlay::like(&self.changes);
        let mut changes = std::mem::replace(&mut self.changes, next);
        let mut row = Vec::new();
        changes.records.extend(self.records.drain(..).map(|at_hand| {
            encode_into(&mut row, &at_hand.record);
            (at_hand.place, row.as_slice().into())
        }));
        self.record_slots.clear();
        changes.scopes = self.scopes.drain(..).map(|(name, scope)| (name, Arc::new(scope))).collect();
        self.workspaces.clear();
        self.subscriptions.clear();
        let layer_bytes = self.shared.publish(changes, checkpoint);
        if layer_bytes >= self.layer_max_bytes {
            self.finish_write_back()?;
            self.start_write_back()?;
        }
        Ok(())
    }

    fn start_write_back(&mut self) -> Result<(), ViewsError> {
        let leftovers = std::mem::take(&mut self.leftovers);
        self.write_back = Some(WriteBack::start(&self.shared, self.checkpoint(), self.next_scope, leftovers)?);
        Ok(())
    }

    fn finish_write_back(&mut self) -> Result<(), ViewsError> {
        let Some(write_back) = self.write_back.take() else { return Ok(()) };
        self.shared.pace.hurry();
        self.leftovers = write_back.join()?;
        Ok(())
    }

    /// Lets a layer that is being written be written as quickly as can be: there is much to fold.
    pub fn hurry(&self) {
        self.shared.pace.hurry();
    }

    /// Gives the views up: they are damaged, and the next opening finds that they must be rebuilt.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn give_up(&self) -> Result<(), ViewsError> {
        self.shared.generation.give_up()
    }

    /// Writes what is committed to the disk, so that less is to be folded again at the next start.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<(), ViewsError> {
        self.finish_write_back()?;
        if self.shared.root().checkpoint != self.checkpoint() {
            self.start_write_back()?;
            self.finish_write_back()?;
        }
        Ok(())
    }

    /// Makes these views the current ones of their folder, durably. `live` and all its clones answer from them from
    /// now on; the old ones are removed when the last answer from them is given.
    ///
    /// Without `live` nobody may have the old ones open, and they are removed at once. Views that have not come as
    /// far as `live` would take its readers back: that is for the caller to see to.
    ///
    /// # Errors
    ///
    /// When it cannot be written: then the old ones go on.
    pub fn take_place_of(&mut self, live: Option<&ReadModel>) -> Result<(), ViewsError> {
        self.flush()?;
        self.shared.flush()?;
        self.shared.generation.make_current()?;
        match live {
            Some(live) => live.switch_to(Arc::clone(&self.shared)),
            None => self.shared.generation.remove_others(),
        }
        Ok(())
    }
}

/// Where a delivery of that workspace stands in lists, by its state.
fn listing_of(state: &DeliveryState, workspace: &mut Scope) -> Listing {
    match &state.description {
        None => Listing::Waiting(state.first_position),
        Some(description) => {
            let event_type = workspace.number_of(&description.event_type);
            Listing::History(description.created_at, Marks::of(state, event_type))
        }
    }
}

impl Drop for ViewWriter {
    /// The thread that writes has the files open: whoever opens them next must not meet it.
    fn drop(&mut self) {
        if let Some(write_back) = self.write_back.take() {
            self.shared.pace.hurry();
            // What it would have told matters to nobody any more.
            let _ = write_back.join();
        }
    }
}
