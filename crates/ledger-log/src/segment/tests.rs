use std::io;

use super::*;
use crate::MemoryLog;
use crate::chunk_codec::EncodedChunk;
use crate::conformance::{append, numbered, with_payload};
use crate::event_log::{Chunk, EventLog};

/// A segment of two chunks, written by the first version of the format and never again.
const FIXTURE: &[u8] = include_bytes!("../../fixtures/segment-v1.hkl");

/// A log of four chunks, one of them large, and their segment.
fn written() -> (MemoryLog, Vec<u8>) {
    let log = MemoryLog::new();
    for numbers in [0..1, 1..4, 4..300, 300..301] {
        append(&log, numbers.map(numbered).collect()).expect("it is appended");
    }
    let header = SegmentHeader { identity: log.identity(), first: Position::new(1), previous: ChainHash::START };
    let mut writer = SegmentWriter::new(Vec::new(), header).expect("memory takes any bytes");
    for encoded in encoded_chunks(&log) {
        writer.push(&encoded).expect("the chunk follows");
    }
    let (bytes, footer) = writer.finish().expect("it has chunks");
    assert_eq!((footer.last, footer.hash, footer.chunks), (log.head().position, log.head().hash, 4));
    (log, bytes)
}

fn encoded_chunks(log: &MemoryLog) -> Vec<EncodedChunk> {
    let mut chunks = Vec::new();
    let mut position = Position::new(1);
    while let Some(chunk) = log.encoded_chunk_at(position).expect("it is readable") {
        position = chunk.decode().expect("it is whole").last().next();
        chunks.push(chunk);
    }
    chunks
}

/// All chunks up to the end or the first error, and that error.
fn read(bytes: &[u8]) -> (Vec<Chunk>, Result<(), LogError>) {
    let mut chunks = Vec::new();
    let mut reader = match SegmentReader::open(bytes) {
        Ok(reader) => reader,
        Err(error) => return (chunks, Err(error)),
    };
    loop {
        match reader.next_chunk() {
            Ok(Some((_, chunk))) => chunks.push(chunk),
            Ok(None) => {
                assert!(reader.footer().is_some(), "the end of a segment is its footer");
                return (chunks, Ok(()));
            }
            Err(error) => {
                assert!(reader.next_chunk().is_err(), "an error is the end");
                return (chunks, Err(error));
            }
        }
    }
}

#[test]
fn a_segment_reads_back_as_the_chunks_that_were_written() {
    let (log, bytes) = written();
    let expected = encoded_chunks(&log);
    let mut reader = SegmentReader::open(bytes.as_slice()).expect("it is a segment");
    assert_eq!(reader.header().identity, log.identity());
    let mut read = Vec::new();
    while let Some((encoded, chunk)) = reader.next_chunk().expect("it is whole") {
        assert_eq!(encoded.verify(&reader.header().identity).expect("it is in the chain"), chunk);
        assert!(reader.footer().is_none(), "the end is not reached");
        read.push(encoded);
    }
    assert_eq!(read, expected);
    assert_eq!(reader.footer().map(|footer| footer.hash), Some(log.head().hash));
}

