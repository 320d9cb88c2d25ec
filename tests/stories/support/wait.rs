//! Waiting for what comes by itself, where there is no position to wait on.

use std::time::Duration;

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// How often is looked: about a minute, and longer on a slow machine. No story asserts that it is fast.
const LOOKS_MAX: u32 = 6_000;

/// Looks until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    poll(what, async || holds().await.then_some(())).await;
}

/// Looks until there is something.
pub(crate) async fn poll<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("it did not come to this: {what}");
}
