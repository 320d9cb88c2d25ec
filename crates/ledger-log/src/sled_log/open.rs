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
use super::journal::{self, Journal};
use super::{clean_end, read, store, witness};
use crate::cold::Catalog;
use crate::event_log::{BoxError, ChainHash, Head, LogError};
use crate::identity::LogIdentity;
use crate::parts;

/// sled keeps an item inline up to a quarter of this. Changing it makes existing logs unreadable.
const SLED_SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// How long a file that was just closed may still be held.
const RELEASE_MAX: Duration = Duration::from_secs(3);

const RELEASE_POLL: Duration = Duration::from_millis(5);

/// Newest format of a log, and the one that is written.
const FORMAT: u32 = 1;

/// The one record of the tree `meta`: `format:u32`, then what that format says; of format 1
/// `ledger_id:16 partition:u32`.
const META_KEY: &[u8] = b"log";

/// A log, opened and checked.
pub(super) struct Opened {
    pub(super) chunks: Tree,
    pub(super) cold: Catalog,
    pub(super) disk: SledDisk,
    pub(super) identity: LogIdentity,
    pub(super) head: Head,
    /// When its last chunk was recorded.
    pub(super) recorded_at: Timestamp,
}

/// Opens the log in `options.dir`, or makes an empty one. When it returns, all that it found is durable.
pub(super) fn open(options: &SledLogOptions) -> Result<Opened, LogError> {
    let cold = Catalog::open(&options.segments_dir)?;
    see_that_the_hot_tier_is_there(options, &cold)?;
    let created = create_dirs(&options.dir).map_err(|error| LogError::Open(error.into()))?;
    clean_end::remove(&options.dir).map_err(|error| LogError::Open(error.into()))?;
    let (db, chunks, meta) = open_trees(options).map_err(LogError::Open)?;
    let identity = read_or_make_identity(&meta, &chunks, &cold)?;
    discard_torn_tail(&chunks)?;
    store::put_fence(&chunks).map_err(LogError::Open)?;
    let next_generation = journal::replay(&options.dir, &chunks, &identity, end_of_sled(&chunks)?)?;
    let (head, recorded_at) = find_head(&chunks, &identity, &cold)?;
    see_that_the_tiers_meet(&chunks, head, &cold)?;
    see_that_it_is_no_shorter(&options.dir, head)?;
    // What a killed process wrote may be in the machine's memory only, and is about to be served; and the journal is
    // about to be written anew.
    let file = File::open(options.dir.join("db")).map_err(|error| LogError::Open(error.into()))?;
    guarded(|| journal::make_durable(&db, &file)).flatten().map_err(LogError::Open)?;
    let journal = Journal::begin(&options.dir, &db, identity, next_generation, options.journal_file_max_bytes);
    let disk = SledDisk::new(&options.dir, &chunks, journal.map_err(LogError::Open)?);
    sync_files(&options.dir, &created).map_err(|error| LogError::Open(error.into()))?;
    Ok(Opened { chunks, cold, disk, identity, head, recorded_at })
}

/// A log that has segments has a hot tier: an empty one must not be made in its place.
fn see_that_the_hot_tier_is_there(options: &SledLogOptions, cold: &Catalog) -> Result<(), LogError> {
    let is_there = options.dir.join("db").try_exists().map_err(|error| LogError::Open(error.into()))?;
    match cold.end().position {
        end if end > Position::START && !is_there => {
            let reason = format!("{} is missing, and segments up to position {end} are there", options.dir.display());
            Err(LogError::TiersApart { reason })
        }
        _ => Ok(()),
    }
}

