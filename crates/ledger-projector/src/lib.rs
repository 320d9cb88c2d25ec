//! The projections: how events become rows, and the loop that keeps the rows current.
//!
//! [`fold`] is pure: no clock, no randomness, no I/O. [`Projector`] reads the log in order, folds and
//! commits; a commit carries its checkpoint, so a crash neither loses an event nor folds one twice in
//! effect. Live views and views made again from position 1 are the same code, and the same rows. [`Rebuilder`] makes
//! them again while the live ones serve. [`LagBound`] says when appends are to wait for the views.

mod as_of;
mod compare;
pub mod fold;
mod lag;
mod project;
mod projector;
mod read_ahead;
mod rebuild;
mod run;

pub use as_of::{position_at, stats_as_of};
pub use compare::{CompareError, Comparison, Difference, Subject, compare};
pub use lag::LagBound;
pub use project::ProjectError;
pub use projector::{COMMIT_MAX_EVENTS, Projector, ProjectorError};
pub use rebuild::{Rebuild, RebuildParts, Rebuilder};
pub use run::{ProjectorHandle, Succession, start};
