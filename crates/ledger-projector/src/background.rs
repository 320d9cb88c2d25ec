//! Threads that others go before.

use std::io;
use std::thread::{Builder, JoinHandle};

/// How much nicer they are: where processors are scarce, appends and reads come first, and the views follow.
const NICENESS: i32 = 5;

/// Starts a thread of that name, which is scheduled after those of appends and reads.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        // Where the system does not let it be nice, it is as urgent as the others.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        work()
    })
}
