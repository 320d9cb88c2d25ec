//! The rows whatever their layout: what two views of the same log have in common, to the last field.
//!
//! Tools read views through this from end to end. A walk is of one commit only while nothing is written, and takes
//! bounded memory.

use ledger_event::{JsonText, Timestamp};

use crate::day::start_of;
use crate::error::ViewsError;
use crate::layers::Commit;
use crate::list::marks::Marks;
use crate::list::{ListEntry, ListId};
use crate::names::{DeliveryKey, ScopeName, SubscriptionKey};
use crate::place::Place;
use crate::read_model::{List, ReadModel, ids};
use crate::state::DeliveryState;
use crate::stats::{Quarter, Stats};

/// All that is kept of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptDelivery {
    /// Which.
    pub key: DeliveryKey,
    /// What events said of it.
    pub state: DeliveryState,
    /// The object that is sent.
    pub payload: Option<JsonText>,
}

/// All that is kept of a list beside its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptList {
    /// How many entries it has.
    pub total: u64,
    /// How many entries have which mark, by what its directory says.
    pub counts: Vec<(u16, u32)>,
}

impl ReadModel {
    /// All that is kept of a delivery, also while it waits for its description. O(log n) of the n deliveries.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn kept_delivery(&self, key: &DeliveryKey) -> Result<Option<KeptDelivery>, ViewsError> {
        self.read(|commit| match commit.find(key)? {
            Some(place) => Ok(kept(commit, &key.subscription, place)?),
            None => Ok(None),
        })
    }

    /// All deliveries that were ever named, those that wait for their description too.
    pub fn all_deliveries(&self) -> impl Iterator<Item = Result<KeptDelivery, ViewsError>> {
        self.all_subscriptions().flat_map(move |key| {
            let (key, error) = match key {
                Ok(key) => (Some(key), None),
                Err(error) => (None, Some(Err(error))),
            };
            key.into_iter().flat_map(move |key| self.deliveries_of(key)).chain(error)
        })
    }

    fn deliveries_of(&self, key: SubscriptionKey) -> impl Iterator<Item = Result<KeptDelivery, ViewsError>> {
        let mut number = 0;
        std::iter::from_fn(move || {
            let next = self.read(|commit| {
                let scope = commit.scope(&ScopeName::Subscription(key.clone()))?;
                let Some(scope) = scope.filter(|scope| number < scope.deliveries) else { return Ok(None) };
                let place = Place { subscription: scope.number, number };
                let damaged = || ViewsError::damaged(&place.number().to_be_bytes());
                kept(commit, &key, place)?.ok_or_else(damaged).map(Some)
            });
            number += 1;
            next.transpose()
        })
    }

    /// All workspaces and subscriptions that were ever named, in no order.
    pub fn all_scopes(&self) -> impl Iterator<Item = Result<ScopeName, ViewsError>> {
        let in_pages = {
            let mut last: Option<ScopeName> = None;
            let mut is_over = false;
            std::iter::from_fn(move || {
                if is_over {
                    return None;
                }
                let next = self.read(|commit| commit.scope_in_pages_after(last.as_ref()));
                last = next.as_ref().ok().cloned().flatten();
                is_over = last.is_none();
                next.transpose()
            })
        };
        let in_memory = std::iter::once_with(|| self.read(|commit| commit.scopes_in_memory())).flat_map(|names| {
            let (names, error) = match names {
                Ok(names) => (names, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            names.into_iter().map(Ok).chain(error)
        });
        in_pages.chain(in_memory)
    }

    /// All subscriptions that were ever named.
    pub fn all_subscriptions(&self) -> impl Iterator<Item = Result<SubscriptionKey, ViewsError>> {
        self.all_scopes().filter_map(|name| match name {
            Ok(ScopeName::Subscription(key)) => Some(Ok(key)),
            Ok(ScopeName::Workspace(_)) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// All lists, those that are empty too.
    pub fn all_lists(&self) -> impl Iterator<Item = Result<ListId, ViewsError>> {
        self.all_scopes().flat_map(|name| match name {
            Ok(ScopeName::Workspace(id)) => vec![Ok(ListId::Workspace(id.clone())), Ok(ListId::Waiting(id))],
            Ok(ScopeName::Subscription(key)) => vec![Ok(ListId::Subscription(key))],
            Err(error) => vec![Err(error)],
        })
    }

    /// The stats that are kept of a workspace or a subscription, if there are some.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn kept_stats(&self, name: &ScopeName) -> Result<Option<Stats>, ViewsError> {
        self.read(|commit| Ok(commit.scope(name)?.map(|scope| scope.stats.clone())))
    }

    /// The quarters of an hour that are kept of a workspace or a subscription, by their start.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn kept_quarters(&self, name: &ScopeName) -> Result<Vec<(Timestamp, Quarter)>, ViewsError> {
        self.read(|commit| {
            let Some(scope) = commit.scope(name)? else { return Ok(Vec::new()) };
            let quarters = commit.quarters(scope.number)?.into_iter();
            Ok(quarters.map(|(number, quarter)| (start_of(number), (*quarter).clone())).collect())
        })
    }

    /// What is kept of a list beside its entries, if its workspace or subscription was ever named.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn kept_list(&self, list: &ListId) -> Result<Option<KeptList>, ViewsError> {
        self.read(|commit| {
            let Some(list) = List::of(commit, list)? else { return Ok(None) };
            Ok(Some(KeptList { total: list.root.total, counts: list.root.counts(&mut list.nodes(commit))? }))
        })
    }

    /// The entries of a list with their marks, from the greatest down, after the `offset` greatest.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn list_entries(
        &self,
        list: &ListId,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<(ListEntry, Marks)>, ViewsError> {
        self.read(|commit| {
            let Some(list) = List::of(commit, list)? else { return Ok(Vec::new()) };
            let mut entries = Vec::new();
            list.root.newest(&mut list.nodes(commit), offset, limit, &mut |met| {
                let damaged = || ViewsError::damaged(met.key.name.as_bytes());
                let (delivery_id, subscription_id) = ids(&met).ok_or_else(damaged)?;
                entries.push((ListEntry { order: met.key.order, delivery_id, subscription_id }, met.marks));
                Ok(())
            })?;
            Ok(entries)
        })
    }
}

fn kept(commit: &Commit<'_>, subscription: &SubscriptionKey, place: Place) -> Result<Option<KeptDelivery>, ViewsError> {
    let Some(record) = commit.record(place)? else { return Ok(None) };
    let key = DeliveryKey { subscription: subscription.clone(), delivery_id: record.delivery_id };
    Ok(Some(KeptDelivery { key, state: record.state, payload: commit.payload(place)? }))
}
