//! sled panics on some damage; a reader or an opener gets an error instead.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::event_log::BoxError;

/// Runs `work`; a panic in it is an error that says what the panic said.
///
/// sled's own locks are not poisoned by a panic, and ours are not held across a call of sled.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(panic.as_ref()).into())
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a word"))
}
