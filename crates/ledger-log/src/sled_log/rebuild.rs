//! The hot tier, written and read without a log around it: for what restores one.

use std::path::Path;

use ledger_event::Position;
use sled::{Db, Tree};

use super::disk::{Disk, SledDisk};
use super::guard::guarded;
use super::{SledLogOptions, open, read};
use crate::chunk_codec::EncodedChunk;
use crate::cold::{NewSegment, SealedSegment};
use crate::event_log::{BoxError, LogError};
use crate::identity::LogIdentity;
use crate::parts;
use crate::segment::SegmentHeader;

/// How many bytes are written between two syncs.
const SYNC_BYTES: usize = 8 * 1024 * 1024;

/// A hot tier that is filled with chunks that were verified.
pub(crate) struct HotWriter {
    options: SledLogOptions,
    db: Db,
    disk: SledDisk,
    unsynced: usize,
}

impl HotWriter {
    /// Makes an empty one of a log of that identity.
    pub(crate) fn create(dir: &Path, identity: LogIdentity) -> Result<Self, LogError> {
        std::fs::create_dir_all(dir).map_err(|error| LogError::Open(error.into()))?;
        let options = SledLogOptions::at(dir);
        let (db, chunks, meta) = open::open_trees(&options).map_err(LogError::Open)?;
        open::write_identity(&meta, identity).map_err(LogError::Open)?;
        let disk = SledDisk::open(dir, &db, &chunks).map_err(LogError::Open)?;
        Ok(Self { options, db, disk, unsynced: 0 })
    }

    /// Adds a chunk.
    pub(crate) fn push(&mut self, chunk: &EncodedChunk) -> Result<(), LogError> {
        let mut write = || -> Result<(), BoxError> {
            for (key, part) in parts::split(chunk.first(), chunk.as_bytes()) {
                self.disk.write(&key.to_bytes(), part)?;
            }
            self.unsynced += chunk.as_bytes().len();
            if self.unsynced >= SYNC_BYTES {
                self.unsynced = 0;
                self.disk.sync()?;
            }
            Ok(())
        };
        guarded(&mut write).flatten().map_err(LogError::Open)
    }

    /// Makes all of it durable, and closes it.
    pub(crate) fn finish(mut self) -> Result<(), LogError> {
        guarded(|| self.disk.sync()).flatten().map_err(LogError::Open)?;
        open::sync_files(&self.options.dir, &[]).map_err(|error| LogError::Open(error.into()))?;
        drop(self.db);
        Ok(())
    }
}

/// What [`salvage`] found in a hot tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// How many chunks are whole.
    pub chunks: u64,
    /// How many are not.
    pub damaged: u64,
}

/// Copies each chunk of a hot tier that is whole into segments in another folder, one for each run that follows.
///
/// The storage engine may panic in threads of its own, or never return, on what is damaged; and it changes what it
/// opens. So this is for a process of its own, on a copy, under a limit of time: what it has finished stays.
///
/// # Errors
///
/// [`LogError::Open`] when the hot tier cannot be opened or does not know its identity; [`LogError::Segment`].
pub fn salvage(log_dir: &Path, into: &Path) -> Result<Salvaged, LogError> {
    let (_db, chunks, meta) = open::open_trees(&SledLogOptions::at(log_dir)).map_err(LogError::Open)?;
    let identity = open::read_identity(&meta)?;
    let identity = identity.ok_or_else(|| LogError::Open("the record of its format is missing".into()))?;
    let mut salvaged = Salvaged { chunks: 0, damaged: 0 };
    let mut run: Option<(NewSegment, Position)> = None;
    let mut next = first_from(&chunks, Position::START)?;
    while let Some(first) = next {
        match whole_chunk(&chunks, first, &identity) {
            Some((encoded, previous)) => {
                let follows = run.as_ref().is_some_and(|(_, end)| *end == first);
                if !follows {
                    finish(run.take())?;
                    let header = SegmentHeader { identity, first, previous };
                    run = Some((NewSegment::begin(into, header)?, first));
                }
                let (segment, end) = run.as_mut().expect("there is one from here on");
                match segment.push(&encoded) {
                    Ok(chunk) => *end = chunk.last().next(),
                    // It is whole in itself, and of another past than the one before it.
                    Err(LogError::Damaged { .. }) => salvaged.damaged += 1,
                    Err(error) => return Err(error),
                }
                salvaged.chunks += 1;
            }
            None => salvaged.damaged += 1,
        }
        next = first_from(&chunks, first)?;
    }
    finish(run)?;
    Ok(salvaged)
}

fn whole_chunk(
    chunks: &Tree,
    first: Position,
    identity: &LogIdentity,
) -> Option<(EncodedChunk, crate::event_log::ChainHash)> {
    let stored = read::parts_of(chunks, first).ok()?;
    let bytes = parts::join(first, stored.iter().map(|(key, value)| (*key, value.as_ref()))).ok()??;
    let encoded = EncodedChunk::of_stored(first, bytes);
    let chunk = encoded.verify(identity).ok()?;
    Some((encoded, chunk.previous))
}

fn finish(run: Option<(NewSegment, Position)>) -> Result<Option<SealedSegment>, LogError> {
    run.map(|(segment, end)| segment.finish_as_tail(Position::new(end.get() - 1))).transpose()
}

/// The first chunk after the one from `first`.
fn first_from(chunks: &Tree, first: Position) -> Result<Option<Position>, LogError> {
    let failed = |source: BoxError| LogError::Read { position: first, source };
    let found = guarded(|| chunks.get_gt(parts::PartKey::greatest_of(first))).map_err(failed)?;
    let found = found.map_err(|error| failed(error.into()))?;
    Ok(found.and_then(|(key, _)| parts::PartKey::of_bytes(&key)).map(|key| key.first))
}
