//! What only a log on sled can go through.

mod crashing;
mod damage;
mod failing;
mod fence;
mod journal;
mod queueing;
mod sealing;

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};

use ledger_event::Position;
use tempfile::TempDir;

use super::disk::Disk;
use super::{SledLog, SledLogOptions};
use crate::chunk_codec::EncodedChunk;
use crate::conformance::{all_chunks, append, numbered, with_payload};
use crate::event_log::{AppendError, BoxError, ChainHash, EventLog, LogError};
use crate::segment::{SegmentHeader, SegmentReader, SegmentWriter};

/// A directory that is gone after the test, and the options of a log in it.
fn new_dir() -> (TempDir, SledLogOptions) {
    let dir = tempfile::tempdir().expect("there is room for a directory");
    let options = SledLogOptions::at(dir.path().join("log"));
    (dir, options)
}

fn open(options: &SledLogOptions) -> SledLog {
    SledLog::open(options.clone()).expect("it opens")
}

/// Appends the events of these numbers as one request.
fn fill(log: &SledLog, numbers: std::ops::Range<u64>) {
    append(log, numbers.map(numbered).collect()).expect("it is appended");
}

/// sled under a closed log, for a test that plays the disk's part.
fn with_sled<T>(options: &SledLogOptions, work: impl FnOnce(&sled::Tree, &sled::Tree) -> T) -> T {
    let config = sled::Config::new().path(&options.dir).segment_size(8 * 1024 * 1024).flush_every_ms(None);
    let db = super::open::open_released(&config).expect("the log is closed");
    let chunks = db.open_tree("chunks").expect("it opens");
    let meta = db.open_tree("meta").expect("it opens");
    let result = work(&chunks, &meta);
    db.flush().expect("it is written");
    result
}

/// Takes away the journal, which would give back what a test takes from sled.
fn remove_journal(options: &SledLogOptions) {
    for name in ["journal-0", "journal-1"] {
        fs::remove_file(options.dir.join(name)).expect("a log has a journal");
    }
}

/// A disk that does what the test says, before each sync.
struct Steered<F> {
    disk: Box<dyn Disk>,
    before_sync: F,
}

impl<F: FnMut() -> Result<(), BoxError> + Send> Disk for Steered<F> {
    fn write(&mut self, chunk: &EncodedChunk, last: Position) -> Result<(), BoxError> {
        self.disk.write(chunk, last)
    }

    fn sync(&mut self) -> Result<(), BoxError> {
        (self.before_sync)()?;
        self.disk.sync()
    }

    fn store(&mut self, chunk: &EncodedChunk) -> Result<(), BoxError> {
        self.disk.store(chunk)
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.disk.close()
    }
}

fn open_steered(
    options: &SledLogOptions,
    before_sync: impl FnMut() -> Result<(), BoxError> + Send + 'static,
) -> SledLog {
    SledLog::open_with(options.clone(), |disk| Box::new(Steered { disk, before_sync })).expect("it opens")
}

/// Holds the appender at each sync until it is let go once, or for good when this is dropped.
struct Hold {
    reached: Receiver<()>,
    go: Sender<()>,
}

impl Hold {
    /// Waits until the appender is held.
    fn wait_until_held(&self) {
        self.reached.recv().expect("the appender comes to a sync");
    }

    /// Lets the appender do one sync.
    fn let_go(&self) {
        self.go.send(()).expect("the appender waits");
    }
}

fn open_held(options: &SledLogOptions) -> (SledLog, Hold) {
    let (reached_sender, reached) = mpsc::channel();
    let (go, go_receiver) = mpsc::channel();
    let log = open_steered(options, move || {
        // Nobody holds it any more where these fail.
        let _ = reached_sender.send(());
        let _ = go_receiver.recv();
        Ok(())
    });
    (log, Hold { reached, go })
}

/// Copies a directory as a killed process would leave it.
fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("there is room for a directory");
    for entry in fs::read_dir(from).expect("it is a directory") {
        let entry = entry.expect("it is readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it has one").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("there is room for the file");
        }
    }
}

/// Random bytes in hexadecimal.
fn random_text(length: usize) -> String {
    let mut bytes = vec![0; length / 2];
    getrandom::fill(&mut bytes).expect("the machine has randomness");
    let digit = |digit: u8| char::from(b"0123456789abcdef"[usize::from(digit)]);
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn blob_files(options: &SledLogOptions) -> usize {
    fs::read_dir(options.dir.join("blobs")).map_or(0, Iterator::count)
}

#[test]
fn two_do_not_open_one_log() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    assert!(matches!(SledLog::open(options.clone()), Err(LogError::Open(_))));
    drop(log);
    open(&options);
}

#[test]
fn a_closed_log_takes_no_appends_and_is_read_on() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    fill(&log, 0..3);
    log.close();
    log.close();
    let refusal = append(&log, vec![numbered(9)]).expect_err("it is closed");
    assert!(matches!(refusal, AppendError::Stopped(_)));
    assert_eq!(log.check_writable().expect_err("it is closed").to_string(), "the log takes no appends: it was closed");
    assert!(log.chunk_at(Position::new(2)).expect("it is readable").is_some());
}

#[test]
fn the_stored_bytes_of_its_chunks_make_a_segment() {
    let (_dir, options) = new_dir();
    let log = open(&options);
    fill(&log, 0..10);
    let payload = || format!(r#"{{"p":"{}"}}"#, random_text(250_000));
    append(&log, (10..13).map(|number| with_payload(number, &payload())).collect()).expect("it is appended");
    fill(&log, 13..20);

    let header = SegmentHeader { identity: log.identity(), first: Position::new(1), previous: ChainHash::START };
    let mut writer = SegmentWriter::new(Vec::new(), header).expect("memory takes any bytes");
    let chunks = all_chunks(&log);
    for chunk in &chunks {
        let encoded = log.encoded_chunk_at(chunk.last()).expect("it is readable").expect("it is there");
        writer.push(&encoded).expect("it follows");
    }
    let (bytes, footer) = writer.finish().expect("it has chunks");
    assert_eq!((footer.last, footer.hash), (log.head().position, log.head().hash));
    let mut reader = SegmentReader::open(bytes.as_slice()).expect("it is a segment");
    for chunk in chunks {
        assert_eq!(reader.next_chunk().expect("it is whole").expect("it has them all").1, chunk);
    }
}
