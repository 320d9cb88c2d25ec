//! What lies in pages, read through a cache of bounded size.

use std::io;
use std::sync::Arc;

use ledger_event::{JsonText, SubscriptionId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::block::Block;
use crate::checkpoint::Checkpoint;
use crate::day::Day;
use crate::error::ViewsError;
use crate::index::{Bucket, Filter, GROUP_BUCKETS, HashKey, Run};
use crate::list::node::Node;
use crate::loads::Loads;
use crate::names::ScopeName;
use crate::overlay::QuarterId;
use crate::pages::{NodeId, PageId, PageStore, Versions, decode};
use crate::place::Place;
use crate::row::DeliveryRow;
use crate::rows::{DeliveryRecord, PayloadRow};
use crate::scope::Scope;
use crate::stats::Quarter;

/// What the views keep in the root, beside which pages are valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Root {
    pub(crate) versions: Versions,
    pub(crate) checkpoint: Checkpoint,
    /// The number that the next scope gets.
    pub(crate) next_scope: u32,
    pub(crate) hash_key: HashKey,
    pub(crate) runs: Vec<Run>,
    pub(crate) next_run: u32,
}

impl Root {
    /// The root of views in which nothing is yet.
    pub(crate) fn new() -> io::Result<Self> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let (first, second) = key.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("it is eight bytes"));
        Ok(Self {
            versions: Versions::default(),
            checkpoint: Checkpoint::default(),
            next_scope: 0,
            hash_key: HashKey(word(first), word(second)),
            runs: Vec::new(),
            next_run: 0,
        })
    }
}

/// A page as it is read.
#[derive(Clone, Debug)]
pub(crate) enum Page {
    Scope(Arc<Scope>),
    Rows(Arc<Block>),
    Node(Arc<Node>),
    Day(Arc<Day>),
    Bucket(Arc<Bucket>),
    Filter(Arc<Filter>),
    LargePayload(Arc<str>),
}

impl Page {
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Scope(scope) => scope.size_bytes(),
            Self::Rows(block) => block.as_bytes().len(),
            Self::Node(node) => node.size_bytes(),
            Self::Day(day) => day.size_bytes(),
            Self::Bucket(bucket) => bucket.size_bytes(),
            Self::Filter(filter) => filter.size_bytes(),
            Self::LargePayload(text) => text.len(),
        }
    }
}

#[derive(Clone, Debug)]
struct PageWeighter;

/// What the cache itself takes of a page, about.
const CACHE_ENTRY_BYTES: usize = 128;

impl Weighter<PageId, Page> for PageWeighter {
    fn weight(&self, _: &PageId, page: &Page) -> u64 {
        (page.size_bytes() + CACHE_ENTRY_BYTES) as u64
    }
}

/// What a typical page takes, by which the cache sizes its own tables.
const TYPICAL_PAGE_BYTES: u64 = 16 * 1024;

/// What lies in pages. A read of one costs O(log n) of the n pages, or a lookup in the cache.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) pages: PageStore,
    cache: Cache<PageId, Page, PageWeighter>,
}

impl Base {
    pub(crate) fn new(pages: PageStore, cache_bytes: u64) -> Self {
        let items = usize::try_from(cache_bytes / TYPICAL_PAGE_BYTES).unwrap_or(usize::MAX).max(16);
        Self { pages, cache: Cache::with_weighter(items, cache_bytes, PageWeighter) }
    }

    /// How much memory the cache may take, in bytes.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.capacity()
    }

    /// Reads a page from the disk, or from what the system keeps of it.
    pub(crate) fn load(&self, id: &PageId, versions: &Versions) -> Result<Option<Page>, ViewsError> {
        let bytes = self.pages.read(id, versions)?;
        bytes.map(|bytes| decode_page(id, bytes)).transpose()
    }

    /// Caches a page that was read: nobody reads a large payload often.
    pub(crate) fn cache(&self, id: &PageId, page: Option<&Page>) {
        if let Some(page) = page.filter(|page| !matches!(page, Page::LargePayload(_))) {
            self.cache.insert(id.clone(), page.clone());
        }
    }

    /// Puts a page that has just become valid in the place of what is cached of it.
    pub(crate) fn replace(&self, id: PageId, page: Option<Page>) {
        match page {
            Some(page) => self.cache.insert(id, page),
            None => {
                self.cache.remove(&id);
            }
        }
    }
}

/// Pages as of one root.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) base: &'a Base,
    pub(crate) root: &'a Root,
    pub(crate) misses: Misses<'a>,
}

/// What becomes of a page that is not in memory.
#[derive(Clone, Copy)]
pub(crate) enum Misses<'a> {
    /// It is read, which may take the disk.
    Read,
    /// The answer fails with [`ViewsError::NotCached`].
    Fail,
    /// The same, and it is noted: to be loaded before the next try.
    Note(&'a Loads),
}

