//! What the stories are told with.

mod answer;
mod client;
mod contracts;
pub(crate) mod damage;
mod dump;
pub(crate) mod events;
mod folder;
mod ledger;
mod openapi;
mod program;
mod raw;
mod running;
mod server;
mod wait;

pub(crate) use self::answer::Answer;
pub(crate) use self::client::Client;
pub(crate) use self::dump::Dump;
pub(crate) use self::folder::copy_folder;
pub(crate) use self::ledger::{Ledger, Token, serve_workspace};
pub(crate) use self::openapi::check as check_documented;
pub(crate) use self::program::{Outcome, Program};
pub(crate) use self::raw::RawConnection;
pub(crate) use self::running::Running;
pub(crate) use self::server::{Server, Signal};
pub(crate) use self::wait::{eventually, poll};
