//! Threads that others go before: where processors are scarce, whoever appends or reads does not wait for them.

use std::io;
use std::thread::{Builder, JoinHandle};

/// How much nicer they are.
const NICENESS: i32 = 5;

/// Starts a thread of that name, which is scheduled after those of appends and reads.
///
/// # Errors
///
/// When the system has no thread to give.
pub fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        // Where the system does not let it be nice, it is as urgent as the others.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        work()
    })
}
