//! Making a segment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ledger_event::Position;

use super::{
    SealedSegment, TEMPORARY_EXTENSION, create_folder, failed, read_all, segment_path, sync_folder, tail_path,
};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{Chunk, LogError};
use crate::segment::{SegmentHeader, SegmentWriter};

/// How much is written at once: sequential writes of this size cost the disk's other users least.
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

/// A segment that is being written. It has another name until it is whole and was read back; one that is let go of
/// before leaves nothing behind.
pub struct NewSegment {
    writer: SegmentWriter<BufWriter<Hashed>>,
    header: SegmentHeader,
    temporary: Temporary,
}

/// A file, and the hash of what was written into it.
struct Hashed {
    file: File,
    hasher: blake3::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewSegment {
    /// Begins a segment in a folder, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// [`LogError::Segment`] when the file cannot be written.
    pub fn begin(dir: &Path, header: SegmentHeader) -> Result<Self, LogError> {
        create_folder(dir).map_err(|error| failed("make the folder of", dir, &error))?;
        let temporary = Temporary::beside(&segment_path(dir, header.first));
        let file = temporary.create().map_err(|error| failed("write", &temporary.path, &error))?;
        let output = BufWriter::with_capacity(WRITE_BUFFER_BYTES, Hashed { file, hasher: blake3::Hasher::new() });
        let writer = SegmentWriter::new(output, header)?;
        Ok(Self { writer, header, temporary })
    }

    /// Adds a chunk, as [`SegmentWriter::push`] does: its hash is that of its content, and it follows.
    ///
    /// # Errors
    ///
    /// [`LogError::Damaged`] of the chunk; [`LogError::Segment`] when the file cannot be written.
    pub fn push(&mut self, encoded: &EncodedChunk) -> Result<Chunk, LogError> {
        self.writer.push(encoded)
    }

    /// Adds a chunk that was read from sled, as [`SegmentWriter::push_checked`] does; returns its last position.
    ///
    /// # Errors
    ///
    /// As [`NewSegment::push`].
    pub(crate) fn push_checked(&mut self, encoded: &EncodedChunk) -> Result<Position, LogError> {
        self.writer.push_checked(encoded)
    }

    /// How many bytes it has so far.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.writer.written_bytes()
    }

    /// Ends it, syncs it, reads it back, and gives it its name.
    ///
    /// What is read back is held against the hash of what was written, and each chunk was held against its own, or
    /// against its checksum, before.
    ///
    /// # Errors
    ///
    /// [`LogError::SegmentDamaged`] when it does not read back as it was written; [`LogError::Segment`].
    pub fn finish(self) -> Result<SealedSegment, LogError> {
        let name = segment_path(Path::new(""), self.header.first);
        self.finish_as(&name)
    }

    /// The same under the name of a copy of a hot tier up to that position.
    ///
    /// # Errors
    ///
    /// As [`NewSegment::finish`].
    pub fn finish_as_tail(self, last: Position) -> Result<SealedSegment, LogError> {
        let name = tail_path(Path::new(""), self.header.first, last);
        self.finish_as(&name)
    }

    fn finish_as(self, name: &Path) -> Result<SealedSegment, LogError> {
        let Self { writer, header, mut temporary } = self;
        let cannot = |error: &io::Error| failed("write", &temporary.path, error);
        let (output, footer) = writer.finish()?;
        let Hashed { file, hasher } = output.into_inner().map_err(|error| cannot(error.error()))?;
        file.sync_all().map_err(|error| cannot(&error))?;
        let bytes = file.metadata().map_err(|error| cannot(&error))?.len();
        drop(file);
        let mut read = blake3::Hasher::new();
        let found = read_all(&temporary.path, |bytes| {
            read.update(bytes);
        })?;
        if found != footer || read.finalize() != hasher.finalize() {
            let (path, reason) = (temporary.path.clone(), "it does not read back as it was written".to_owned());
            return Err(LogError::SegmentDamaged { path, position: header.first, reason });
        }
        let path = temporary.path.with_file_name(name);
        temporary.rename(&path).map_err(|error| failed("name", &path, &error))?;
        Ok(SealedSegment { path, header, footer, bytes })
    }
}

/// A file under a name that nobody takes for a segment; it goes with the value, unless it was renamed.
pub(super) struct Temporary {
    pub(super) path: PathBuf,
    is_renamed: bool,
}

impl Temporary {
    pub(super) fn beside(path: &Path) -> Self {
        Self { path: path.with_added_extension(TEMPORARY_EXTENSION), is_renamed: false }
    }

    /// Makes the file, for its owner alone: it holds what webhooks carried. What an earlier run left under its name is
    /// replaced.
    pub(super) fn create(&self) -> io::Result<File> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)
    }

    /// Gives it its name, durably.
    pub(super) fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.is_renamed = true;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(folder)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            // What cannot be removed now is removed when the folder is opened.
            let _ = fs::remove_file(&self.path);
        }
    }
}
