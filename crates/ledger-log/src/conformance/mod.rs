//! One suite that every log passes.
//!
//! A log is put under test by a [`Subject`] and the macro
//! [`conformance_tests!`](crate::conformance_tests), which makes a test of each case:
//!
//! ```text
//! ledger_log::conformance_tests!(MySubject);
//! ```

mod appending;
mod concurrency;
mod events;
mod idempotence;
mod reading;
mod wait;

pub use self::appending::*;
pub use self::concurrency::*;
pub use self::events::{numbered, with_payload};
pub use self::idempotence::*;
pub use self::reading::*;
pub use self::wait::wait;

use ledger_event::{CompletedEvent, Position};

use crate::Clock;
use crate::event_log::{Append, AppendError, Appended, Chunk, EventLog};

/// A log under test, with what the suite needs beside the trait.
pub trait Subject: Sized {
    /// The log.
    type Log: EventLog;

    /// An empty log.
    fn open(setup: Setup) -> Self;

    /// The log.
    fn log(&self) -> &Self::Log;

    /// Closes the log and opens it again; `None` when it is gone with the process.
    fn reopen(self) -> Option<Self>;
}

/// How a log under test is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many of the newest events are recognized when they are sent again.
    pub idempotence_window_events: usize,
    /// Where the log takes the time from.
    pub clock: Clock,
}

impl Default for Setup {
    fn default() -> Self {
        Self { idempotence_window_events: 10_000, clock: Clock::system() }
    }
}

/// Appends the events as one request and waits for the answer.
///
/// # Errors
///
/// Those of the append.
pub fn append(log: &impl EventLog, events: Vec<CompletedEvent>) -> Result<Appended, AppendError> {
    wait(log.append(Append::new(events)))
}

/// All chunks of a log, which must follow each other from position 1 to the head.
pub fn all_chunks(log: &impl EventLog) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut next = Position::new(1);
    let head = log.head();
    while next <= head.position {
        let chunk = log.chunk_at(next).expect("the log is readable").expect("it is not beyond the head");
        assert_eq!(chunk.first, next, "chunks leave no gap");
        next = chunk.last().next();
        chunks.push(chunk);
    }
    if let Some(last) = chunks.last() {
        assert_eq!(last.head(), head, "the log ends at its head");
    }
    chunks
}

/// Makes a test of each case of the suite, for a [`Subject`](crate::conformance::Subject).
#[macro_export]
macro_rules! conformance_tests {
    ($subject:ty) => {
        $crate::conformance_tests!(@each $subject;
            positions_are_dense_from_1_and_keep_the_order
            an_empty_request_stores_nothing
            a_request_of_maximal_size_is_one_chunk
            a_request_that_is_too_large_stores_nothing
            time_of_recording_never_goes_back
            generated_histories_read_back_as_they_were_appended
            repeats_within_a_request_are_duplicates
            repeats_of_an_earlier_request_are_duplicates
            a_time_that_was_filled_in_does_not_tell_contents_apart
            a_time_that_was_sent_tells_contents_apart
            an_id_is_scoped_to_its_workspace
            a_reused_id_refuses_its_whole_request_and_no_other
            beyond_the_window_an_id_is_new_again
            duplicates_do_not_lengthen_the_stay_in_the_window
            a_chunk_is_found_by_each_of_its_positions
            there_is_nothing_before_the_first_position_nor_beyond_the_head
            the_head_is_watched
            the_chain_verifies_from_the_first_chunk_on
            altered_content_breaks_the_chain
            a_reopened_log_is_as_it_was_and_goes_on
            a_reopened_log_recognizes_what_it_holds
            concurrent_requests_are_each_whole_in_one_chunk
            of_concurrent_equal_requests_one_is_stored
        );
    };
    (@each $subject:ty; $($case:ident)+) => {$(
        #[test]
        fn $case() {
            $crate::conformance::$case::<$subject>();
        }
    )+};
}
