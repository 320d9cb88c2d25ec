//! What is read back.

use ledger_event::Position;

use super::{Setup, Subject, all_chunks, append, numbered};
use crate::event_log::{ChainHash, Chunk, EventLog};
use crate::{EncodedChunk, LedgerId, LogIdentity};

/// A log of a few chunks of several lengths.
fn filled<S: Subject>() -> S {
    let subject = S::open(Setup::default());
    for numbers in [0..1, 1..4, 4..300, 300..301, 301..330] {
        append(subject.log(), numbers.map(numbered).collect()).expect("it is appended");
    }
    subject
}

fn encoded_chunks<S: Subject>(subject: &S) -> Vec<EncodedChunk> {
    let at = |chunk: &Chunk| subject.log().encoded_chunk_at(chunk.first).expect("it is readable").expect("it is there");
    all_chunks(subject.log()).iter().map(at).collect()
}

/// A chunk is found by its first position, its last, and each in between.
pub fn a_chunk_is_found_by_each_of_its_positions<S: Subject>() {
    let subject = filled::<S>();
    for chunk in all_chunks(subject.log()) {
        for position in chunk.first.get()..=chunk.last().get() {
            let found = subject.log().chunk_at(Position::new(position)).expect("it is readable");
            assert_eq!(found.as_ref(), Some(&chunk), "position {position}");
        }
    }
}

/// Positions that no event has are answered, not refused.
pub fn there_is_nothing_before_the_first_position_nor_beyond_the_head<S: Subject>() {
    let empty = S::open(Setup::default());
    assert_eq!(empty.log().chunk_at(Position::new(1)).expect("it is readable"), None);
    let subject = filled::<S>();
    let head = subject.log().head().position;
    for position in [Position::START, head.next(), head.plus(1000), Position::new(u64::MAX)] {
        assert_eq!(subject.log().chunk_at(position).expect("it is readable"), None, "position {position}");
        assert_eq!(subject.log().encoded_chunk_at(position).expect("it is readable"), None, "position {position}");
    }
}

/// Whoever watches sees the head move when something is stored, and only then.
pub fn the_head_is_watched<S: Subject>() {
    let subject = S::open(Setup::default());
    let mut watched = subject.log().watch_head();
    assert_eq!(watched.borrow_and_update().position, Position::START);
    append(subject.log(), vec![numbered(1), numbered(2)]).expect("it is appended");
    assert!(watched.has_changed().expect("the log is open"));
    assert_eq!(watched.borrow_and_update().position, Position::new(2));
    append(subject.log(), vec![numbered(1)]).expect("it is a duplicate");
    assert!(!watched.has_changed().expect("the log is open"));
    assert_eq!(subject.log().watch_head().borrow().position, Position::new(2), "a late watcher sees it at once");
}

/// Each chunk has the hash of its content and names the hash of the one before.
pub fn the_chain_verifies_from_the_first_chunk_on<S: Subject>() {
    let subject = filled::<S>();
    let mut previous = ChainHash::START;
    for encoded in encoded_chunks(&subject) {
        let chunk = encoded.verify(&subject.log().identity()).expect("it has the hash of its content");
        assert_eq!(chunk.previous, previous);
        previous = chunk.hash;
    }
    assert_eq!(subject.log().head().hash, previous);
}

/// A chunk does not pass for one of another log or another place, even where it can be decoded.
pub fn altered_content_breaks_the_chain<S: Subject>() {
    let subject = filled::<S>();
    let identity = subject.log().identity();
    let encoded = &encoded_chunks(&subject)[1];
    let other_ledger = LogIdentity { ledger_id: LedgerId([0; 16]), ..identity };
    let other_partition = LogIdentity { partition: identity.partition + 1, ..identity };
    for other in [other_ledger, other_partition] {
        assert!(encoded.verify(&other).is_err());
    }
    let elsewhere = EncodedChunk::of_stored(Position::new(1), encoded.as_bytes().to_vec());
    assert!(elsewhere.decode().is_err(), "it says itself where it begins");
}

/// A durable log that was closed and opened is the same log, and its next chunk follows.
pub fn a_reopened_log_is_as_it_was_and_goes_on<S: Subject>() {
    let subject = filled::<S>();
    let (identity, head, chunks) = (subject.log().identity(), subject.log().head(), all_chunks(subject.log()));
    let Some(subject) = subject.reopen() else { return };
    assert_eq!((subject.log().identity(), subject.log().head()), (identity, head));
    assert_eq!(all_chunks(subject.log()), chunks);

    let appended = append(subject.log(), vec![numbered(9_000)]).expect("it is appended");
    assert_eq!(appended.positions, Some((head.position.next(), head.position.next())));
    let last = subject.log().chunk_at(head.position.next()).expect("it is readable").expect("it was appended");
    assert_eq!(last.previous, head.hash);
    assert!(Some(last.recorded_at) >= chunks.last().map(|chunk| chunk.recorded_at));
}

/// The window survives: what was stored before is a duplicate after, by the same rules.
pub fn a_reopened_log_recognizes_what_it_holds<S: Subject>() {
    let subject = S::open(Setup { idempotence_window_events: 3, ..Setup::default() });
    append(subject.log(), [1, 2].map(numbered).to_vec()).expect("it is appended");
    append(subject.log(), [3, 4].map(numbered).to_vec()).expect("it is appended");
    let Some(subject) = subject.reopen() else { return };
    let kept = append(subject.log(), [2, 3, 4].map(numbered).to_vec()).expect("they are in the window");
    assert_eq!((kept.duplicates, kept.readable_at), (3, Position::new(4)));
    let mut changed = numbered(4);
    changed.event.delivery_id = numbered(5).event.delivery_id;
    assert!(append(subject.log(), vec![changed]).is_err(), "other content under a known id");
    let evicted = append(subject.log(), vec![numbered(1)]).expect("it is out of the window");
    assert_eq!(evicted.appended, 1);
}
