//! The feed over a log in memory, asked as its router is.

mod follow;
mod page;
mod support;
