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

    /// Whether a page is cached.
    pub(crate) fn has_cached(&self, id: &PageId) -> bool {
        self.cache.contains_key(id)
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
    /// Whether pages that are not in the cache are read, which may take the disk.
    pub(crate) may_block: bool,
}

impl Reading<'_> {
    pub(crate) fn scope(&self, name: &ScopeName) -> Result<Option<Arc<Scope>>, ViewsError> {
        let id = PageId::Scope(name.clone());
        let page = self.page(&id, |key, page| decode(key, page).map(Arc::new).map(Page::Scope))?;
        Ok(page.and_then(|page| if let Page::Scope(scope) = page { Some(scope) } else { None }))
    }

    pub(crate) fn node(&self, id: NodeId) -> Result<Arc<Node>, ViewsError> {
        let id = PageId::Node(id);
        let of = |key: &[u8], page: &[u8]| whole(key, Node::decode(page)).map(Page::Node);
        match self.page(&id, of)? {
            Some(Page::Node(node)) => Ok(node),
            Some(_) | None => Err(ViewsError::damaged(&id.key())),
        }
    }

    pub(crate) fn quarter(&self, id: QuarterId) -> Result<Option<Quarter>, ViewsError> {
        let day = self.day(id.scope, Day::of(id.quarter))?;
        Ok(day.and_then(|day| day.get(id.quarter).cloned()))
    }

    pub(crate) fn day(&self, scope: u32, day: i32) -> Result<Option<Arc<Day>>, ViewsError> {
        let id = PageId::Day { scope, day };
        let page = self.page(&id, |key, page| decode(key, page).map(Arc::new).map(Page::Day))?;
        Ok(page.and_then(|page| if let Page::Day(day) = page { Some(day) } else { None }))
    }

    /// The block with that id, whatever its rows.
    pub(crate) fn block(&self, id: &PageId) -> Result<Option<Arc<Block>>, ViewsError> {
        let of = |key: &[u8], page: &[u8]| whole(key, Block::decode(page.to_vec())).map(Page::Rows);
        let page = self.page(id, of)?;
        Ok(page.and_then(|page| if let Page::Rows(block) = page { Some(block) } else { None }))
    }

    pub(crate) fn record(&self, place: Place) -> Result<Option<DeliveryRecord>, ViewsError> {
        let id = PageId::states_of(place);
        let Some(block) = self.block(&id)? else { return Ok(None) };
        decode_row(&id, block.get(place.slot()))
    }

    /// What is shown of the delivery at a place; the ids of its events, of which nothing is shown, are not copied.
    pub(crate) fn shown(
        &self,
        place: Place,
        subscription_id: SubscriptionId,
        payload: Option<JsonText>,
    ) -> Result<Option<DeliveryRow>, ViewsError> {
        let id = PageId::states_of(place);
        let Some(block) = self.block(&id)? else { return Ok(None) };
        let record: Option<DeliveryRecord<&str>> = decode_row(&id, block.get(place.slot()))?;
        Ok(record.and_then(|record| record.into_row(subscription_id, payload)))
    }

    pub(crate) fn payload(&self, place: Place) -> Result<Option<JsonText>, ViewsError> {
        let id = PageId::payloads_of(place);
        let Some(block) = self.block(&id)? else { return Ok(None) };
        let damaged = || ViewsError::damaged(&id.key());
        match PayloadRow::decode(block.get(place.slot())).ok_or_else(damaged)? {
            PayloadRow::None => Ok(None),
            PayloadRow::Text(text) => Ok(Some(JsonText::of_stored(text))),
            PayloadRow::Large => {
                let id = PageId::LargePayload(place);
                let page = self.bytes(&id)?.ok_or_else(damaged)?;
                let text = std::str::from_utf8(&page).map_err(|_| damaged())?;
                Ok(Some(JsonText::of_stored(text)))
            }
        }
    }

    /// The place that the index has for a hash. O(log n) of the n deliveries.
    pub(crate) fn place(&self, hash: u64) -> Result<Option<Place>, ViewsError> {
        for run in self.root.runs.iter().rev() {
            let bucket = run.bucket_of(hash);
            let filter_id = PageId::Filter { run: run.number, group: bucket / GROUP_BUCKETS };
            let filter = self.page(&filter_id, |key, page| whole(key, Filter::decode(page)).map(Page::Filter))?;
            let Some(Page::Filter(filter)) = filter else { return Err(ViewsError::damaged(&filter_id.key())) };
            if !filter.may_hold(hash) {
                continue;
            }
            let id = PageId::Bucket { run: run.number, bucket };
            let bucket = self.page(&id, |key, page| whole(key, Bucket::decode(page)).map(Page::Bucket))?;
            let Some(Page::Bucket(bucket)) = bucket else { return Err(ViewsError::damaged(&id.key())) };
            if let Some(place) = bucket.find(hash) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn page(
        &self,
        id: &PageId,
        of: impl Fn(&[u8], &[u8]) -> Result<Page, ViewsError>,
    ) -> Result<Option<Page>, ViewsError> {
        if let Some(page) = self.base.cache.get(id) {
            return Ok(Some(page));
        }
        let Some(bytes) = self.bytes(id)? else { return Ok(None) };
        let page = of(&id.key(), &bytes)?;
        self.base.cache.insert(id.clone(), page.clone());
        Ok(Some(page))
    }

    /// A page that is not cached, if it may be read.
    fn bytes(&self, id: &PageId) -> Result<Option<Vec<u8>>, ViewsError> {
        if !self.may_block {
            return Err(ViewsError::NotCached);
        }
        self.base.pages.read(id, &self.root.versions)
    }
}

fn whole<T>(key: &[u8], page: Option<T>) -> Result<Arc<T>, ViewsError> {
    page.map(Arc::new).ok_or_else(|| ViewsError::damaged(key))
}

/// The delivery that a row of a block is; `None` for a row of no bytes.
pub(crate) fn decode_row<'a, I: Deserialize<'a>>(
    id: &PageId,
    row: &'a [u8],
) -> Result<Option<DeliveryRecord<I>>, ViewsError> {
    if row.is_empty() { Ok(None) } else { decode(&id.key(), row).map(Some) }
}
