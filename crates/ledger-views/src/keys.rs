//! Where rows lie: one sled tree, each kind of row under a letter of its own.
//!
//! Ids in keys are length-prefixed, so no key is a prefix of another kind's and no two ids run together.
//!
//! | letter | key | row |
//! |---|---|---|
//! | `m` | name | checkpoint, layout version |
//! | `d` | workspace, subscription, delivery | [`DeliveryState`](crate::DeliveryState) |
//! | `p` | workspace, subscription, delivery | the payload, as JSON text |
//! | `s` | workspace, subscription | [`Stats`](crate::Stats) |
//! | `l` | list | root and count of a list |
//! | `n` | list, node number | a node of a list |

use crate::list::ListId;
use crate::names::{DeliveryKey, SubscriptionKey};

pub(crate) const CHECKPOINT: &[u8] = b"mcheckpoint";
pub(crate) const LAYOUT: &[u8] = b"mlayout";

fn push_id(key: &mut Vec<u8>, id: &str) {
    key.push(u8::try_from(id.len()).expect("ids are at most 255 bytes"));
    key.extend_from_slice(id.as_bytes());
}

fn push_subscription(key: &mut Vec<u8>, subscription: &SubscriptionKey) {
    push_id(key, subscription.workspace_id.as_str());
    push_id(key, subscription.subscription_id.as_str());
}

fn delivery_row(letter: u8, delivery: &DeliveryKey) -> Vec<u8> {
    let mut key = vec![letter];
    push_subscription(&mut key, &delivery.subscription);
    push_id(&mut key, delivery.delivery_id.as_str());
    key
}

pub(crate) fn delivery(delivery: &DeliveryKey) -> Vec<u8> {
    delivery_row(b'd', delivery)
}

pub(crate) fn payload(delivery: &DeliveryKey) -> Vec<u8> {
    delivery_row(b'p', delivery)
}

pub(crate) fn stats(subscription: &SubscriptionKey) -> Vec<u8> {
    let mut key = vec![b's'];
    push_subscription(&mut key, subscription);
    key
}

fn push_list(key: &mut Vec<u8>, list: &ListId) {
    match list {
        ListId::Workspace(workspace) => {
            key.push(b'w');
            push_id(key, workspace.as_str());
        }
        ListId::Subscription(subscription) => {
            key.push(b's');
            push_subscription(key, subscription);
        }
        ListId::Waiting(workspace) => {
            key.push(b'q');
            push_id(key, workspace.as_str());
        }
    }
}

pub(crate) fn list_root(list: &ListId) -> Vec<u8> {
    let mut key = vec![b'l'];
    push_list(&mut key, list);
    key
}

pub(crate) fn list_node(list: &ListId, node: u64) -> Vec<u8> {
    let mut key = vec![b'n'];
    push_list(&mut key, list);
    key.extend_from_slice(&node.to_be_bytes());
    key
}