/// Makes the directory and those above it; returns the ones that were not there.
fn create_dirs(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let missing = dir.ancestors().filter(|at| !at.as_os_str().is_empty() && !at.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(dir)?;
    Ok(missing)
}

/// Makes durable the files of a log that sled has just opened, their names, and those of the directories
/// that were made. sled writes its `conf` without a sync, and does not open without it.
pub(super) fn sync_files(dir: &Path, created: &[PathBuf]) -> io::Result<()> {
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

pub(super) fn open_trees(options: &SledLogOptions) -> Result<(Db, Tree, Tree), BoxError> {
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
pub(super) fn open_released(config: &sled::Config) -> sled::Result<Db> {
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

fn read_or_make_identity(meta: &Tree, chunks: &Tree, cold: &Catalog) -> Result<LogIdentity, LogError> {
    let apart = |reason: &str| Err(LogError::TiersApart { reason: reason.to_owned() });
    match (read_identity(meta)?, cold.identity()) {
        (None, None) => make_identity(meta, chunks).map_err(LogError::Open),
        (None, Some(_)) => apart("it is empty, and there are segments"),
        (Some(identity), sealed) if sealed.is_none_or(|sealed| sealed == identity) => Ok(identity),
        (Some(_), _) => apart("they are of two logs"),
    }
}

/// Which log it is; `None` of a hot tier that was just made.
pub(super) fn read_identity(meta: &Tree) -> Result<Option<LogIdentity>, LogError> {
    let stored = guarded(|| meta.get(META_KEY)).and_then(|stored| Ok(stored?)).map_err(LogError::Open)?;
    stored.map(|stored| parse_identity(&stored)).transpose()
}

fn parse_identity(stored: &[u8]) -> Result<LogIdentity, LogError> {
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
    write_identity(meta, identity)?;
    Ok(identity)
}

pub(super) fn write_identity(meta: &Tree, identity: LogIdentity) -> Result<(), BoxError> {
    let mut record = FORMAT.to_be_bytes().to_vec();
    record.extend_from_slice(&identity.to_bytes());
    guarded(|| meta.insert(META_KEY, record))??;
    Ok(())
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

/// Where sled ends, by its last chunk: what a crash took from it comes behind that.
fn end_of_sled(chunks: &Tree) -> Result<Head, LogError> {
    match last_chunk(chunks)? {
        Some(first) => Ok(read::encoded_chunk_at(chunks, first)?.decode()?.head()),
        None => Ok(Head { position: Position::START, hash: ChainHash::START }),
    }
}

/// Where the log ends, by its last chunk, which must be whole, have the hash of its content and follow
/// the chunk before it, where that one is in sled alone.
fn find_head(chunks: &Tree, identity: &LogIdentity, cold: &Catalog) -> Result<(Head, Timestamp), LogError> {
    let Some(first) = last_chunk(chunks)? else {
        if cold.end().position > Position::START {
            let reason = format!("it is empty, and segments up to position {} are there", cold.end().position);
            return Err(LogError::TiersApart { reason });
        }
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
    if before > cold.end().position {
        let previous = read::chunk_at(chunks, before, chunk.last())?;
        if previous.hash != chunk.previous {
            return damaged("it does not follow the chunk before it");
        }
    }
    Ok((chunk.head(), chunk.recorded_at))
}

/// Sees that sled goes on where the segments end: nothing is missing between them, and it is one chain.
///
/// Chunks before that end are in sled too, or not: they are read from the segments.
fn see_that_the_tiers_meet(chunks: &Tree, head: Head, cold: &Catalog) -> Result<(), LogError> {
    let end = cold.end();
    if head.position < end.position {
        let reason = format!("it ends at position {}, and the segments at position {}", head.position, end.position);
        return Err(LogError::TiersApart { reason });
    }
    if head.position == end.position {
        return match head.hash == end.hash {
            true => Ok(()),
            false => Err(LogError::TiersApart { reason: format!("they have two chunks that end at {}", end.position) }),
        };
    }
    let next = end.position.next();
    let first = read::first_of_chunk_at(chunks, next)?;
    if first != next {
        let reason = format!("no chunk begins there, where the segments end; the one that holds it begins at {first}");
        return Err(LogError::Damaged { position: next, reason });
    }
    // A chunk that cannot be read is told to its readers; the others can be served meanwhile.
    match read::encoded_chunk_at(chunks, next).and_then(|chunk| chunk.decode()) {
        Ok(chunk) if chunk.previous != end.hash => {
            Err(LogError::TiersApart { reason: format!("the chunk at position {next} follows another one") })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Sees that the log ends no earlier than it did.
fn see_that_it_is_no_shorter(dir: &Path, head: Head) -> Result<(), LogError> {
    match witness::witnessed_head(dir) {
        Some(seen) if seen.position > head.position => {
            let reason = format!("it is lost: the log was seen up to position {}", seen.position);
            Err(LogError::Damaged { position: head.position.next(), reason })
        }
        Some(seen) if seen.position == head.position && seen.hash != head.hash => {
            let reason = "another chunk was seen to end there".to_owned();
            Err(LogError::Damaged { position: head.position, reason })
        }
        Some(_) | None => Ok(()),
    }
}

fn last_chunk(chunks: &Tree) -> Result<Option<Position>, LogError> {
    let key = guarded(|| chunks.get_lt(store::FENCE.to_bytes())).and_then(|last| Ok(last?)).map_err(LogError::Open)?;
    key.map(|(key, _)| Ok(read::part_key(Position::START, &key)?.first)).transpose()
}
