//! The materialized views: the rows, their layout in sled, the readers and the one writer.
//!
//! A view is a fold of the log and can be thrown away: whatever is here can be made again from
//! position 1. This crate knows what rows look like and where they lie; how events become rows is the
//! projector's. It cannot see the log.
//!
//! - [`DeliveryState`] is what is kept of a delivery; [`DeliveryRow`] is what is shown of it. [`Stats`] and [`Quarter`]
//!   are figures that any delivery's share can be taken out of again.
//! - [`ViewWriter`] is the only writer; each commit carries a [`Checkpoint`] and is atomic.
//! - [`ReadModel`] answers; every answer is of one commit and carries its position. Tools walk through all of its
//!   rows, whatever their layout.
//! - A folder of views has generations: [`Views::begin`] makes new ones beside those that are answered from, and
//!   [`ViewWriter::take_place_of`] puts them in their place, under the feet of the readers.
//!
//! From an answer down to the disk:
//!
//! ```text
//! read_model   answers                         writer       changes of the commit under way
//!        layers      what is committed: two layers of changes in memory (overlay) over ...
//!        base        pages as they are read, in a cache of bounded size, and loaded together (loads)
//!        pages       pages in sled, of which a root makes a whole set valid at once
//! ```
//!
//! Pages hold blocks of states and payloads by subscription (`block`, `rows`), lists as counted trees (`list`), figures
//! (`scope`, `day`), and the index by which a delivery's place is found (`index`). `write_back` makes pages of a layer.
//! Memory is bounded by [`ViewsOptions`], however many deliveries there are; what a read or a change costs is O(log n).

mod attempts;
mod base;
mod block;
mod checkpoint;
mod day;
mod error;
mod generations;
mod histogram;
mod index;
mod layers;
mod layout;
mod list;
mod listing;
mod loads;
mod logical;
mod names;
mod overlay;
mod pace;
mod pages;
mod pending_nodes;
mod place;
mod read_model;
mod relisting;
mod row;
mod rows;
mod scope;
mod state;
mod stats;
mod store;
mod write_back;
mod writer;

pub use attempts::Attempts;
pub use checkpoint::Checkpoint;
pub use error::ViewsError;
pub use histogram::Histogram;
pub use list::marks::Marks;
pub use list::{ListEntry, ListId};
pub use listing::Listing;
pub use logical::{KeptDelivery, KeptList};
pub use names::{DeliveryKey, ScopeName, SubscriptionKey};
pub use read_model::{DeliveryPage, PageRequest, ReadModel, StatsAnswer, WaitTimeout, WaitingPage, WaitingRow};
pub use row::{DeliveryRow, Outcome, Status};
pub use state::{
    Attempt, Cancelled, DeliveryState, DescribedBy, Description, EventKey, Finish, FinishTexts, Rescheduled,
};
pub use stats::{Figures, FinishShare, NeverPutIn, OutcomeCounts, Quarter, Stats};
pub use store::{Views, ViewsOptions};
pub use writer::{Opened, ViewWriter};
