//! How much goes on at a time.
//!
//! A chunk of the log may be many megabytes, and an answer a few; readers may be slow or many. So only a few scans run
//! at a time, and what waits to be sent is bounded together. Pages and followers have scans of their own: those who
//! wait for a page to be sent hold up no follower.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::FeedError;
use crate::lines::PIECE_BYTES;
use crate::scan::{Scan, Scanned, Scanner};

/// How many pages are read at a time.
const PAGES_MAX: usize = 4;
/// How many followers are read for at a time.
const FOLLOWER_SCANS_MAX: usize = 4;
/// What pages that wait to be sent may take together, in bytes.
pub(crate) const UNSENT_MAX_BYTES: usize = 64 * 1024 * 1024;
/// How long a page waits for its room.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How much goes on at a time. Clones share it.
#[derive(Clone)]
pub(crate) struct Room {
    pages: Arc<Semaphore>,
    unsent: Arc<Semaphore>,
    follower_scans: Arc<Semaphore>,
    followers: Arc<Semaphore>,
    followers_max: usize,
}

/// Room that is given back when this goes.
pub(crate) type Taken = OwnedSemaphorePermit;

impl Room {
    pub(crate) fn new(followers_max: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            pages: semaphore(PAGES_MAX),
            unsent: semaphore(UNSENT_MAX_BYTES / PIECE_BYTES),
            follower_scans: semaphore(FOLLOWER_SCANS_MAX),
            followers: semaphore(followers_max.min(Semaphore::MAX_PERMITS)),
            followers_max,
        }
    }

    /// Scans for a page, off the async runtime; with it comes the room that it takes until it is sent.
    pub(crate) async fn scan_page(&self, scanner: &Scanner, scan: Scan) -> Result<(Scanned, Option<Taken>), FeedError> {
        let page = wait_for(&self.pages, 1).await?;
        // The room goes along with the work: that goes on when its reader has gone.
        let (scanned, page) = spawn_scan(scanner, scan, page).await?;
        let bytes: usize = scanned.pieces.iter().map(|piece| piece.len()).sum();
        let unsent = match bytes / PIECE_BYTES {
            0 => None,
            pieces => Some(wait_for(&self.unsent, pieces).await?),
        };
        drop(page);
        Ok((scanned, unsent))
    }

    /// Scans for a follower, off the async runtime; it waits for its turn.
    pub(crate) async fn scan_for_follower(&self, scanner: &Scanner, scan: Scan) -> Result<Scanned, FeedError> {
        let turn = Arc::clone(&self.follower_scans).acquire_owned().await.expect("the semaphore is never closed");
        let (scanned, _) = spawn_scan(scanner, scan, turn).await?;
        Ok(scanned)
    }

    /// Lets one more follow, unless there are too many.
    pub(crate) fn follower(&self) -> Result<Taken, FeedError> {
        let room = Arc::clone(&self.followers).try_acquire_owned();
        room.map_err(|_| FeedError::TooManyFollowers { max: self.followers_max })
    }
}

async fn spawn_scan(scanner: &Scanner, scan: Scan, turn: Taken) -> Result<(Scanned, Taken), FeedError> {
    let scanner = scanner.clone();
    spawn_blocking(move || scanner.scan(&scan).map(|scanned| (scanned, turn))).await?
}

async fn wait_for(semaphore: &Arc<Semaphore>, permits: usize) -> Result<Taken, FeedError> {
    let permits = u32::try_from(permits).map_err(|_| FeedError::NoRoom)?;
    let acquired = timeout(WAIT_MAX, Arc::clone(semaphore).acquire_many_owned(permits)).await;
    Ok(acquired.map_err(|_| FeedError::NoRoom)?.expect("the semaphore is never closed"))
}
