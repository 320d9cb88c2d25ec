use tokio::sync::watch;

use super::*;
use crate::chain::ChunkSeed;
use crate::chunk_codec::{ChunkEncoder, PackedChunk};
use crate::conformance::{append, numbered};
use crate::{Append, MemoryLog, MemoryLogOptions, PendingAppend};

/// Chunks as they might be stored: by the first position of their place, with the head that is believed.
struct Stored {
    identity: LogIdentity,
    head: Head,
    chunks: Vec<EncodedChunk>,
}

impl EventLog for Stored {
    fn identity(&self) -> LogIdentity {
        self.identity
    }

    fn append(&self, _: Append) -> PendingAppend {
        unreachable!("nothing is appended while it is verified")
    }

    fn watch_head(&self) -> watch::Receiver<Head> {
        watch::Sender::new(self.head).subscribe()
    }

    fn chunk_at(&self, _: Position) -> Result<Option<Chunk>, LogError> {
        unreachable!("verification reads what is stored")
    }

    fn encoded_chunk_at(&self, position: Position) -> Result<Option<EncodedChunk>, LogError> {
        Ok(self.chunks.iter().rev().find(|chunk| chunk.first() <= position).cloned())
    }

    fn check_writable(&self) -> Result<(), LogError> {
        Ok(())
    }
}

/// Chunks of positions 1 to 4, 5, 6 to 8.
fn stored() -> Stored {
    let log = MemoryLog::with_options(MemoryLogOptions::default());
    for numbers in [0..4, 4..5, 5..8] {
        append(&log, numbers.map(numbered).collect()).expect("it is appended");
    }
    let chunk = |first| log.encoded_chunk_at(Position::new(first)).expect("it reads").expect("it is there");
    Stored { identity: log.identity(), head: log.head(), chunks: [1, 5, 6].map(chunk).to_vec() }
}

/// The positions of the chunks that are right, then that of the damage and what is said of it.
fn walked(log: &Stored) -> (Vec<u64>, Option<(u64, String)>) {
    let mut right = Vec::new();
    for chunk in verify(log) {
        match chunk {
            Ok(chunk) => right.push(chunk.first.get()),
            Err(LogError::Damaged { position, reason }) => return (right, Some((position.get(), reason))),
            Err(error) => panic!("{error}"),
        }
    }
    (right, None)
}

fn placed(first: u64, chunk: &EncodedChunk) -> EncodedChunk {
    EncodedChunk::of_stored(Position::new(first), chunk.as_bytes().to_vec())
}

#[test]
fn a_whole_log_is_walked_to_its_head() {
    let log = stored();
    assert_eq!(walked(&log), (vec![1, 5, 6], None));
    let last = verify(&log).last().expect("it has chunks").expect("it is whole");
    assert_eq!(last.head(), log.head);
    assert!(verify(&MemoryLog::new()).next().is_none(), "an empty log has nothing to be damaged");
}

#[test]
fn a_flipped_byte_anywhere_in_a_chunk_is_noticed_at_its_position() {
    let whole = stored();
    let bytes = whole.chunks[1].as_bytes();
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        let mut log = stored_as(&whole);
        log.chunks[1] = EncodedChunk::of_stored(Position::new(5), flipped);
        let mut walk = verify(&log);
        walk.next().expect("the first is whole").expect("the first is whole");
        let noticed = walk.next().expect("it is said").expect_err("a byte is flipped");
        assert!(
            matches!(noticed, LogError::Damaged { position, .. } if position == Position::new(5))
                || matches!(noticed, LogError::NewerFormat { .. }),
            "byte {at}: {noticed}"
        );
        assert!(walk.next().is_none(), "nothing is said beyond damage");
    }
}

fn stored_as(log: &Stored) -> Stored {
    Stored { identity: log.identity, head: log.head, chunks: log.chunks.clone() }
}

#[test]
fn a_missing_chunk_is_named_by_where_it_should_begin() {
    for (index, right, position) in [(0, vec![], 1), (1, vec![1], 5), (2, vec![1, 5], 6)] {
        let mut log = stored();
        log.chunks.remove(index);
        let (walked, damage) = walked(&log);
        let (found, reason) = damage.expect("a chunk is missing");
        assert_eq!((walked, found), (right, position), "{reason}");
    }
}

#[test]
fn swapped_chunks_are_noticed_whether_they_say_their_old_place_or_not() {
    let mut log = stored();
    let (second, third) = (log.chunks[1].clone(), log.chunks[2].clone());
    log.chunks[1] = placed(5, &third);
    log.chunks[2] = placed(8, &second);
    let (right, damage) = walked(&log);
    assert_eq!((right, damage), (vec![1], Some((5, "it is the chunk of position 6".to_owned()))));
}

#[test]
fn a_chunk_that_is_stored_within_another_is_noticed() {
    let mut log = stored();
    log.chunks.insert(1, placed(3, &log.chunks[1]));
    let (right, damage) = walked(&log);
    let (position, reason) = damage.expect("readers of position 4 find another chunk");
    assert_eq!((right, position), (vec![], 1), "{reason}");
}

#[test]
fn a_chunk_of_another_log_or_of_another_past_is_noticed() {
    let mut log = stored();
    log.chunks[1] = stored().chunks[1].clone();
    let (right, damage) = walked(&log);
    assert_eq!((right, damage), (vec![1], Some((5, "its content does not match its hash".to_owned()))));

    let mut log = stored();
    log.head.hash = ChainHash([1; 32]);
    let (right, damage) = walked(&log);
    assert_eq!((right, damage), (vec![1, 5], Some((6, "it is not the head's".to_owned()))));
}

#[test]
fn a_chunk_that_is_right_in_itself_and_does_not_follow_is_noticed() {
    let whole = stored();
    let second = whole.chunks[1].verify(&whole.identity).expect("it is whole");
    let earlier = Timestamp::from_micros(0).expect("it is 1970");
    let cases = [
        (Chunk { previous: ChainHash([1; 32]), ..second.clone() }, "it does not name the hash of the chunk before it"),
        (Chunk { recorded_at: earlier, ..second }, "it was recorded before the chunk before it"),
    ];
    for (chunk, reason) in cases {
        let mut log = stored_as(&whole);
        log.chunks[1] = encoded(&whole.identity, chunk);
        assert_eq!(walked(&log), (vec![1], Some((5, reason.to_owned()))));
    }
}

/// The chunk as it would be stored, with the hash of its content.
fn encoded(identity: &LogIdentity, chunk: Chunk) -> EncodedChunk {
    let packed = PackedChunk::hashed(&chunk, ChunkSeed([7; 32]), identity);
    ChunkEncoder::new().expect("it needs memory alone").encode(&packed).expect("it is small")
}
