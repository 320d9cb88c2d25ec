//! The views in their folder: opened together, shared by the readers and the writer.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::checkpoint::Checkpoint;
use crate::error::{ViewsError, guarded};
use crate::read_model::ReadModel;
use crate::shared::{GIVEN_UP, Shared};
use crate::writer::ViewWriter;
use crate::{keys, layout, rows};

/// sled keeps an item inline up to a quarter of this, and moves larger ones, and leaves of several large
/// ones, to files that it never syncs. Changing it makes existing views unreadable.
const SLED_SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// How long a file that was just closed may still be held.
const RELEASE_MAX: Duration = Duration::from_secs(1);

const RELEASE_POLL: Duration = Duration::from_millis(5);

/// How views are opened.
#[derive(Clone, Copy, Debug)]
pub struct ViewsOptions {
    /// The size of sled's cache, in bytes.
    pub cache_bytes: u64,
}

/// The views, opened.
#[derive(Debug)]
pub struct Views {
    /// Answers from them. Clones share the views.
    pub reader: ReadModel,
    /// The one writer.
    pub writer: ViewWriter,
}

impl Views {
    /// Opens the views in a folder, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When sled cannot open it, or it has another layout: then the folder can be deleted and the
    /// views made anew.
    pub fn open(dir: &Path, options: ViewsOptions) -> Result<Self, ViewsError> {
        if dir.join(GIVEN_UP).exists() {
            return Err(ViewsError::GivenUp);
        }
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(options.cache_bytes)
            .segment_size(SLED_SEGMENT_BYTES)
            .mode(sled::Mode::HighThroughput);
        let (db, tree) = guarded(|| {
            let db = open_released(&config).map_err(ViewsError::Open)?;
            let tree = db.open_tree("views").map_err(ViewsError::Open)?;
            layout::check(&tree)?;
            Ok((db, tree))
        })?;
        let checkpoint: Checkpoint = match rows::get(&tree, keys::CHECKPOINT)? {
            Some(row) => rows::decode(keys::CHECKPOINT, &row)?,
            None => Checkpoint::default(),
        };
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            db,
            tree,
            commit: RwLock::default(),
            checkpoint: watch::Sender::new(checkpoint),
        });
        Ok(Self { reader: ReadModel::new(Arc::clone(&shared)), writer: ViewWriter::new(shared) })
    }
}

/// Opens sled, which after it was closed holds its file for a moment yet: threads of its own end in the background.
fn open_released(config: &sled::Config) -> sled::Result<sled::Db> {
    let deadline = Instant::now() + RELEASE_MAX;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock") && Instant::now() < deadline =>
            {
                std::thread::sleep(RELEASE_POLL);
            }
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests;
