//! Pages that an answer needs and that are not in memory: they are loaded together, and without any lock.
//!
//! An answer is tried with what is in memory, and what it lacks is noted; then that is loaded, and it is tried anew. So
//! neither commits nor other answers wait for the disk, and a page of twenty deliveries of as many subscriptions waits for
//! it hardly longer than one of a single block.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::{self, Builder};

use rustc_hash::FxHashMap;

use crate::base::{Base, Page, Root};
use crate::error::{ViewsError, guarded};
use crate::pages::PageId;

/// How many pages are worth a thread: three blocks of states and of payloads, which lie side by side.
const PAGES_PER_THREAD: usize = 6;

/// How many threads load the pages of one answer at most.
const THREADS_MAX: usize = 4;

/// Pages that were loaded for an answer, and those that it still lacks.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    /// What the pages are valid under.
    root: Option<Arc<Root>>,
    /// Those that do not exist are `None`.
    loaded: FxHashMap<PageId, Option<Page>>,
    missing: RefCell<Vec<PageId>>,
}

impl Loads {
    /// Begins another try under a root, whose pages go into the cache. Those of another root are of no more use.
    ///
    /// The root must not be replaced meanwhile.
    pub(crate) fn begin(&mut self, base: &Base, root: &Arc<Root>) {
        if self.are_of(root) {
            self.loaded.iter().for_each(|(id, page)| base.cache(id, page.as_ref()));
        } else {
            self.loaded.clear();
        }
        self.root = Some(Arc::clone(root));
    }

    /// Whether the pages are loaded under that root.
    pub(crate) fn are_of(&self, root: &Arc<Root>) -> bool {
        self.root.as_ref().is_some_and(|own| Arc::ptr_eq(own, root))
    }

    /// A page that was loaded; otherwise it is noted.
    pub(crate) fn get(&self, id: &PageId) -> Result<Option<Page>, ViewsError> {
        if let Some(page) = self.loaded.get(id) {
            return Ok(page.clone());
        }
        let mut missing = self.missing.borrow_mut();
        if !missing.contains(id) {
            missing.push(id.clone());
        }
        Err(ViewsError::NotCached)
    }

    /// Loads what is missing.
    ///
    /// # Errors
    ///
    /// When it cannot be read; also where the root was replaced meanwhile, under which the pages may be gone.
    pub(crate) fn load(&mut self, base: &Base) -> Result<(), ViewsError> {
        let missing = std::mem::take(self.missing.get_mut());
        let Some(root) = &self.root else { return Ok(()) };
        let load = |part: &[PageId]| -> Result<Vec<(PageId, Option<Page>)>, ViewsError> {
            guarded(|| part.iter().map(|id| Ok((id.clone(), base.load(id, &root.versions)?))).collect())
        };
        let mut parts = missing.chunks(missing.len().div_ceil(THREADS_MAX).max(PAGES_PER_THREAD));
        let own = parts.next().unwrap_or_default();
        let pages = thread::scope(|scope| {
            let spawn = |part| Builder::new().name("views-reader".to_owned()).spawn_scoped(scope, move || load(part));
            // Where there is no thread to be had it is done here.
            let others: Vec<_> = parts.map(|part| spawn(part).map_err(|_| part)).collect();
            let mut pages = load(own)?;
            for other in others {
                pages.extend(match other {
                    Ok(thread) => thread.join().unwrap_or(Err(ViewsError::EnginePanicked))?,
                    Err(part) => load(part)?,
                });
            }
            Ok::<_, ViewsError>(pages)
        })?;
        self.loaded.extend(pages);
        Ok(())
    }
}
