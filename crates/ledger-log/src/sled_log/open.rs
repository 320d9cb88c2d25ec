//! Opening a log: its files, its identity, its tail.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledger_event::{Position, Timestamp};
use sled::{Db, Tree};

use super::SledLogOptions;
use super::disk::SledDisk;
use super::guard::guarded;
use super::journal::{self, Journal, Replayed};
use super::read;
use crate::event_log::{BoxError, ChainHash, Head, LogError};
use crate::identity::LogIdentity;
use crate::parts;

/// sled keeps an item inline up to a quarter of this. Changing it makes existing logs unreadable.
const SLED_SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// How long a file that was just closed may still be held.
const RELEASE_MAX: Duration = Duration::from_secs(1);

const RELEASE_POLL: Duration = Duration::from_millis(5);

/// Newest format of a log, and the one that is written.
const FORMAT: u32 = 1;

/// The one record of the tree `meta`: `format:u32`, then what that format says; of format 1
/// `ledger_id:16 partition:u32`.
const META_KEY: &[u8] = b"log";

/// A log, opened and checked.
pub(super) struct Opened {
    pub(super) chunks: Tree,
    pub(super) disk: SledDisk,
    pub(super) identity: LogIdentity,
    pub(super) head: Head,
    /// When its last chunk was recorded.
    pub(super) recorded_at: Timestamp,
}

/// Opens the log in `options.dir`, or makes an empty one. When it returns, all that it found is durable.
pub(super) fn open(options: &SledLogOptions) -> Result<Opened, LogError> {
    let created = create_dirs(&options.dir).map_err(|error| LogError::Open(error.into()))?;
    let (db, chunks, meta) = open_trees(options).map_err(LogError::Open)?;
    let identity = read_or_make_identity(&meta, &chunks)?;
    discard_torn_tail(&chunks)?;
    let (mut head, mut recorded_at) = find_head(&chunks, &identity)?;
    let Replayed { last, next_generation } = journal::replay(&options.dir, &chunks, &identity, head)?;
    if let Some(last) = last {
        (head, recorded_at) = (last.head(), last.recorded_at);
    }
    // What a killed process wrote may be in the machine's memory only, and is about to be served; and the journal is
    // about to be written anew.
    let file = File::open(options.dir.join("db")).map_err(|error| LogError::Open(error.into()))?;
    guarded(|| journal::make_durable(&db, &file)).flatten().map_err(LogError::Open)?;
    let journal = Journal::begin(&options.dir, &db, next_generation, options.journal_file_max_bytes);
    let disk = SledDisk::new(&chunks, journal.map_err(LogError::Open)?);
    sync_files(&options.dir, &created).map_err(|error| LogError::Open(error.into()))?;
    Ok(Opened { chunks, disk, identity, head, recorded_at })
}

