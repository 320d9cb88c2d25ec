//! A second copy of each segment, in another folder: on another disk, if it is to be of use.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::sealing::Temporary;
use super::{SealedSegment, create_folder, failed, read_all, segment_path};
use crate::event_log::LogError;

/// A folder of copies.
#[derive(Clone, Debug)]
pub struct Archive {
    dir: PathBuf,
}

impl Archive {
    /// The copies in that folder, which is made with the first one.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Sees that a copy of the segment is there: copies it, synced and read back, when there is none. Whether it copied.
    ///
    /// A segment that is there already is held against this one by header, footer and length; another one is an
    /// error, and stays.
    ///
    /// # Errors
    ///
    /// [`LogError::SegmentDamaged`] when the segment is, or another one is there; [`LogError::Segment`].
    pub fn keep(&self, segment: &SealedSegment) -> Result<bool, LogError> {
        let path = segment_path(&self.dir, segment.header.first);
        let is_there = path.try_exists().map_err(|error| failed("look for", &path, &error))?;
        if !is_there {
            return self.copy(segment, &path).map(|()| true);
        }
        let kept = SealedSegment::of_file(&path)?;
        if (kept.header, kept.footer, kept.bytes) == (segment.header, segment.footer, segment.bytes) {
            return Ok(false);
        }
        let reason = "the archive has another segment under this name, which is left as it is: move it away, or \
                      name another folder";
        Err(LogError::SegmentDamaged { path, position: segment.header.first, reason: reason.to_owned() })
    }

    fn copy(&self, segment: &SealedSegment, path: &Path) -> Result<(), LogError> {
        create_folder(&self.dir).map_err(|error| failed("make the folder of", &self.dir, &error))?;
        let mut temporary = Temporary::beside(path);
        let cannot = |error: io::Error| failed("copy", path, &error);
        let mut from = File::open(&segment.path).map_err(|error| failed("read", &segment.path, &error))?;
        let mut to = temporary.create().map_err(cannot)?;
        io::copy(&mut from, &mut to).map_err(cannot)?;
        to.sync_all().map_err(cannot)?;
        drop(to);
        let (mut read, mut original) = (blake3::Hasher::new(), blake3::Hasher::new());
        let footer = read_all(&temporary.path, |bytes| {
            read.update(bytes);
        })?;
        io::copy(&mut File::open(&segment.path).map_err(cannot)?, &mut original).map_err(cannot)?;
        if footer != segment.footer || read.finalize() != original.finalize() {
            let (path, reason) = (temporary.path.clone(), "it does not read back as it was copied".to_owned());
            return Err(LogError::SegmentDamaged { path, position: segment.header.first, reason });
        }
        temporary.rename(path).map_err(cannot)
    }
}
