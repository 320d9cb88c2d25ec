//! The views in their folder: opened together, shared by the readers and the writer.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Base, Root};
use crate::error::{ViewsError, guarded};
use crate::generations::{Generation, Generations};
use crate::layers::Shared;
use crate::layout;
use crate::pace::Pace;
use crate::pages::PageStore;
use crate::read_model::ReadModel;
use crate::writer::ViewWriter;

/// sled keeps an item inline up to a quarter of this, and moves larger ones, and leaves of several large
/// ones, to files that it never syncs. Changing it makes existing views unreadable.
const SLED_SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// What pages that were read may take of the memory for caches: one in so many parts.
const PAGES_SHARE: u64 = 3;
/// What a layer of changes may take before it is written. There are two: one is written while the other gathers.
const LAYER_SHARE: u64 = 4;
/// What sled's own cache may take, which holds pages as they lie on the disk.
const SLED_SHARE: u64 = 8;

/// How long a file that was just closed may still be held.
const RELEASE_MAX: Duration = Duration::from_secs(3);

const RELEASE_POLL: Duration = Duration::from_millis(5);

/// How views are opened.
#[derive(Clone, Copy, Debug)]
pub struct ViewsOptions {
    /// What all caches and gathered changes may take together, in bytes.
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
    /// Whether a folder has views.
    ///
    /// # Errors
    ///
    /// When what it has is damaged, given up, or out of reach.
    pub fn exist(dir: &Path) -> Result<bool, ViewsError> {
        Ok(Generations::at(dir).current()?.is_some())
    }

    /// Opens the current views of a folder; where there are none, empty ones are made. Nobody else may have it open.
    ///
    /// # Errors
    ///
    /// When they cannot be opened, or have another layout: [`ViewsError::is_mended_by_rebuild`] tells whether
    /// [`Views::discard`] is the way out.
    pub fn open(dir: &Path, options: ViewsOptions) -> Result<Self, ViewsError> {
        let all = Generations::at(dir);
        if let Some(current) = all.current()? {
            current.remove_others();
            return Self::of(current, options);
        }
        all.remove_all_but(None);
        let mut views = Self::of(all.begin()?, options)?;
        views.writer.take_place_of(None)?;
        Ok(views)
    }

    /// Makes new views beside the current ones, which stay what they are. The new ones go when nobody uses them any
    /// more, unless they [take the place](ViewWriter::take_place_of) of the current ones.
    ///
    /// # Errors
    ///
    /// When they cannot be made.
    pub fn begin(dir: &Path, options: ViewsOptions) -> Result<Self, ViewsError> {
        Self::of(Generations::at(dir).begin()?, options)
    }

    /// Throws away the views of a folder that nobody has open, so that the next opening makes empty ones.
    ///
    /// # Errors
    ///
    /// When they cannot be removed.
    pub fn discard(dir: &Path) -> Result<(), ViewsError> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ViewsError::Files(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn of(generation: Generation, options: ViewsOptions) -> Result<Self, ViewsError> {
        let config = sled::Config::new()
            .path(generation.dir())
            .cache_capacity(options.cache_bytes / SLED_SHARE)
            .segment_size(SLED_SEGMENT_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::HighThroughput);
        let (db, pages, root) = guarded(|| {
            let db = open_released(&config).map_err(ViewsError::Open)?;
            let pages = PageStore::new(layout::open(&db)?);
            let root = match pages.root::<Root>()? {
                Some(root) => Root { versions: root.versions.reopened(), ..root },
                None => Root::new().map_err(ViewsError::Files)?,
            };
            // A crash may have left runs that were being merged.
            pages.remove_runs(|number| root.runs.iter().any(|run| run.number == number))?;
            Ok((db, pages, root))
        })?;
        let base = Base::new(pages, options.cache_bytes / PAGES_SHARE);
        let layer_max_bytes = usize::try_from(options.cache_bytes / LAYER_SHARE).unwrap_or(usize::MAX);
        let shared = Arc::new(Shared::new(db, base, root, Pace::new(layer_max_bytes), generation));
        Ok(Self { reader: ReadModel::new(Arc::clone(&shared)), writer: ViewWriter::new(shared, layer_max_bytes) })
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
