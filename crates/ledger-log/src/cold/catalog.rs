//! Which segments there are.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ledger_event::Position;

use super::{EXTENSION, TEMPORARY_EXTENSION, failed, segment_path, sync_folder};
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{ChainHash, Chunk, Head, LogError};
use crate::identity::LogIdentity;
use crate::segment::{FrameReader, SegmentFile, SegmentFooter, SegmentHeader};

/// How many segments are open at a time: as many as readers that go along the log at different places.
const OPEN_FILES_MAX: usize = 16;

/// How much of a segment is read at once where all of it is.
const READ_BUFFER_BYTES: usize = 1024 * 1024;

/// A segment that was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSegment {
    /// Its file.
    pub path: PathBuf,
    /// What it says of itself at its beginning.
    pub header: SegmentHeader,
    /// What it says of itself at its end.
    pub footer: SegmentFooter,
    /// How long its file is.
    pub bytes: u64,
}

impl SealedSegment {
    /// Opens the segment in that file by its two ends; what is between is not looked at.
    ///
    /// # Errors
    ///
    /// [`LogError::SegmentDamaged`], [`LogError::NewerFormat`]; [`LogError::Segment`] when it cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, LogError> {
        SegmentFile::open(path).map(|file| Self::of(path, &file))
    }

    fn of(path: &Path, file: &SegmentFile) -> Self {
        Self { path: path.to_owned(), header: *file.header(), footer: *file.footer(), bytes: file.bytes() }
    }

    /// Reads all of it, and sees that every byte is what was written; what the chunks hold is not hashed.
    ///
    /// # Errors
    ///
    /// As [`SealedSegment::of_file`].
    pub fn check(&self) -> Result<(), LogError> {
        let footer = read_all(&self.path, |_| {})?;
        match footer == self.footer {
            true => Ok(()),
            false => Err(LogError::SegmentDamaged {
                path: self.path.clone(),
                position: self.header.first,
                reason: "it is not the segment that was opened".to_owned(),
            }),
        }
    }
}

/// Reads a segment to its end and gives its footer; `seen` gets the bytes as they are read.
pub(crate) fn read_all(path: &Path, seen: impl FnMut(&[u8])) -> Result<SegmentFooter, LogError> {
    let file = File::open(path).map_err(|error| failed("read", path, &error))?;
    let input = BufReader::with_capacity(READ_BUFFER_BYTES, Observed { file, seen });
    let footer = || {
        let mut frames = FrameReader::open(input)?;
        while frames.next_frame()?.is_some() {}
        Ok(*frames.footer().expect("the end of a segment is its footer"))
    };
    footer().map_err(|error: LogError| error.in_segment(path))
}

/// A file whose reads are seen.
struct Observed<F> {
    file: File,
    seen: F,
}

impl<F: FnMut(&[u8])> io::Read for Observed<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        (self.seen)(&buffer[..length]);
        Ok(length)
    }
}

/// The segments of a log, without a hole from position 1 on.
pub(crate) struct Catalog {
    dir: PathBuf,
    segments: RwLock<Vec<Arc<SealedSegment>>>,
    open: Mutex<VecDeque<Arc<SegmentFile>>>,
}

