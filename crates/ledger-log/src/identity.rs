//! Which log a chunk belongs to.

use std::fmt;

use crate::hex::{self, Hex};

/// The random id of one ledger, given when its log is created and never changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedgerId(pub [u8; 16]);

impl LedgerId {
    /// Reads the 32 hexadecimal digits that an id is written as.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::read(text).map(Self)
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What every hash of the chain is bound to, so that no chunk passes for one of another log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogIdentity {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The partition of the ledger; the embedded log has one, 0.
    pub partition: u32,
}

impl LogIdentity {
    /// How many bytes it takes.
    pub(crate) const BYTES: usize = 20;

    /// The identity of a new log with one partition.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        Ok(Self { ledger_id: LedgerId(id), partition: 0 })
    }

    /// Ledger id, then partition, big-endian.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.ledger_id.0);
        bytes[16..].copy_from_slice(&self.partition.to_be_bytes());
        bytes
    }

    pub(crate) fn of_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let (id, partition) = bytes.split_at(16);
        Self {
            ledger_id: LedgerId(id.try_into().expect("it was split at 16")),
            partition: u32::from_be_bytes(partition.try_into().expect("4 bytes are left of 20")),
        }
    }
}
