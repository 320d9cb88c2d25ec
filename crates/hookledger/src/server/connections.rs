//! Requests from sockets: a bounded number of connections, none that stalls for ever, and an end in good order.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use crate::settings::ServeSettings;

/// Most bytes that a connection holds of a request's head, and of an answer that is not taken.
const BUFFER_MAX_BYTES: usize = 64 * 1024;

/// How long accepting pauses after it failed: usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener and what its connections are served with.
pub(crate) struct Connections {
    listener: TcpListener,
    router: Router,
    room: Arc<Semaphore>,
    stall_timeout: Duration,
    grace: Duration,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener, router: Router, settings: &ServeSettings) -> Self {
        Self {
            listener,
            router,
            room: Arc::new(Semaphore::new(settings.max_connections)),
            stall_timeout: settings.request_timeout(),
            grace: settings.shutdown_grace(),
        }
    }

    /// Serves until `stop` is done, then lets requests that are under way finish within the grace.
    pub(crate) async fn serve_until(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = &mut stop => break,
            };
            self.spawn(accepted, &graceful);
        }
        drop(self.listener);
        if tokio::time::timeout(self.grace, graceful.shutdown()).await.is_err() {
            tracing::warn!(grace_seconds = self.grace.as_secs(), "requests were cut off: they outlasted the grace");
        }
    }

    /// Waits for room, then for a connection.
    async fn accept(&self) -> (TcpStream, OwnedSemaphorePermit) {
        let room = Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, room),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn spawn(&self, (stream, room): (TcpStream, OwnedSemaphorePermit), graceful: &GracefulShutdown) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection keeps its delay");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.stall_timeout));
        let service = TowerToHyperService::new(self.router.clone());
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(self.stall_timeout).max_buf_size(BUFFER_MAX_BYTES);
        let connection = graceful.watch(server.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            let _room = room;
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke");
            }
        });
    }
}
