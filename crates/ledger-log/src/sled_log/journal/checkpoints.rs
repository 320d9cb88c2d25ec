//! Making sled durable, beside the appends.

use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use crate::event_log::BoxError;
use crate::sled_log::guard::guarded;

/// Makes sled durable in a thread of its own, one time after the other. The thread ends with the value.
pub(super) struct Checkpoints {
    /// None while the value is dropped.
    ask: Option<SyncSender<()>>,
    done: Receiver<Result<(), BoxError>>,
    is_running: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(super) fn start(db: sled::Db, file: File) -> Result<Self, BoxError> {
        let (ask, asked) = sync_channel(1);
        let (tell, done) = sync_channel(1);
        let thread = std::thread::Builder::new().name("log-checkpoints".to_owned());
        let thread = thread.spawn(move || {
            while let Ok(()) = asked.recv() {
                let made = guarded(|| make_durable(&db, &file)).flatten();
                if tell.send(made).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { ask: Some(ask), done, is_running: false, thread: Some(thread) })
    }

    /// Begins one; none is running.
    pub(super) fn begin(&mut self) -> Result<(), BoxError> {
        self.ask.as_ref().ok_or_else(ended)?.send(()).map_err(|_| ended())?;
        self.is_running = true;
        Ok(())
    }

    /// Waits for the one that is running, if one is.
    pub(super) fn finish(&mut self) -> Result<(), BoxError> {
        if !std::mem::take(&mut self.is_running) {
            return Ok(());
        }
        self.done.recv().map_err(|_| ended())?
    }

    /// Sees that the one that is running has not failed.
    pub(super) fn see_that_none_failed(&mut self) -> Result<(), BoxError> {
        if !self.is_running {
            return Ok(());
        }
        match self.done.try_recv() {
            Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Disconnected) => Err(ended()),
            Ok(made) => {
                self.is_running = false;
                made
            }
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // It catches what panics in it. When it has ended, nothing of ours holds sled open.
            let _ = thread.join();
        }
    }
}

/// sled's flush writes its buffers and calls `sync_file_range`, which neither makes the disk write its cache nor writes
/// the file's length; `fdatasync` does both.
pub(in crate::sled_log) fn make_durable(db: &sled::Db, file: &File) -> Result<(), BoxError> {
    db.flush()?;
    file.sync_data()?;
    Ok(())
}

fn ended() -> BoxError {
    "the thread that makes sled durable has ended".into()
}
