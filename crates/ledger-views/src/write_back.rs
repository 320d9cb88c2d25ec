//! Writing a frozen layer to pages, in a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::base::{Misses, Page, Reading, Root};
use crate::block::Block;
use crate::checkpoint::Checkpoint;
use crate::day::Day;
use crate::error::{ViewsError, guarded};
use crate::index::{Merge, PIECE_ENTRIES, Run, RunWriter};
use crate::layers::Shared;
use crate::overlay::{Overlay, QuarterId};
use crate::pace::Paced;
use crate::pages::{PageId, Removal, encode};
use crate::place::Place;
use crate::rows::PayloadRow;

/// A layer being written.
#[derive(Debug)]
pub(crate) struct WriteBack {
    thread: JoinHandle<Result<Leftovers, ViewsError>>,
}

/// What is left from one layer to the next.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// Versions of pages that newer ones have replaced.
    removals: Vec<Removal>,
    /// Runs that a merge has replaced.
    replaced: Vec<Run>,
    /// A merge that is not finished.
    merge: Option<Merge>,
}

/// A layer that was written: its pages are valid once readers have the root.
struct Written {
    root: Root,
    /// Which pages are new: with what is to be cached of them.
    pages: Vec<(PageId, Option<Page>)>,
    leftovers: Leftovers,
}

impl std::fmt::Debug for Leftovers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leftovers").field("removals", &self.removals.len()).finish_non_exhaustive()
    }
}

impl WriteBack {
    /// Freezes the active layer and starts to write it. Readers have its pages instead of it when that is done.
    pub(crate) fn start(
        shared: &Arc<Shared>,
        checkpoint: Checkpoint,
        next_scope: u32,
        leftovers: Leftovers,
    ) -> Result<Self, ViewsError> {
        let (overlay, root) = shared.freeze();
        let shared = Arc::clone(shared);
        let write = move || {
            let written = guarded(|| write(&shared, &overlay, &root, checkpoint, next_scope, leftovers))?;
            drop(overlay);
            shared.thaw(written.root, written.pages);
            Ok(written.leftovers)
        };
        let thread = std::thread::Builder::new().name("views-pages".to_owned()).spawn(write);
        Ok(Self { thread: thread.map_err(ViewsError::Files)? })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until it is written.
    pub(crate) fn join(self) -> Result<Leftovers, ViewsError> {
        self.thread.join().unwrap_or(Err(ViewsError::EnginePanicked))
    }
}

fn write(
    shared: &Shared,
    overlay: &Overlay,
    root: &Root,
    checkpoint: Checkpoint,
    next_scope: u32,
    leftovers: Leftovers,
) -> Result<Written, ViewsError> {
    let pages = &shared.base.pages;
    let items = leftovers.removals.len() + overlay.items();
    let mut paced = Paced::begin(&shared.pace, items);
    for removal in &leftovers.removals {
        pages.remove(removal)?;
        shared.sync_if(paced.wrote(1, 0))?;
    }
    if !leftovers.replaced.is_empty() {
        pages.remove_runs(|run| leftovers.replaced.iter().all(|replaced| replaced.number != run))?;
    }
    let (versions, version) = root.versions.begin();
    let next_run = root.next_run + 2;
    pages.put_root(&Root { versions: versions.clone(), next_run, ..root.clone() })?;

    let mut writing = Writing { shared, root, version, paced, pages: Vec::new(), kept_bytes: 0, removals: Vec::new() };
    writing.records(overlay)?;
    writing.payloads(overlay)?;
    writing.nodes(overlay)?;
    writing.quarters(overlay)?;
    for (name, scope) in &overlay.scopes {
        writing.put(PageId::Scope(name.clone()), &encode(&**scope), Page::Scope(Arc::clone(scope)), 1)?;
    }
    let Indexed { runs, merge, replaced } = writing.index(overlay, leftovers.merge)?;
    let (pages_written, removals) = (writing.pages, writing.removals);

    // All of them must be on the disk before the root is.
    shared.sync()?;
    let root = Root { versions: versions.finish(), checkpoint, next_scope, runs, next_run, ..root.clone() };
    pages.put_root(&root)?;
    shared.flush()?;
    Ok(Written { root, pages: pages_written, leftovers: Leftovers { removals, replaced, merge } })
}

/// The index after a layer was written.
struct Indexed {
    runs: Vec<Run>,
    /// If it goes on.
    merge: Option<Merge>,
    /// Runs that a merge has replaced.
    replaced: Vec<Run>,
}

struct Writing<'a> {
    shared: &'a Shared,
    root: &'a Root,
    version: u64,
    paced: Paced<'a>,
    pages: Vec<(PageId, Option<Page>)>,
    /// What those take that are to be cached.
    kept_bytes: u64,
    removals: Vec<Removal>,
}

