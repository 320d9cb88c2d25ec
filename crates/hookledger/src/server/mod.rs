//! `serve`: log, projector and HTTP in one process.
//!
//! [`ledger`] opens the parts and joins them, [`routes`] lays out every address, [`connections`] takes requests from
//! sockets, [`observe`] sees each one. What is asked of an operator's tools is in [`health`], [`metrics`] and [`rebuild`];
//! [`openapi`] describes every address.

mod connections;
mod health;
mod ledger;
mod metrics;
mod observe;
mod openapi;
pub(crate) mod rebuild;
mod routes;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::connections::Connections;
use self::ledger::Ledger;
use crate::data_dir::DataDir;
use crate::output;
use crate::settings::ServeSettings;
use crate::tokens_file::TokensFile;

/// Serves until SIGTERM or SIGINT, then finishes requests and writes what is in memory.
pub(crate) async fn run(settings: ServeSettings) -> anyhow::Result<()> {
    let mut stop = StopSignals::listen()?;
    let data_dir = DataDir::open_or_create(&settings.location.data_dir)?;
    let _lock = data_dir.lock()?;
    let (tokens, tokens_watch) = TokensFile::of(&data_dir).watched()?;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr().context("cannot tell the address that is listened on")?;
    let ledger = Ledger::open(&data_dir, &settings).await?;
    let (stopping, is_stopping) = watch::channel(false);
    let router = routes::router(&ledger, tokens, &settings, is_stopping);
    let tokens_task = tokio::spawn(tokens_watch.run());

    output::print(&format!("listening on http://{address}\n"))?;
    tracing::info!(%address, data_dir = %data_dir.path().display(), head = %ledger.head(), "the ledger takes requests");
    let connections = Connections::new(listener, router, &settings);
    let stopped = async {
        stop.received().await;
        stopping.send_replace(true);
    };
    connections.serve_until(stopped).await;
    tokens_task.abort();
    ledger.close().await?;
    tracing::info!("the ledger is closed");
    Ok(())
}

/// The signals that end the program in good order.
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!(signal = "SIGTERM", "the ledger finishes its requests"),
            _ = self.interrupt.recv() => tracing::info!(signal = "SIGINT", "the ledger finishes its requests"),
        }
    }
}