impl Reading<'_> {
    pub(crate) fn scope(&self, name: &ScopeName) -> Result<Option<Arc<Scope>>, ViewsError> {
        let page = self.page(&PageId::Scope(name.clone()))?;
        Ok(page.and_then(|page| if let Page::Scope(scope) = page { Some(scope) } else { None }))
    }

    pub(crate) fn node(&self, id: NodeId) -> Result<Arc<Node>, ViewsError> {
        let id = PageId::Node(id);
        match self.page(&id)? {
            Some(Page::Node(node)) => Ok(node),
            Some(_) | None => Err(ViewsError::damaged(&id.key())),
        }
    }

    pub(crate) fn quarter(&self, id: QuarterId) -> Result<Option<Quarter>, ViewsError> {
        let day = self.day(id.scope, Day::of(id.quarter))?;
        Ok(day.and_then(|day| day.get(id.quarter).cloned()))
    }

    pub(crate) fn day(&self, scope: u32, day: i32) -> Result<Option<Arc<Day>>, ViewsError> {
        let page = self.page(&PageId::Day { scope, day })?;
        Ok(page.and_then(|page| if let Page::Day(day) = page { Some(day) } else { None }))
    }

    /// The block with that id, whatever its rows.
    pub(crate) fn block(&self, id: &PageId) -> Result<Option<Arc<Block>>, ViewsError> {
        let page = self.page(id)?;
        Ok(page.and_then(|page| if let Page::Rows(block) = page { Some(block) } else { None }))
    }

    pub(crate) fn record(&self, place: Place) -> Result<Option<DeliveryRecord>, ViewsError> {
        let Some(block) = self.block(&PageId::states_of(place))? else { return Ok(None) };
        decode_row(place, block.get(place.slot()))
    }

    /// What is shown of the delivery at a place.
    pub(crate) fn shown(
        &self,
        place: Place,
        subscription_id: SubscriptionId,
        payload: Result<Option<JsonText>, ViewsError>,
    ) -> Result<Option<DeliveryRow>, ViewsError> {
        // Before anything is given up: both may be missing, and are loaded together then.
        let block = self.block(&PageId::states_of(place));
        let (Some(block), payload) = (block?, payload?) else { return Ok(None) };
        shown_row(place, block.get(place.slot()), subscription_id, payload)
    }

    pub(crate) fn payload(&self, place: Place) -> Result<Option<JsonText>, ViewsError> {
        let id = PageId::payloads_of(place);
        let Some(block) = self.block(&id)? else { return Ok(None) };
        let damaged = || ViewsError::damaged(&id.key());
        match PayloadRow::decode(block.get(place.slot())).ok_or_else(damaged)? {
            PayloadRow::None => Ok(None),
            PayloadRow::Text(text) => Ok(Some(JsonText::of_stored(text))),
            PayloadRow::Large => match self.page(&PageId::LargePayload(place))? {
                Some(Page::LargePayload(text)) => Ok(Some(JsonText::of_stored(&*text))),
                Some(_) | None => Err(damaged()),
            },
        }
    }

    /// The place that the index has for a hash. O(log n) of the n deliveries.
    pub(crate) fn place(&self, hash: u64) -> Result<Option<Place>, ViewsError> {
        for run in self.root.runs.iter().rev() {
            let bucket = run.bucket_of(hash);
            let filter_id = PageId::Filter { run: run.number, group: bucket / GROUP_BUCKETS };
            let Some(Page::Filter(filter)) = self.page(&filter_id)? else {
                return Err(ViewsError::damaged(&filter_id.key()));
            };
            if !filter.may_hold(hash) {
                continue;
            }
            let id = PageId::Bucket { run: run.number, bucket };
            let Some(Page::Bucket(bucket)) = self.page(&id)? else { return Err(ViewsError::damaged(&id.key())) };
            if let Some(place) = bucket.find(hash) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn page(&self, id: &PageId) -> Result<Option<Page>, ViewsError> {
        if let Some(page) = self.base.cache.get(id) {
            return Ok(Some(page));
        }
        match self.misses {
            Misses::Read => {
                let page = self.base.load(id, &self.root.versions)?;
                self.base.cache(id, page.as_ref());
                Ok(page)
            }
            Misses::Fail => Err(ViewsError::NotCached),
            Misses::Note(loads) => loads.get(id),
        }
    }
}

fn whole<T>(key: &[u8], page: Option<T>) -> Result<Arc<T>, ViewsError> {
    page.map(Arc::new).ok_or_else(|| ViewsError::damaged(key))
}

fn decode_page(id: &PageId, bytes: Vec<u8>) -> Result<Page, ViewsError> {
    let key = id.key();
    Ok(match id {
        PageId::Scope(_) => Page::Scope(decode(|| key, &bytes).map(Arc::new)?),
        PageId::States { .. } | PageId::Payloads { .. } => Page::Rows(whole(&key, Block::decode(bytes))?),
        PageId::LargePayload(_) => {
            let text = String::from_utf8(bytes).map_err(|_| ViewsError::damaged(&key))?;
            Page::LargePayload(text.into())
        }
        PageId::Node(_) => Page::Node(whole(&key, Node::decode(&bytes))?),
        PageId::Day { .. } => Page::Day(decode(|| key, &bytes).map(Arc::new)?),
        PageId::Bucket { .. } => Page::Bucket(whole(&key, Bucket::decode(&bytes))?),
        PageId::Filter { .. } => Page::Filter(whole(&key, Filter::decode(&bytes))?),
    })
}

/// What is shown of the delivery at a place, by its row; the ids of its events, of which nothing is shown, are not copied.
pub(crate) fn shown_row(
    place: Place,
    row: &[u8],
    subscription_id: SubscriptionId,
    payload: Option<JsonText>,
) -> Result<Option<DeliveryRow>, ViewsError> {
    let record: Option<DeliveryRecord<&str>> = decode_row(place, row)?;
    Ok(record.and_then(|record| record.into_row(subscription_id, payload)))
}

/// The delivery at a place, by its row; `None` for a row of no bytes.
pub(crate) fn decode_row<'a, I: Deserialize<'a>>(
    place: Place,
    row: &'a [u8],
) -> Result<Option<DeliveryRecord<I>>, ViewsError> {
    if row.is_empty() { Ok(None) } else { decode(|| PageId::states_of(place).key(), row).map(Some) }
}
