//! The projector on logs in memory and views on the disk.

mod compare_and_as_of;
mod lag;
mod live_equals_rebuilt;
mod rebuild;
mod support;
