//! Making sled durable, beside the appends.

use std::fs::File;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::event_log::BoxError;
use crate::sled_log::guard::guarded;

/// Makes sled durable, one time after the other, each in a thread of its own. None runs any more when it was dropped.
///
/// One thread for all would hold memory: what sled lets go of in a thread, a buffer of 8 MiB each time, is freed when the
/// thread has let go of dozens, or ends.
pub(super) struct Checkpoints {
    db: sled::Db,
    file: Arc<File>,
    running: Option<JoinHandle<Result<(), BoxError>>>,
}

impl Checkpoints {
    pub(super) fn new(db: sled::Db, file: File) -> Self {
        Self { db, file: Arc::new(file), running: None }
    }

    /// Begins one; none is running.
    pub(super) fn begin(&mut self) -> Result<(), BoxError> {
        let (db, file) = (self.db.clone(), Arc::clone(&self.file));
        let thread = std::thread::Builder::new().name("log-checkpoint".to_owned());
        self.running = Some(thread.spawn(move || guarded(|| make_durable(&db, &file)).flatten())?);
        Ok(())
    }

    /// Waits for the one that is running, if one is.
    pub(super) fn finish(&mut self) -> Result<(), BoxError> {
        let Some(thread) = self.running.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err("the thread that makes sled durable ended early".into()))
    }

    /// Sees that none has failed so far.
    pub(super) fn see_that_none_failed(&mut self) -> Result<(), BoxError> {
        match self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            true => self.finish(),
            false => Ok(()),
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        // When it has ended, nothing of ours holds sled open; what it failed of nobody waits for any more.
        let _ = self.finish();
    }
}

/// sled's flush writes its buffers and calls `sync_file_range`, which neither makes the disk write its cache nor writes
/// the file's length; `fdatasync` does both.
pub(in crate::sled_log) fn make_durable(db: &sled::Db, file: &File) -> Result<(), BoxError> {
    db.flush()?;
    file.sync_data()?;
    Ok(())
}
