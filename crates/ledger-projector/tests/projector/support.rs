//! What the tests of the projector share.

use std::path::Path;

use ledger_event::{CompletedEvent, Event};
use ledger_log::{Append, EventLog, MemoryLog};
use ledger_views::{Views, ViewsOptions};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// How the views of tests are opened.
pub(crate) const OPTIONS: ViewsOptions = ViewsOptions { cache_bytes: 1 << 20 };

/// The current views of a folder.
pub(crate) fn open(dir: &Path) -> Views {
    Views::open(dir, OPTIONS).expect("it opens")
}

/// New views beside them.
pub(crate) fn begin(dir: &Path) -> Views {
    Views::begin(dir, OPTIONS).expect("there is room")
}

/// Appends events as one request.
pub(crate) fn append(log: &MemoryLog, events: &[Event]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    runtime.block_on(append_async(log, events));
}

/// The same, on a runtime that is there.
pub(crate) async fn append_async(log: &dyn EventLog, events: &[Event]) {
    let events = events.iter().cloned().map(|event| CompletedEvent { event, occurred_at_given: true }).collect();
    log.append(Append::new(events)).await.expect("it is appended");
}

/// One of the values of a strategy, always the same.
pub(crate) fn generate<T>(strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(&mut TestRunner::deterministic()).expect("it generates").current()
}
