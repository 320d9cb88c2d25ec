//! What pages there are, and the keys they lie under.
//!
//! Each kind has a letter of its own. Numbers are big-endian, so that pages lie in their order; names are
//! length-prefixed, so that no key is the beginning of another kind's.
//!
//! | letter | id | page |
//! |---|---|---|
//! | `s` | workspace, subscription; or workspace | a [`Scope`](crate::scope::Scope) |
//! | `d` | subscription, block, `s` | states of deliveries |
//! | `d` | subscription, block, `p` | their payloads: beside the states, so that one read of sled's has both |
//! | `l` | place | a payload that is too large for its block |
//! | `n` | scope, list, node | a node of a list |
//! | `q` | scope, day | the quarters of an hour of a day |
//! | `i` | run, bucket | a part of the index of deliveries |
//! | `f` | run, group | a filter of that index |

use ledger_event::{SubscriptionId, WorkspaceId};

use crate::names::{ScopeName, SubscriptionKey};
use crate::place::Place;

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PageId {
    Scope(ScopeName),
    States { subscription: u32, block: u32 },
    Payloads { subscription: u32, block: u32 },
    LargePayload(Place),
    Node(NodeId),
    Day { scope: u32, day: i32 },
    Bucket { run: u32, bucket: u32 },
    Filter { run: u32, group: u32 },
}

/// Which node of which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId {
    pub(crate) scope: u32,
    pub(crate) list: ListKind,
    pub(crate) node: u32,
}

/// The lists of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ListKind {
    History,
    Waiting,
}

/// The letter of scopes, by which all of them are found.
pub(crate) const SCOPES: u8 = b's';
/// The letter of the index, by which runs that nothing names any more are found.
pub(crate) const BUCKETS: u8 = b'i';
/// The letter of its filters.
pub(crate) const FILTERS: u8 = b'f';

const DAYS: u8 = b'q';
/// So that days before 1970 come first.
const DAY_SIGN: u32 = 1 << 31;

const WORKSPACE: u8 = b'w';
const SUBSCRIPTION: u8 = b's';

impl PageId {
    /// The block of states that a delivery lies in.
    pub(crate) fn states_of(place: Place) -> Self {
        Self::States { subscription: place.subscription, block: place.block() }
    }

    /// The block of payloads that a delivery lies in.
    pub(crate) fn payloads_of(place: Place) -> Self {
        Self::Payloads { subscription: place.subscription, block: place.block() }
    }

    /// The key, without a version.
    pub(crate) fn key(&self) -> Vec<u8> {
        match self {
            Self::Scope(name) => scope_key(name),
            Self::States { subscription, block } => block_key(*subscription, *block, b's'),
            Self::Payloads { subscription, block } => block_key(*subscription, *block, b'p'),
            Self::LargePayload(place) => numbers(b'l', place.subscription, place.number),
            Self::Node(id) => {
                let mut key = numbers(b'n', id.scope, id.node);
                key.insert(5, id.list as u8);
                key
            }
            Self::Day { scope, day } => numbers(DAYS, *scope, day.cast_unsigned() ^ DAY_SIGN),
            Self::Bucket { run, bucket } => numbers(BUCKETS, *run, *bucket),
            Self::Filter { run, group } => numbers(FILTERS, *run, *group),
        }
    }
}

fn numbers(letter: u8, first: u32, second: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(32);
    key.push(letter);
    key.extend(first.to_be_bytes());
    key.extend(second.to_be_bytes());
    key
}

fn block_key(subscription: u32, block: u32, of: u8) -> Vec<u8> {
    let mut key = numbers(b'd', subscription, block);
    key.push(of);
    key
}

fn scope_key(name: &ScopeName) -> Vec<u8> {
    let with_ids = |kind: u8, ids: &[&str]| {
        let mut key = vec![SCOPES, kind];
        for id in ids {
            key.push(u8::try_from(id.len()).expect("ids are at most 255 bytes"));
            key.extend_from_slice(id.as_bytes());
        }
        key
    };
    match name {
        ScopeName::Workspace(workspace_id) => with_ids(WORKSPACE, &[workspace_id.as_str()]),
        ScopeName::Subscription(SubscriptionKey { workspace_id, subscription_id }) => {
            with_ids(SUBSCRIPTION, &[workspace_id.as_str(), subscription_id.as_str()])
        }
    }
}

/// What the keys of a scope's days begin with.
pub(crate) fn days_prefix(scope: u32) -> Vec<u8> {
    [&[DAYS][..], &scope.to_be_bytes()].concat()
}

/// The day whose page a key is.
pub(crate) fn day_of(key: &[u8]) -> Option<i32> {
    let day = key.get(5..9)?.try_into().ok()?;
    Some((u32::from_be_bytes(day) ^ DAY_SIGN).cast_signed())
}

/// The scope whose page a key is, and what stands behind its id.
pub(crate) fn scope_of(key: &[u8]) -> Option<(ScopeName, &[u8])> {
    let (kind, mut rest) = key.strip_prefix(&[SCOPES])?.split_first()?;
    let workspace_id = WorkspaceId::parse(take_id(&mut rest)?).ok()?;
    let name = match *kind {
        WORKSPACE => ScopeName::Workspace(workspace_id),
        SUBSCRIPTION => {
            let subscription_id = SubscriptionId::parse(take_id(&mut rest)?).ok()?;
            ScopeName::Subscription(SubscriptionKey { workspace_id, subscription_id })
        }
        _ => return None,
    };
    Some((name, rest))
}

fn take_id<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (&length, behind) = rest.split_first()?;
    let (id, behind) = behind.split_at_checked(usize::from(length))?;
    *rest = behind;
    std::str::from_utf8(id).ok()
}
