//! The feed over a log in memory, and segments of one on sled, asked as their routers are.

mod follow;
mod page;
mod segments;
mod support;
