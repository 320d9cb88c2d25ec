//! Where a delivery lies.

/// Where a delivery lies: its subscription's number, and how many deliveries of it were seen before.
///
/// So the deliveries of a subscription lie together, in the order in which the log first named them, and a page of them
/// touches a block or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) subscription: u32,
    pub(crate) number: u32,
}

/// How many deliveries lie in one block.
pub(crate) const BLOCK_LEN: u32 = 64;

impl Place {
    pub(crate) fn number(self) -> u64 {
        (u64::from(self.subscription) << 32) | u64::from(self.number)
    }

    pub(crate) fn of_number(number: u64) -> Self {
        let low = |number: u64| u32::try_from(number & 0xffff_ffff).expect("32 bits are left");
        Self { subscription: low(number >> 32), number: low(number) }
    }

    /// The block of its subscription that it lies in.
    pub(crate) fn block(self) -> u32 {
        self.number / BLOCK_LEN
    }

    /// Where in the block.
    pub(crate) fn slot(self) -> usize {
        (self.number % BLOCK_LEN) as usize
    }
}
