//! What a delivery is found by.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::names::DeliveryKey;

/// The key of the hash, drawn when views are begun: senders choose ids, and must not be able to choose their hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HashKey(pub(crate) u64, pub(crate) u64);

impl HashKey {
    pub(crate) fn hash(self, delivery: &DeliveryKey) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        let subscription = &delivery.subscription;
        for id in
            [subscription.workspace_id.as_str(), subscription.subscription_id.as_str(), delivery.delivery_id.as_str()]
        {
            hasher.write(id.as_bytes());
            // No id has it.
            hasher.write_u8(0);
        }
        hasher.finish()
    }
}
