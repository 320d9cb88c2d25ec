//! Ctrl-C in the middle of work that must end in good order.

use std::fmt;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The exit code of work that was interrupted, as shells have it: 128 and the number of SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether SIGINT or SIGTERM has come. Clones hear of the same one; a second one ends the program at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

/// The work was interrupted, and what was under way is finished: it exits with [`EXIT_CODE`].
#[derive(Debug)]
pub(crate) struct Interrupted;

impl Interrupt {
    /// Listens from now on; it needs the runtime.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(tell(interrupt, terminate, sender));
        Ok(Self(receiver))
    }

    /// Waits until it has come.
    pub(crate) async fn wait(&mut self) {
        if self.0.wait_for(|has_come| *has_come).await.is_err() {
            // The runtime ends; nothing will come any more.
            std::future::pending::<()>().await;
        }
    }
}

async fn tell(mut interrupt: Signal, mut terminate: Signal, sender: watch::Sender<bool>) {
    for is_second in [false, true] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if is_second {
            std::process::exit(i32::from(EXIT_CODE));
        }
        sender.send_replace(true);
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
