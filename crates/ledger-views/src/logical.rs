//! The rows whatever their layout: what two views of the same log have in common, to the last field.
//!
//! Tools read views through this from end to end. A walk is of one commit only while nothing is written, and takes
//! bounded memory.

use std::collections::VecDeque;
use std::ops::Bound;

use ledger_event::{DeliveryId, JsonText, SubscriptionId, WorkspaceId};

use crate::error::{ViewsError, guarded};
use crate::list::{ListEntry, ListId};
use crate::list_tree::ListRoot;
use crate::names::{DeliveryKey, SubscriptionKey};
use crate::read_model::{ReadModel, newest};
use crate::state::DeliveryState;
use crate::stats::Stats;
use crate::{keys, rows};

/// How many keys of the views a walk reads at a time.
const KEYS_AT_A_TIME: usize = 256;

/// The number of a row's part stands behind its key, and takes so many bytes.
const PART_NUMBER_BYTES: usize = 4;

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

impl ReadModel {
    /// All that is kept of a delivery, also while it waits for its description.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn kept_delivery(&self, key: &DeliveryKey) -> Result<Option<KeptDelivery>, ViewsError> {
        let shared = self.shared();
        shared.read(|_| {
            let stored_key = keys::delivery(key);
            let Some(state) = shared.row::<DeliveryState>(&stored_key)? else { return Ok(None) };
            let damaged = || ViewsError::damaged(&stored_key);
            let payload = rows::get(&shared.tree, &keys::payload(key))?;
            let payload = payload.map(|bytes| payload_of(&bytes).ok_or_else(damaged)).transpose()?;
            Ok(Some(KeptDelivery { key: key.clone(), state, payload }))
        })
    }

    /// All deliveries that were ever named, those that wait for their description too.
    pub fn all_deliveries(&self) -> impl Iterator<Item = Result<DeliveryKey, ViewsError>> {
        Walk::new(self, b'd', |ids| {
            let subscription = ids.subscription()?;
            Some(DeliveryKey { subscription, delivery_id: DeliveryId::parse(ids.next()?).ok()? })
        })
    }

    /// All subscriptions that have stats.
    pub fn all_subscriptions(&self) -> impl Iterator<Item = Result<SubscriptionKey, ViewsError>> {
        Walk::new(self, b's', |ids| ids.subscription())
    }

    /// All lists that ever had an entry.
    pub fn all_lists(&self) -> impl Iterator<Item = Result<ListId, ViewsError>> {
        Walk::new(self, b'l', |ids| match ids.letter()? {
            b'w' => Some(ListId::Workspace(ids.workspace()?)),
            b's' => Some(ListId::Subscription(ids.subscription()?)),
            b'q' => Some(ListId::Waiting(ids.workspace()?)),
            _ => None,
        })
    }

    /// The stats that are kept of a subscription, if there are some.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn kept_stats(&self, key: &SubscriptionKey) -> Result<Option<Stats>, ViewsError> {
        let shared = self.shared();
        shared.read(|_| shared.row(&keys::stats(key)))
    }

    /// How many entries a list has, if it ever had one.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn list_total(&self, list: &ListId) -> Result<Option<u64>, ViewsError> {
        let shared = self.shared();
        let root = shared.read(|_| shared.row::<ListRoot>(&keys::list_root(list)))?;
        Ok(root.map(|root| root.total))
    }

    /// The entries of a list from the greatest down, after the `offset` greatest.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn list_entries(&self, list: &ListId, offset: u64, limit: usize) -> Result<Vec<ListEntry>, ViewsError> {
        let shared = self.shared();
        shared.read(|_| newest(&shared, list, offset, limit).map(|(_, entries)| entries))
    }
}

fn payload_of(bytes: &[u8]) -> Option<JsonText> {
    JsonText::parse(std::str::from_utf8(bytes).ok()?).ok()
}

/// The rows under one letter, in the order of their keys.
struct Walk<'a, T> {
    views: &'a ReadModel,
    letter: u8,
    /// The last key that was read; nothing yet at the start.
    last: Option<Vec<u8>>,
    read: VecDeque<Vec<u8>>,
    name_of: fn(&mut Ids<'_>) -> Option<T>,
    is_over: bool,
}

