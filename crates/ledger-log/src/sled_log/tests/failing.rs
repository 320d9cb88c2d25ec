//! A disk that fails.

use ledger_event::Position;

use super::{fill, new_dir, open, open_held, open_steered, random_text};
use crate::chunk_codec::EncodedChunk;
use crate::conformance::{all_chunks, append, numbered, wait, with_payload};
use crate::event_log::{Append, AppendError, BoxError, EventLog, LogError};
use crate::sled_log::SledLog;
use crate::sled_log::disk::Disk;

/// Fails from the given call on.
fn failing_from(call: u32) -> impl FnMut() -> Result<(), BoxError> + Send {
    let mut calls = 0;
    move || {
        calls += 1;
        if calls < call { Ok(()) } else { Err("the disk is gone".into()) }
    }
}

fn stopped_reason(refusal: &AppendError) -> String {
    let AppendError::Stopped(LogError::Stopped { reason }) = refusal else {
        panic!("the log has stopped, and does not say so: {refusal}")
    };
    reason.clone()
}

#[test]
fn after_a_failed_sync_every_append_is_refused_and_reads_go_on() {
    let (_dir, options) = new_dir();
    let log = open_steered(&options, failing_from(2));
    fill(&log, 0..3);
    let (head, chunks) = (log.head(), all_chunks(&log));
    log.check_writable().expect("nothing has failed yet");

    for number in [10, 11] {
        let refusal = append(&log, vec![numbered(number)]).expect_err("the sync fails");
        assert_eq!(stopped_reason(&refusal), "writing failed: the disk is gone");
        let reason = log.check_writable().expect_err("it takes none").to_string();
        assert_eq!(reason, "the log takes no appends: writing failed: the disk is gone");
    }
    let duplicate = append(&log, vec![numbered(1)]).expect_err("duplicates are refused as well");
    stopped_reason(&duplicate);
    assert_eq!(log.head(), head, "what is not durable is not published");
    assert_eq!(log.chunk_at(Position::new(4)).expect("it is readable"), None);
    assert_eq!(all_chunks(&log), chunks);
    log.close();
    assert!(log.check_writable().expect_err("it takes none").to_string().contains("the disk is gone"));
    drop(log);

    let log = open(&options);
    let again = append(&log, vec![numbered(10)]).expect("sending again is safe");
    assert_eq!(again.readable_at, Position::new(4), "found after the restart or not, it is there once");
    assert_eq!(log.head().position, Position::new(4));
}

#[test]
fn requests_that_wait_behind_a_failed_write_are_refused_with_its_reason() {
    let (_dir, options) = new_dir();
    let (reached_sender, reached) = std::sync::mpsc::channel();
    let (go, go_receiver) = std::sync::mpsc::channel::<()>();
    let log = open_steered(&options, move || {
        let _ = reached_sender.send(());
        let _ = go_receiver.recv();
        Err("the disk is gone".into())
    });
    let first = log.append(Append::new(vec![numbered(1)]));
    reached.recv().expect("the appender comes to a sync");
    let behind = [2, 3].map(|number| log.append(Append::new(vec![numbered(number)])));
    go.send(()).expect("the appender waits");
    for pending in std::iter::once(first).chain(behind) {
        let refusal = wait(pending).expect_err("nothing is durable any more");
        assert_eq!(stopped_reason(&refusal), "writing failed: the disk is gone");
    }
}

/// Makes chunks durable, and cannot put them where readers find them.
struct Unreadable(Box<dyn Disk>);

impl Disk for Unreadable {
    fn write(&mut self, chunk: &EncodedChunk, last: Position) -> Result<(), BoxError> {
        self.0.write(chunk, last)
    }

    fn sync(&mut self) -> Result<(), BoxError> {
        self.0.sync()
    }

    fn store(&mut self, _: &EncodedChunk) -> Result<(), BoxError> {
        Err("no more".into())
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.0.close()
    }
}

#[test]
fn a_chunk_that_was_made_durable_and_refused_all_the_same_is_there_after_a_restart() {
    let (_dir, options) = new_dir();
    let log = SledLog::open_with(options.clone(), |disk| Box::new(Unreadable(disk))).expect("it opens");
    let event = with_payload(7, &format!(r#"{{"p":"{}"}}"#, random_text(250_000)));
    let refusal = append(&log, vec![event.clone()]).expect_err("it cannot be read");
    assert_eq!(stopped_reason(&refusal), "writing failed: no more");
    assert_eq!(log.head().position, Position::START);
    drop(log);

    let log = open(&options);
    let again = append(&log, vec![event]).expect("sending again is safe");
    assert_eq!((again.duplicates, again.readable_at), (1, Position::new(1)));
    assert_eq!(all_chunks(&log).len(), 1);
}

#[test]
fn a_panic_below_the_appender_stops_the_log_like_an_error() {
    let (_dir, options) = new_dir();
    let log = open_steered(&options, || panic!("out of luck"));
    let refusal = append(&log, vec![numbered(1)]).expect_err("the appender is gone");
    assert_eq!(stopped_reason(&refusal), "writing failed: panicked: out of luck");
    let reason = log.check_writable().expect_err("it takes none").to_string();
    assert_eq!(reason, "the log takes no appends: writing failed: panicked: out of luck");
}

#[test]
fn closing_finishes_what_waits() {
    let (_dir, options) = new_dir();
    let (log, hold) = open_held(&options);
    let first = log.append(Append::new(vec![numbered(1)]));
    hold.wait_until_held();
    let behind = [2, 3].map(|number| log.append(Append::new(vec![numbered(number)])));
    drop(hold);
    drop(log);
    for pending in std::iter::once(first).chain(behind) {
        wait(pending).expect("it was taken before the log was closed");
    }
    assert_eq!(open(&options).head().position, Position::new(3));
}
