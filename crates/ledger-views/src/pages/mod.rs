//! Pages: blocks of rows in sled, of which a whole set is exchanged at once.
//!
//! The views change by the ten thousand rows at a time. In one batch of sled's they would hold up every user of it in the
//! process; in several, a crash would leave half of them. So a page is never overwritten: it is written under its id and
//! the **version** of the set that it belongs to, by single insertions, and readers see pages up to the version that the
//! **root** names alone. Once all pages of a version are on the disk, the root is replaced: one insertion, by which all of
//! them become valid together. Versions that a newer one has replaced are removed afterwards.
//!
//! ```text
//! page id, version       the page, compressed
//! ..., version, part     what is behind the first of several parts
//! "root"                 version, what a crash may have left, and what the views keep there
//! ```
//!
//! A crash leaves the root as it was. Pages of the version that was being written then are void: the root names that
//! version before the first of them is written, and the next opening puts it down as one to be passed over for ever.
//!
//! Reading, writing and removing a page cost O(log n) of the n pages.

mod id;
mod root;
mod store;
mod value;

pub(crate) use id::{ListKind, NodeId, PageId};
pub(crate) use root::Versions;
pub(crate) use store::{PageStore, Removal, decode, encode, encode_into};