impl<'a, T> Walk<'a, T> {
    fn new(views: &'a ReadModel, letter: u8, name_of: fn(&mut Ids<'_>) -> Option<T>) -> Self {
        Self { views, letter, last: None, read: VecDeque::new(), name_of, is_over: false }
    }

    /// The next key that is a row's, and not that of a part of one.
    fn step(&mut self) -> Result<Option<T>, ViewsError> {
        loop {
            let Some(key) = self.next_key()? else { return Ok(None) };
            let mut ids = Ids(&key[1..]);
            match (self.name_of)(&mut ids) {
                Some(name) if ids.0.is_empty() => return Ok(Some(name)),
                Some(_) if ids.0.len() == PART_NUMBER_BYTES => {}
                Some(_) | None => return Err(ViewsError::damaged(&key)),
            }
        }
    }

    fn next_key(&mut self) -> Result<Option<Vec<u8>>, ViewsError> {
        if self.read.is_empty() {
            let start = match &self.last {
                Some(last) => Bound::Excluded(last.clone()),
                None => Bound::Included(vec![self.letter]),
            };
            let shared = self.views.shared();
            let tree = &shared.tree;
            let range = (start, Bound::Excluded(vec![self.letter + 1]));
            let keys = guarded(|| {
                let keys = tree.range(range).keys().take(KEYS_AT_A_TIME);
                keys.map(|key| Ok(key.map_err(ViewsError::Read)?.to_vec())).collect::<Result<VecDeque<_>, ViewsError>>()
            })?;
            self.last = keys.back().cloned();
            self.read = keys;
        }
        Ok(self.read.pop_front())
    }
}

impl<T> Iterator for Walk<'_, T> {
    type Item = Result<T, ViewsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let stepped = self.step().transpose();
        self.is_over = !matches!(stepped, Some(Ok(_)));
        stepped
    }
}

/// What is left of a key: ids, each behind its length.
struct Ids<'a>(&'a [u8]);

impl Ids<'_> {
    fn letter(&mut self) -> Option<u8> {
        let (&letter, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(letter)
    }

    fn next(&mut self) -> Option<&str> {
        let length = usize::from(self.letter()?);
        let (id, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(id).ok()
    }

    fn workspace(&mut self) -> Option<WorkspaceId> {
        WorkspaceId::parse(self.next()?).ok()
    }

    fn subscription(&mut self) -> Option<SubscriptionKey> {
        let workspace_id = self.workspace()?;
        Some(SubscriptionKey { workspace_id, subscription_id: SubscriptionId::parse(self.next()?).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use ledger_event::Position;

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::{Views, ViewsOptions};

    fn delivery(workspace: &str, number: usize) -> DeliveryKey {
        DeliveryKey {
            subscription: SubscriptionKey {
                workspace_id: WorkspaceId::parse(workspace).expect("it is an id"),
                subscription_id: SubscriptionId::parse(&format!("s{}", number % 3)).expect("it is an id"),
            },
            delivery_id: DeliveryId::parse(&format!("d{number}")).expect("it is an id"),
        }
    }

    fn all<T>(walk: impl Iterator<Item = Result<T, ViewsError>>) -> Vec<T> {
        walk.collect::<Result<_, _>>().expect("it reads")
    }

    #[test]
    fn every_row_is_met_once_also_beside_long_ones_that_lie_in_parts() {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let Views { reader, mut writer } =
            Views::open(dir.path(), ViewsOptions { cache_bytes: 1 << 20 }).expect("it opens");
        let mut expected = Vec::new();
        for number in 0..2 * KEYS_AT_A_TIME + 5 {
            let key = delivery(["a", "bb"][number % 2], number);
            let (state, is_new) = writer.delivery_mut(&key, Position::new(1)).expect("it reads");
            state.last_finish_texts.error = Some("x".repeat(if number % 100 == 0 { 200_000 } else { 1 }));
            assert!(is_new);
            writer.stats_mut(&key.subscription).expect("it reads");
            let entry = ListEntry {
                order: 1,
                delivery_id: key.delivery_id.clone(),
                subscription_id: key.subscription.subscription_id.clone(),
            };
            let list = ListId::Subscription(key.subscription.clone());
            assert!(writer.insert_entry(&list, entry).expect("it reads"));
            expected.push(key);
        }
        let checkpoint = Checkpoint { position: Position::new(9), ..Checkpoint::default() };
        writer.commit(checkpoint).expect("it is written");

        let mut found = all(reader.all_deliveries());
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let kept = reader.kept_delivery(&expected[0]).expect("it reads").expect("it is there");
        assert_eq!((kept.key, kept.payload), (expected[0].clone(), None));
        assert_eq!((all(reader.all_subscriptions()).len(), all(reader.all_lists()).len()), (6, 6));
        let totals = all(reader.all_lists())
            .iter()
            .map(|list| reader.list_total(list).expect("it reads").expect("it is one"))
            .sum::<u64>();
        assert_eq!(totals, expected.len() as u64);
        assert_eq!(reader.checkpoint(), checkpoint);
    }
}