impl Writing<'_> {
    /// The pages as they are until these are valid.
    fn old(&self) -> Reading<'_> {
        Reading { base: &self.shared.base, root: self.root, misses: Misses::Read }
    }

    /// Writes a page, of so many items of the layer; its older versions go once this one is valid.
    fn put(&mut self, id: PageId, bytes: &[u8], page: Page, items: usize) -> Result<(), ViewsError> {
        self.remove(&id)?;
        self.put_new(id, bytes, Some(page), items)
    }

    /// Writes a page of which there is no valid version, and keeps what is to be cached of it: up to half of what the cache
    /// takes.
    fn put_new(&mut self, id: PageId, bytes: &[u8], cached: Option<Page>, items: usize) -> Result<(), ViewsError> {
        let written_bytes = self.shared.base.pages.write(&id, self.version, bytes)?;
        self.shared.sync_if(self.paced.wrote(items, written_bytes))?;
        let cached = cached.filter(|page| {
            self.kept_bytes += page.size_bytes() as u64;
            self.kept_bytes <= self.shared.base.cache_bytes() / 2
        });
        self.pages.push((id, cached));
        Ok(())
    }

    fn remove(&mut self, id: &PageId) -> Result<(), ViewsError> {
        self.removals.extend(self.shared.base.pages.older(id, self.version)?);
        Ok(())
    }

    fn put_block(
        &mut self,
        id: PageId,
        old: Option<&Block>,
        rows: &BTreeMap<usize, impl AsRef<[u8]>>,
    ) -> Result<(), ViewsError> {
        let block = Arc::new(Block::merged(old, rows));
        if old.is_some() {
            self.remove(&id)?;
        }
        // The events of new deliveries go on for a while, but payloads of a block that one layer filled have all come.
        let is_wanted = old.is_some() || !block.is_full() || !matches!(id, PageId::Payloads { .. });
        let cached = is_wanted.then(|| Page::Rows(Arc::clone(&block)));
        self.put_new(id, block.as_bytes(), cached, rows.len())
    }

    fn records(&mut self, overlay: &Overlay) -> Result<(), ViewsError> {
        for ((subscription, block), places) in by_block(overlay.records.keys()) {
            let row = |place: Place| (place.slot(), &overlay.records[&place]);
            let rows: BTreeMap<_, _> = places.into_iter().map(row).collect();
            let id = PageId::States { subscription, block };
            let old = self.old().block(&id)?;
            self.put_block(id, old.as_deref(), &rows)?;
        }
        Ok(())
    }

    fn payloads(&mut self, overlay: &Overlay) -> Result<(), ViewsError> {
        for ((subscription, block), places) in by_block(overlay.payloads.keys()) {
            let id = PageId::Payloads { subscription, block };
            let old = self.old().block(&id)?;
            let mut rows = BTreeMap::new();
            for place in places {
                let payload = overlay.payloads[&place].as_deref();
                let row = PayloadRow::of(payload);
                let old_row = old.as_ref().and_then(|old| PayloadRow::decode(old.get(place.slot())));
                let large = PageId::LargePayload(place);
                if let Some(PayloadRow::Large) = old_row {
                    self.remove(&large)?;
                }
                if let (PayloadRow::Large, Some(payload)) = (&row, payload) {
                    self.shared.base.pages.write(&large, self.version, payload.as_str().as_bytes())?;
                }
                rows.insert(place.slot(), row.encode());
            }
            self.put_block(id, old.as_deref(), &rows)?;
        }
        Ok(())
    }

    fn nodes(&mut self, overlay: &Overlay) -> Result<(), ViewsError> {
        for (id, node) in &overlay.nodes {
            let id = PageId::Node(*id);
            match node {
                Some(node) => self.put(id, &node.encode(), Page::Node(Arc::clone(node)), 1)?,
                None => {
                    self.remove(&id)?;
                    self.pages.push((id, None));
                }
            }
        }
        Ok(())
    }

    fn quarters(&mut self, overlay: &Overlay) -> Result<(), ViewsError> {
        let mut days = BTreeMap::<(u32, i32), Vec<QuarterId>>::new();
        for id in overlay.quarters.keys() {
            days.entry((id.scope, Day::of(id.quarter))).or_default().push(*id);
        }
        for ((scope, number), ids) in days {
            let old = self.old().day(scope, number)?;
            let mut day = old.map_or_else(Day::default, |day| (*day).clone());
            for id in &ids {
                day.0.insert(id.quarter, (*overlay.quarters[id]).clone());
            }
            self.put(PageId::Day { scope, day: number }, &encode(&day), Page::Day(Arc::new(day)), ids.len())?;
        }
        Ok(())
    }

    /// Writes new entries as a run and merges a piece of older ones.
    fn index(&mut self, overlay: &Overlay, merge: Option<Merge>) -> Result<Indexed, ViewsError> {
        let pages = &self.shared.base.pages;
        let mut runs = self.root.runs.clone();
        let mut replaced = Vec::new();
        let mut merge = merge.or_else(|| Merge::due(&runs, self.root.next_run));
        if let Some(mut under_way) = merge.take() {
            if under_way.step(pages, &self.root.versions, self.version, PIECE_ENTRIES)? {
                let merged;
                (merged, replaced) = under_way.finish(pages, self.version)?;
                runs.retain(|run| !replaced.contains(run));
                runs.push(merged);
            } else {
                merge = Some(under_way);
            }
        }
        if !overlay.places.is_empty() {
            let mut entries: Vec<(u64, Place)> = overlay.places.iter().map(|(hash, place)| (*hash, *place)).collect();
            entries.sort_unstable();
            let mut writer = RunWriter::new(Run::new(self.root.next_run + 1, entries.len() as u64));
            for (hash, place) in entries {
                writer.push(pages, self.version, hash, place)?;
            }
            runs.push(writer.finish(pages, self.version)?);
        }
        Ok(Indexed { runs, merge, replaced })
    }
}

/// Places by the block that they lie in.
fn by_block<'a>(places: impl Iterator<Item = &'a Place>) -> BTreeMap<(u32, u32), Vec<Place>> {
    let mut blocks = BTreeMap::<(u32, u32), Vec<Place>>::new();
    for place in places {
        blocks.entry((place.subscription, place.block())).or_default().push(*place);
    }
    blocks
}
