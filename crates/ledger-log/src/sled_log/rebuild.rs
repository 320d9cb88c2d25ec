//! The hot tier, written and read without a log around it: for what restores one.

use std::fs::File;
use std::path::{Path, PathBuf};

use ledger_event::Position;
use sled::{Db, Tree};

use super::guard::guarded;
use super::{SledLogOptions, clean_end, journal, open, read, store};
use crate::chunk_codec::EncodedChunk;
use crate::cold::NewSegment;
use crate::event_log::{BoxError, ChainHash, LogError};
use crate::identity::LogIdentity;
use crate::parts;
use crate::segment::SegmentHeader;

/// How many bytes are written between two syncs.
const SYNC_BYTES: usize = 8 * 1024 * 1024;

/// A hot tier that is filled with chunks that were verified.
pub(crate) struct HotWriter {
    dir: PathBuf,
    db: Db,
    chunks: Tree,
    file: File,
    unsynced: usize,
}

impl HotWriter {
    /// Makes an empty one of a log of that identity.
    pub(crate) fn create(dir: &Path, identity: LogIdentity) -> Result<Self, LogError> {
        std::fs::create_dir_all(dir).map_err(|error| LogError::Open(error.into()))?;
        let (db, chunks, meta) = open::open_trees(&SledLogOptions::at(dir)).map_err(LogError::Open)?;
        open::write_identity(&meta, identity).map_err(LogError::Open)?;
        store::put_fence(&chunks).map_err(LogError::Open)?;
        let file = File::open(dir.join("db")).map_err(|error| LogError::Open(error.into()))?;
        Ok(Self { dir: dir.to_owned(), db, chunks, file, unsynced: 0 })
    }

    /// Adds a chunk.
    pub(crate) fn push(&mut self, chunk: &EncodedChunk) -> Result<(), LogError> {
        store::put(&self.chunks, chunk).map_err(LogError::Open)?;
        self.unsynced += chunk.as_bytes().len();
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), LogError> {
        guarded(|| journal::make_durable(&self.db, &self.file)).flatten().map_err(LogError::Open)
    }

    /// Makes all of it durable, and closes it.
    pub(crate) fn finish(self) -> Result<(), LogError> {
        self.sync()?;
        let end = || open::sync_files(&self.dir, &[]).and_then(|()| clean_end::set(&self.dir));
        end().map_err(|error| LogError::Open(error.into()))
    }
}

/// What [`salvage`] found in a hot tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// How many chunks are whole, in sled and in the journal.
    pub chunks: u64,
    /// How many in sled are not.
    pub damaged: u64,
}

/// Copies each chunk of a hot tier that is whole into segments in another folder, one for each run that follows: first
/// those of the journal, then those of sled.
///
/// The storage engine may panic in threads of its own, or never return, on what is damaged; and it changes what it
/// opens. So this is for a process of its own, on a copy, under a limit of time: what it has finished stays.
///
/// # Errors
///
/// [`LogError::Open`] when the hot tier cannot be opened or does not know its identity; [`LogError::Segment`].
pub fn salvage(log_dir: &Path, into: &Path) -> Result<Salvaged, LogError> {
    let mut salvaged = Salvaged::default();
    let mut runs = Runs { into, run: None };
    let journal = journal::whole_chunks(log_dir).map_err(|error| LogError::Open(error.into()))?;
    for (identity, encoded) in journal {
        let previous = encoded.decode()?.previous;
        salvaged.count(runs.push(identity, &encoded, previous)?);
    }
    runs.finish()?;

    let (_db, chunks, meta) = open::open_trees(&SledLogOptions::at(log_dir)).map_err(LogError::Open)?;
    let identity = open::read_identity(&meta)?;
    let identity = identity.ok_or_else(|| LogError::Open("the record of its format is missing".into()))?;
    let mut next = first_from(&chunks, Position::START)?;
    while let Some(first) = next {
        match whole_chunk(&chunks, first, &identity) {
            Some((encoded, previous)) => salvaged.count(runs.push(identity, &encoded, previous)?),
            None => salvaged.damaged += 1,
        }
        next = first_from(&chunks, first)?;
    }
    runs.finish()?;
    Ok(salvaged)
}

impl Salvaged {
    fn count(&mut self, is_whole: bool) {
        self.chunks += u64::from(is_whole);
        self.damaged += u64::from(!is_whole);
    }
}

/// Runs of chunks that follow, each as a segment.
struct Runs<'a> {
    into: &'a Path,
    /// The one that is being written, of which log it is, and where its next chunk begins.
    run: Option<(NewSegment, LogIdentity, Position)>,
}

impl Runs<'_> {
    /// Adds a chunk; `false` when it is of another past than the one before it.
    fn push(&mut self, identity: LogIdentity, encoded: &EncodedChunk, previous: ChainHash) -> Result<bool, LogError> {
        let first = encoded.first();
        if !self.run.as_ref().is_some_and(|(_, of, end)| *of == identity && *end == first) {
            self.finish()?;
            let header = SegmentHeader { identity, first, previous };
            self.run = Some((NewSegment::begin(self.into, header)?, identity, first));
        }
        let (segment, _, end) = self.run.as_mut().expect("there is one from here on");
        match segment.push(encoded) {
            Ok(chunk) => *end = chunk.last().next(),
            // It is whole in itself.
            Err(LogError::Damaged { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        let Some((segment, _, end)) = self.run.take() else { return Ok(()) };
        segment.finish_as_tail(Position::new(end.get() - 1)).map(drop)
    }
}

fn whole_chunk(chunks: &Tree, first: Position, identity: &LogIdentity) -> Option<(EncodedChunk, ChainHash)> {
    let stored = read::parts_of(chunks, first).ok()?;
    let bytes = parts::join(first, stored.iter().map(|(key, value)| (*key, value.as_ref()))).ok()??;
    let encoded = EncodedChunk::of_stored(first, bytes);
    let chunk = encoded.verify(identity).ok()?;
    Some((encoded, chunk.previous))
}

/// The first chunk after the one from `first`.
fn first_from(chunks: &Tree, first: Position) -> Result<Option<Position>, LogError> {
    let failed = |source: BoxError| LogError::Read { position: first, source };
    let found = guarded(|| chunks.get_gt(parts::PartKey::greatest_of(first))).map_err(failed)?;
    let found = found.map_err(|error| failed(error.into()))?;
    let found = found.and_then(|(key, _)| parts::PartKey::of_bytes(&key));
    Ok(found.filter(|key| *key < store::FENCE).map(|key| key.first))
}