#[test]
fn a_segment_that_is_cut_anywhere_is_an_error_and_never_wrong_data() {
    let (_, bytes) = written();
    let (whole, end) = read(&bytes);
    assert!(end.is_ok());
    for length in 0..bytes.len() {
        let (chunks, end) = read(&bytes[..length]);
        assert!(end.is_err(), "cut at {length}");
        assert_eq!(chunks, whole[..chunks.len()], "cut at {length}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_an_error_and_never_wrong_data() {
    let (_, bytes) = written();
    let (whole, _) = read(&bytes);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let (chunks, end) = read(&flipped);
        assert!(end.is_err(), "flipped at {at}");
        assert_eq!(chunks, whole[..chunks.len()], "flipped at {at}");
    }
}

#[test]
fn bytes_after_the_footer_are_an_error() {
    let (_, mut bytes) = written();
    bytes.push(0);
    assert!(matches!(read(&bytes).1, Err(LogError::Damaged { .. })));
}

#[test]
fn a_segment_of_a_newer_version_is_refused_as_such() {
    let (_, mut bytes) = written();
    bytes[MAGIC.len()..PREFIX_BYTES].copy_from_slice(&2_u32.to_be_bytes());
    let Err(error) = SegmentReader::open(bytes.as_slice()) else { panic!("it is refused") };
    assert_eq!(error.to_string(), "the segment has format 2; this program reads formats up to 1: use a newer version");
}

#[test]
fn only_chunks_that_follow_and_match_their_hash_are_taken() {
    let (log, _) = written();
    let chunks = encoded_chunks(&log);
    let header = SegmentHeader { identity: log.identity(), first: Position::new(1), previous: ChainHash::START };
    let mut writer = SegmentWriter::new(Vec::new(), header).expect("memory takes any bytes");
    assert!(matches!(writer.push(&chunks[1]), Err(LogError::Damaged { .. })), "the first is missing");
    writer.push(&chunks[0]).expect("a refusal leaves the segment as it was");
    assert!(matches!(writer.push(&chunks[0]), Err(LogError::Damaged { .. })), "it is there already");

    let elsewhere = SegmentHeader { identity: MemoryLog::new().identity(), ..header };
    let mut writer = SegmentWriter::new(Vec::new(), elsewhere).expect("memory takes any bytes");
    assert!(matches!(writer.push(&chunks[0]), Err(LogError::Damaged { .. })), "it is of another ledger");
    assert!(matches!(writer.finish(), Err(LogError::Segment { .. })), "a segment has chunks");
}

#[test]
fn chunks_that_were_checked_make_the_same_segment_and_must_follow_too() {
    let (log, bytes) = written();
    let chunks = encoded_chunks(&log);
    let header = SegmentHeader { identity: log.identity(), first: Position::new(1), previous: ChainHash::START };
    let mut writer = SegmentWriter::new(Vec::new(), header).expect("memory takes any bytes");
    assert!(matches!(writer.push_checked(&chunks[1]), Err(LogError::Damaged { .. })), "the first is missing");
    for chunk in &chunks {
        let last = writer.push_checked(chunk).expect("the chunk follows");
        assert_eq!(last, chunk.decode().expect("it is whole").last());
    }
    let (output, _) = writer.finish().expect("memory takes any bytes");
    assert_eq!(output, bytes);
}

/// A segment of many small chunks and a few large ones, so that its index has several entries, in a file.
fn written_to_a_file() -> (MemoryLog, tempfile::NamedTempFile) {
    let log = MemoryLog::new();
    let mut number = 0;
    for length in (0..600).map(|n| 1 + n % 40) {
        // What does not compress, in a few of them.
        let noise: String =
            (0..1000 * (length / 30)).map(|n| blake3::hash(&[n as u8, length as u8]).to_string()).collect();
        let mut events = vec![with_payload(number, &format!(r#"{{"noise":"{noise}"}}"#))];
        events.extend((number + 1..number + length).map(numbered));
        append(&log, events).expect("it is appended");
        number += length;
    }
    let header = SegmentHeader { identity: log.identity(), first: Position::new(1), previous: ChainHash::START };
    let file = tempfile::NamedTempFile::new().expect("there is room for a file");
    let mut writer = SegmentWriter::new(io::BufWriter::new(file.as_file()), header).expect("it is written");
    for encoded in encoded_chunks(&log) {
        writer.push(&encoded).expect("the chunk follows");
    }
    writer.finish().expect("it has chunks");
    (log, file)
}

#[test]
fn every_chunk_of_a_file_is_found_by_each_of_its_positions_in_any_order() {
    let (log, file) = written_to_a_file();
    let segment = SegmentFile::open(file.path()).expect("it is a segment");
    assert_eq!(segment.footer().last, log.head().position);
    assert!(segment.bytes_from(Position::new(1)).expect("it has an index") > 2 * INDEX_STRIDE_BYTES);
    let last = log.head().position.get();
    let forward = (1..=last).step_by(17);
    let scattered = (0..2000).map(|n| 1 + (n * 7919) % last);
    for position in forward.chain((1..=last).rev().step_by(1013)).chain(scattered).map(Position::new) {
        let (encoded, next) = segment.encoded_chunk_at(position).expect("it is whole");
        let expected = log.encoded_chunk_at(position).expect("it is readable").expect("it is there");
        assert_eq!(encoded, expected, "position {position}");
        assert_eq!(next, expected.decode().expect("it is whole").last().next());
    }
}

#[test]
fn a_file_that_is_cut_or_changed_gives_an_error_or_the_right_chunk_and_names_itself() {
    let (log, bytes) = written();
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let path = dir.path().join("1.segment");
    let expected = encoded_chunks(&log);
    let see = |content: &[u8], what: &str| {
        std::fs::write(&path, content).expect("it is written");
        let mut all_are_right = true;
        for chunk in &expected {
            let read = SegmentFile::open(&path).and_then(|segment| segment.encoded_chunk_at(chunk.first()));
            match read {
                Ok((read, _)) => assert_eq!(read, *chunk, "{what}"),
                Err(LogError::SegmentDamaged { path: named, .. }) => {
                    assert_eq!(named, path, "{what}");
                    all_are_right = false;
                }
                Err(LogError::NewerFormat { .. }) => all_are_right = false,
                Err(error) => panic!("{what}: {error}"),
            }
        }
        all_are_right
    };
    assert!(see(&bytes, "whole"));
    for length in 0..bytes.len() {
        assert!(!see(&bytes[..length], &format!("cut at {length}")));
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        see(&flipped, &format!("flipped at {at}"));
    }
}

#[test]
fn an_output_that_fails_is_an_error() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let header =
        SegmentHeader { identity: MemoryLog::new().identity(), first: Position::new(1), previous: ChainHash::START };
    assert!(matches!(SegmentWriter::new(Full, header), Err(LogError::Segment { action: "write", .. })));
}

/// What the fixture holds, by chunk.
fn fixture_chunks() -> Vec<Vec<ledger_event::CompletedEvent>> {
    let payload = r#"{"email":"a@example.com","n":1.0e2}"#;
    vec![vec![with_payload(0, payload)], vec![numbered(1), numbered(2), with_payload(3, "{}")]]
}

#[test]
fn a_segment_of_version_1_is_read_for_ever() {
    let mut reader = SegmentReader::open(FIXTURE).expect("it was written by version 1");
    let identity = reader.header().identity;
    for expected in fixture_chunks() {
        let (encoded, chunk) = reader.next_chunk().expect("it is whole").expect("it has two chunks");
        assert_eq!(encoded.verify(&identity).expect("the chain of version 1 verifies"), chunk);
        let events: Vec<_> = chunk.events.iter().map(|event| event.decode().expect("it is an event")).collect();
        assert_eq!(events, expected.into_iter().map(|completed| completed.event).collect::<Vec<_>>());
    }
    assert!(reader.next_chunk().expect("it is whole").is_none());
}
