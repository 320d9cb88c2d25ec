//! How a log on sled is kept.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::queue::QueueBounds;

/// What sled's cache may hold by default. It does not bound memory: sled keeps its index beside it.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How many of the newest events are recognized by default when they are sent again: about 14 MB of memory (a million
/// take 53 MB), and about a third of a second of an opened log's time before its first append.
pub const DEFAULT_IDEMPOTENCE_WINDOW_EVENTS: usize = 256 * 1024;

/// How many requests wait at most by default.
pub const DEFAULT_QUEUE_MAX_REQUESTS: usize = 4096;

/// How many bytes of requests wait at most by default.
pub const DEFAULT_QUEUE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// How large each of the journal's two files may grow by default.
pub const DEFAULT_JOURNAL_FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// How many events of waiting requests are put into one chunk by default. Larger chunks are no smaller
/// per event, and make each wait for more.
pub const DEFAULT_CHUNK_TARGET_EVENTS: usize = 1024;

/// How many bytes of waiting requests are put into one chunk by default.
pub const DEFAULT_CHUNK_TARGET_BYTES: usize = 1024 * 1024;

/// How many bytes of chunks are sealed into a segment by default.
pub const DEFAULT_SEGMENT_TARGET_BYTES: u64 = 64 * 1024 * 1024;

/// How many bytes of chunks sled holds by default, sealed ones and others.
pub const DEFAULT_HOT_MAX_BYTES: u64 = 128 * 1024 * 1024;

/// Where a log on sled is, and its settings. [`SledLogOptions::at`] gives each its default.
#[derive(Clone, Debug)]
pub struct SledLogOptions {
    /// The directory of the log, made when it is not there. One process has it open at a time.
    pub dir: PathBuf,
    /// The directory of its sealed segments, made when there is one.
    pub segments_dir: PathBuf,
    /// Where a second copy of each segment is kept.
    pub archive_dir: Option<PathBuf>,
    /// How many bytes of chunks are sealed into a segment; the last one may cross it.
    pub segment_target_bytes: u64,
    /// How many bytes of chunks sled holds, as long as what is sealed is enough to give up.
    pub hot_max_bytes: u64,
    /// What sled's cache may hold.
    pub cache_bytes: u64,
    /// How many of the newest events are recognized when they are sent again. Beyond them a repeated
    /// event is stored again, which the fold sees through.
    pub idempotence_window_events: usize,
    /// How large each of the journal's two files may grow; one that holds a single larger chunk grows as large as that.
    pub journal_file_max_bytes: u64,
    /// How many requests wait at most; one more is refused.
    pub queue_max_requests: usize,
    /// How many bytes of requests wait at most; what would cross it is refused, unless nothing waits.
    pub queue_max_bytes: usize,
    /// How many events of waiting requests are put into one chunk. A single request may have more.
    pub chunk_target_events: usize,
    /// How many bytes of waiting requests are put into one chunk. A single request may have more.
    pub chunk_target_bytes: usize,
    /// Where `recorded_at` comes from.
    pub clock: Clock,
}

impl SledLogOptions {
    /// A log in that directory, its segments in `segments` beside it, with every setting at its default.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            segments_dir: dir.with_file_name("segments"),
            archive_dir: None,
            segment_target_bytes: DEFAULT_SEGMENT_TARGET_BYTES,
            hot_max_bytes: DEFAULT_HOT_MAX_BYTES,
            dir,
            cache_bytes: DEFAULT_CACHE_BYTES,
            idempotence_window_events: DEFAULT_IDEMPOTENCE_WINDOW_EVENTS,
            journal_file_max_bytes: DEFAULT_JOURNAL_FILE_MAX_BYTES,
            queue_max_requests: DEFAULT_QUEUE_MAX_REQUESTS,
            queue_max_bytes: DEFAULT_QUEUE_MAX_BYTES,
            chunk_target_events: DEFAULT_CHUNK_TARGET_EVENTS,
            chunk_target_bytes: DEFAULT_CHUNK_TARGET_BYTES,
            clock: Clock::system(),
        }
    }

    /// The same for a tool that reads: it leaves the tiers as they are.
    #[must_use]
    pub fn sealing_nothing(self) -> Self {
        Self { segment_target_bytes: u64::MAX, hot_max_bytes: u64::MAX, archive_dir: None, ..self }
    }

    pub(super) fn queue_bounds(&self) -> QueueBounds {
        QueueBounds {
            max_requests: self.queue_max_requests,
            max_bytes: self.queue_max_bytes,
            gather_events: self.chunk_target_events,
            gather_bytes: self.chunk_target_bytes,
        }
    }
}