impl Catalog {
    /// Opens the segments of a folder, by their ends; the folder need not be there. What was not written to its end is removed.
    pub(crate) fn open(dir: &Path) -> Result<Self, LogError> {
        let mut segments: Vec<Arc<SealedSegment>> = Vec::new();
        for path in files_of(dir)? {
            let segment = SealedSegment::of_file(&path)?;
            see_that_it_follows(segments.last().map(|last| &**last), &segment)?;
            segments.push(Arc::new(segment));
        }
        Ok(Self { dir: dir.to_owned(), segments: RwLock::new(segments), open: Mutex::default() })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Which log they are of; `None` when there are none.
    pub(crate) fn identity(&self) -> Option<LogIdentity> {
        self.read().first().map(|segment| segment.header.identity)
    }

    /// Where they end; the start of a log when there are none.
    pub(crate) fn end(&self) -> Head {
        let start = Head { position: Position::START, hash: ChainHash::START };
        self.read().last().map_or(start, |last| Head { position: last.footer.last, hash: last.footer.hash })
    }

    /// All of them, by rising position.
    pub(crate) fn list(&self) -> Vec<Arc<SealedSegment>> {
        self.read().clone()
    }

    /// Adds the segment that was just sealed.
    pub(crate) fn add(&self, segment: SealedSegment) -> Result<(), LogError> {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        see_that_it_follows(segments.last().map(|last| &**last), &segment)?;
        segments.push(Arc::new(segment));
        Ok(())
    }

    /// Reads the chunk that holds the event at `position`; `None` beyond the segments.
    pub(crate) fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError> {
        let Some(segment) = self.holder_of(position) else { return Ok(None) };
        self.opened(&segment)?.encoded_chunk_at(position).map(|(encoded, _)| Some(encoded))
    }

    /// The same, decoded, and seen to end where the next one begins.
    pub(crate) fn chunk_at(&self, position: Position) -> Result<Option<Chunk>, LogError> {
        let Some(segment) = self.holder_of(position) else { return Ok(None) };
        let (encoded, next) = self.opened(&segment)?.encoded_chunk_at(position)?;
        let chunk = encoded.decode().map_err(|error| error.in_segment(&segment.path))?;
        if chunk.last().next() == next {
            return Ok(Some(chunk));
        }
        let reason = format!("it ends at {}, and the next chunk begins at {next}", chunk.last());
        Err(LogError::SegmentDamaged { path: segment.path.clone(), position: chunk.first, reason })
    }

    /// About how many bytes the chunks from there on take.
    pub(crate) fn bytes_from(&self, position: Position) -> Result<u64, LogError> {
        let mut bytes = 0;
        for segment in self.list().iter().rev() {
            if segment.header.first < position {
                let within = segment.footer.last >= position;
                return Ok(bytes + if within { self.opened(segment)?.bytes_from(position)? } else { 0 });
            }
            bytes += segment.bytes;
        }
        Ok(bytes)
    }

    fn holder_of(&self, position: Position) -> Option<Arc<SealedSegment>> {
        let segments = self.read();
        let at = segments.partition_point(|segment| segment.footer.last < position);
        segments.get(at).filter(|segment| segment.header.first <= position).cloned()
    }

    /// The file of a segment, opened when it is not; that which was not used for longest is closed.
    fn opened(&self, segment: &SealedSegment) -> Result<Arc<SegmentFile>, LogError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|file| file.header().first == segment.header.first);
        let file = match found.and_then(|at| open.remove(at)) {
            Some(file) => file,
            None => {
                let file = Arc::new(SegmentFile::open(&segment.path)?);
                if (file.header(), file.footer()) != (&segment.header, &segment.footer) {
                    let (path, position) = (segment.path.clone(), segment.header.first);
                    let reason = "another segment is in its place".to_owned();
                    return Err(LogError::SegmentDamaged { path, position, reason });
                }
                file
            }
        };
        open.push_back(Arc::clone(&file));
        if open.len() > OPEN_FILES_MAX {
            open.pop_front();
        }
        Ok(file)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<SealedSegment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of segments in a folder, by rising position. What was not written to its end is removed.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>, LogError> {
    let cannot = |error: io::Error| failed("list", dir, &error);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cannot)?,
    };
    let mut files = Vec::new();
    let mut removed = false;
    for entry in entries {
        let path = entry.map_err(cannot)?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => files.push(path),
            Some(TEMPORARY_EXTENSION) if path.is_file() => {
                fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
                removed = true;
            }
            Some(_) | None => {}
        }
    }
    if removed {
        sync_folder(dir).map_err(cannot)?;
    }
    files.sort();
    Ok(files)
}

fn see_that_it_follows(last: Option<&SealedSegment>, next: &SealedSegment) -> Result<(), LogError> {
    let first = next.header.first;
    let damaged =
        |position, reason: String| Err(LogError::SegmentDamaged { path: next.path.clone(), position, reason });
    if next.path.file_name() != segment_path(Path::new(""), first).file_name() {
        return damaged(first, format!("it begins at position {first}, which is not what it is named by"));
    }
    let expected = last.map_or(Position::new(1), |last| last.footer.last.next());
    if first != expected {
        return damaged(expected, format!("the segment from position {expected} is missing before it"));
    }
    if next.header.previous != last.map_or(ChainHash::START, |last| last.footer.hash) {
        return damaged(first, "it does not follow the segment before it in the chain".to_owned());
    }
    if last.is_some_and(|last| last.header.identity != next.header.identity) {
        return damaged(first, "it is of another log than the segment before it".to_owned());
    }
    Ok(())
}
