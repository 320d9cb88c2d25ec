//! Merging runs, a piece at a time.

use crate::error::ViewsError;
use crate::index::bucket::Bucket;
use crate::index::run::{Run, RunWriter};
use crate::pages::{PageId, PageStore, Versions};

/// So many runs of about the same size become one.
const FAN_IN: usize = 4;

/// Entries that are merged with each set of pages, beside those that it brings: several times as many as it may bring, so
/// that merges keep up however many runs there are.
pub(crate) const PIECE_ENTRIES: u64 = 200_000;

/// A merge under way.
pub(crate) struct Merge {
    inputs: Vec<Input>,
    output: RunWriter,
}

/// How far a run is merged.
struct Input {
    run: Run,
    bucket: u32,
    read: Bucket,
    at: usize,
}

impl Merge {
    /// The merge that is due, if one is: of runs of about the same size, the smallest ones first. The new run gets that
    /// number.
    pub(crate) fn due(runs: &[Run], number: u32) -> Option<Self> {
        // About the same: within the same power of the fan-in.
        let class = |run: &Run| run.entries.max(1).ilog2() / FAN_IN.ilog2();
        let mut by_size: Vec<&Run> = runs.iter().collect();
        by_size.sort_by_key(|run| run.entries);
        let is_due = |chosen: &[&Run]| class(chosen[0]) == class(chosen[FAN_IN - 1]);
        let chosen = by_size.windows(FAN_IN).find(|chosen| is_due(chosen))?;
        let entries = chosen.iter().map(|run| run.entries).sum();
        let inputs = chosen.iter().map(|run| Input { run: **run, bucket: 0, read: Bucket::default(), at: 0 });
        Some(Self { inputs: inputs.collect(), output: RunWriter::new(Run::new(number, entries)) })
    }

    /// Merges up to so many entries; whether all is merged.
    pub(crate) fn step(
        &mut self,
        pages: &PageStore,
        versions: &Versions,
        version: u64,
        entries: u64,
    ) -> Result<bool, ViewsError> {
        for _ in 0..entries {
            let mut least: Option<(u64, usize)> = None;
            for (number, input) in self.inputs.iter_mut().enumerate() {
                if let Some(hash) = input.peek(pages, versions)?
                    && least.is_none_or(|(standing, _)| hash < standing)
                {
                    least = Some((hash, number));
                }
            }
            let Some((_, number)) = least else { return Ok(true) };
            let input = &mut self.inputs[number];
            let (hash, place) = input.read.get(input.at).expect("it was seen there");
            input.at += 1;
            self.output.push(pages, version, hash, place)?;
        }
        Ok(false)
    }

    /// The new run, and those that it replaces.
    pub(crate) fn finish(self, pages: &PageStore, version: u64) -> Result<(Run, Vec<Run>), ViewsError> {
        let replaced = self.inputs.iter().map(|input| input.run).collect();
        Ok((self.output.finish(pages, version)?, replaced))
    }
}

impl Input {
    /// The next hash.
    fn peek(&mut self, pages: &PageStore, versions: &Versions) -> Result<Option<u64>, ViewsError> {
        loop {
            if let Some((hash, _)) = self.read.get(self.at) {
                return Ok(Some(hash));
            }
            if self.bucket == self.run.bucket_count() {
                return Ok(None);
            }
            let id = PageId::Bucket { run: self.run.number, bucket: self.bucket };
            let page = pages.read(&id, versions)?.and_then(|page| Bucket::decode(&page));
            self.read = page.ok_or_else(|| ViewsError::damaged(&id.key()))?;
            (self.bucket, self.at) = (self.bucket + 1, 0);
        }
    }
}