/// Makes the directory and those above it; returns the ones that were not there.
fn create_dirs(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = dir.ancestors().filter(|at| !at.as_os_str().is_empty() && !at.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(dir)?;
    Ok(missing)
}

/// Makes durable the files of a log that sled has just opened, their names, and those of the directories
/// that were made. sled writes its `conf` without a sync, and does not open without it.
fn sync_files(dir: &Path, created: &[PathBuf]) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()?;
    for made in created {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn open_trees(options: &SledLogOptions) -> Result<(Db, Tree, Tree), BoxError> {
    guarded(|| {
        let config = sled::Config::new()
            .path(&options.dir)
            .segment_size(SLED_SEGMENT_BYTES)
            .cache_capacity(options.cache_bytes)
            .flush_every_ms(None);
        let db = open_released(&config)?;
        let chunks = db.open_tree("chunks")?;
        let meta = db.open_tree("meta")?;
        Ok::<_, BoxError>((db, chunks, meta))
    })
    .flatten()
}

/// Opens sled, which after it was closed holds its file for a moment yet: threads of its own end in the background.
fn open_released(config: &sled::Config) -> sled::Result<Db> {
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

fn read_or_make_identity(meta: &Tree, chunks: &Tree) -> Result<LogIdentity, LogError> {
    let stored = guarded(|| meta.get(META_KEY)).and_then(|stored| Ok(stored?)).map_err(LogError::Open)?;
    let Some(stored) = stored else { return make_identity(meta, chunks).map_err(LogError::Open) };
    let Some((format, rest)) = stored.split_first_chunk::<4>() else {
        return Err(LogError::Open("the record of its format is damaged".into()));
    };
    let format = u32::from_be_bytes(*format);
    if format > FORMAT {
        return Err(LogError::NewerFormat { what: "the log", found: format, known: FORMAT });
    }
    match <[u8; LogIdentity::BYTES]>::try_from(rest) {
        Ok(bytes) if format == FORMAT => Ok(LogIdentity::of_bytes(bytes)),
        Ok(_) | Err(_) => Err(LogError::Open("the record of its format is damaged".into())),
    }
}

fn make_identity(meta: &Tree, chunks: &Tree) -> Result<LogIdentity, BoxError> {
    if guarded(|| chunks.first())??.is_some() {
        return Err("the record of its format is missing, though there are chunks".into());
    }
    let identity = LogIdentity::random()?;
    let mut record = FORMAT.to_be_bytes().to_vec();
    record.extend_from_slice(&identity.to_bytes());
    guarded(|| meta.insert(META_KEY, record))??;
    Ok(identity)
}

/// Removes a chunk at the end that lacks its last part: a crash came between its parts, and nobody was
/// told of it. The last of its parts goes first, so that a crash in between leaves such a chunk again.
fn discard_torn_tail(chunks: &Tree) -> Result<(), LogError> {
    let Some(first) = last_chunk(chunks)? else { return Ok(()) };
    let stored = read::parts_of(chunks, first)?;
    if parts::join(first, stored.iter().map(|(key, value)| (*key, value.as_ref())))?.is_some() {
        return Ok(());
    }
    tracing::warn!(position = %first, parts = stored.len(), "discarded a chunk that was not written to its end");
    for (key, _) in stored.iter().rev() {
        guarded(|| chunks.remove(key.to_bytes())).and_then(|removed| Ok(removed?)).map_err(LogError::Open)?;
    }
    Ok(())
}

/// Where the log ends, by its last chunk, which must be whole, have the hash of its content and follow
/// the chunk before it.
fn find_head(chunks: &Tree, identity: &LogIdentity) -> Result<(Head, Timestamp), LogError> {
    let Some(first) = last_chunk(chunks)? else {
        let start = Timestamp::from_micros(0).expect("1970 is within the bounds");
        return Ok((Head { position: Position::START, hash: ChainHash::START }, start));
    };
    let chunk = read::encoded_chunk_at(chunks, first)?.verify(identity)?;
    let damaged = |reason: &str| Err(LogError::Damaged { position: first, reason: reason.to_owned() });
    let before = Position::new(first.get() - 1);
    if before == Position::START {
        return match chunk.previous == ChainHash::START {
            true => Ok((chunk.head(), chunk.recorded_at)),
            false => damaged("it is the first chunk, and says that one came before"),
        };
    }
    // The chunk before may have left sled for a segment.
    let oldest = first_chunk(chunks)?;
    if oldest < Some(first) {
        let previous = read::chunk_at(chunks, before, chunk.last())?;
        if previous.hash != chunk.previous {
            return damaged("it does not follow the chunk before it");
        }
    }
    Ok((chunk.head(), chunk.recorded_at))
}

fn first_chunk(chunks: &Tree) -> Result<Option<Position>, LogError> {
    let key = guarded(|| chunks.first()).and_then(|first| Ok(first?)).map_err(LogError::Open)?;
    key.map(|(key, _)| Ok(read::part_key(Position::START, &key)?.first)).transpose()
}

fn last_chunk(chunks: &Tree) -> Result<Option<Position>, LogError> {
    let key = guarded(|| chunks.last()).and_then(|last| Ok(last?)).map_err(LogError::Open)?;
    key.map(|(key, _)| Ok(read::part_key(Position::START, &key)?.first)).transpose()
}
