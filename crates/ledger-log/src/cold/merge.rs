//! One log out of several damaged ones: the chunks of any number of segment files, as one chain.

use std::path::{Path, PathBuf};

use ledger_event::Position;

use super::SealedSegment;
use super::scan::Scan;
use crate::chunk_codec::EncodedChunk;
use crate::event_log::{Chunk, Head, LogError};
use crate::identity::LogIdentity;
use crate::verify::Chain;

/// The chunks that several files hold between them, each verified, from position 1 until none of them has the next.
pub(crate) struct Merge {
    chain: Chain,
    /// By falling first position: the last one is opened next.
    waiting: Vec<Source>,
    scans: Vec<(Scan, EncodedChunk)>,
}

/// A file, and the positions that it says it holds.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    first: Position,
    last: Position,
}

impl Merge {
    /// The chunks of a log of that identity in these files, which may be damaged, cut, or of another log.
    pub(crate) fn new(identity: LogIdentity, files: &[PathBuf]) -> Self {
        let mut waiting: Vec<Source> = files.iter().map(|path| Source::of(path)).collect();
        waiting.sort_by_key(|source| std::cmp::Reverse(source.first));
        Self { chain: Chain::start(identity), waiting, scans: Vec::new() }
    }

    /// How far it has come.
    pub(crate) fn reached(&self) -> Head {
        self.chain.reached()
    }

    /// The next chunk; `None` when no file has it.
    pub(crate) fn next(&mut self) -> Result<Option<(EncodedChunk, Chunk)>, LogError> {
        let next = self.chain.reached().position.next();
        self.open_those_at(next)?;
        self.pass_over_those_before(next)?;
        for (_, encoded) in self.scans.iter().filter(|(_, encoded)| encoded.first() == next) {
            if let Ok(chunk) = self.chain.follow(encoded) {
                return Ok(Some((encoded.clone(), chunk)));
            }
        }
        Ok(None)
    }

    /// A file that holds chunks beyond what was reached, and the first of them.
    pub(crate) fn beyond(&self) -> Option<(PathBuf, Position)> {
        let open = self.scans.iter().map(|(scan, encoded)| (scan.path().to_owned(), encoded.first()));
        let waiting = self.waiting.iter().map(|source| (source.path.clone(), source.first));
        open.chain(waiting).filter(|(_, first)| *first > self.reached().position).min_by_key(|(_, first)| *first)
    }

    fn open_those_at(&mut self, next: Position) -> Result<(), LogError> {
        while let Some(source) = self.waiting.pop_if(|source| source.first <= next) {
            if source.last < next {
                continue;
            }
            let mut scan = Scan::open(&source.path)?;
            if let Some(encoded) = scan.next()? {
                self.scans.push((scan, encoded));
            }
        }
        Ok(())
    }

    fn pass_over_those_before(&mut self, next: Position) -> Result<(), LogError> {
        let mut open = Vec::with_capacity(self.scans.len());
        for (mut scan, encoded) in self.scans.drain(..) {
            let mut found = Some(encoded);
            while let Some(encoded) = found.take() {
                if encoded.first() >= next {
                    open.push((scan, encoded));
                    break;
                }
                found = scan.next()?;
            }
        }
        self.scans = open;
        Ok(())
    }
}

impl Source {
    /// A file that does not open by its ends may hold anything.
    fn of(path: &Path) -> Self {
        let (first, last) = match SealedSegment::of_file(path) {
            Ok(segment) => (segment.header.first, segment.footer.last),
            Err(_) => (Position::new(1), Position::new(u64::MAX)),
        };
        Self { path: path.to_owned(), first, last }
    }
}
