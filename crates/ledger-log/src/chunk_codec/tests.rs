use ledger_event::testing;
use proptest::prelude::*;

use super::*;
use crate::conformance::numbered;
use crate::identity::LedgerId;

const IDENTITY: LogIdentity = LogIdentity { ledger_id: LedgerId([3; 16]), partition: 0 };
const SEED: ChunkSeed = ChunkSeed([5; 32]);

fn chunk_of(events: Vec<StoredEvent>) -> Chunk {
    let first = Position::new(7);
    let recorded_at = Timestamp::from_micros(1_768_471_200_000_000).expect("it is a time");
    let previous = ChainHash([9; 32]);
    let mut chunk = Chunk { first, recorded_at, previous, hash: ChainHash::START, events };
    chunk.hash = PackedChunk::hashed(&chunk, SEED, &IDENTITY).hash;
    chunk
}

fn encode(chunk: &Chunk) -> EncodedChunk {
    let mut encoder = ChunkEncoder::new().expect("compression needs nothing but memory");
    encoder.encode(&PackedChunk::of(chunk, SEED)).expect("it is within the bounds")
}

fn small_chunk() -> Chunk {
    chunk_of((1..4).map(|number| StoredEvent::encode(numbered(number).event)).collect())
}

/// The chunk with other bytes under the compression.
fn with_plain(plain: &[u8]) -> EncodedChunk {
    let mut bytes = vec![VERSION];
    bytes.extend(zstd::bulk::compress(plain, ZSTD_LEVEL).expect("memory takes any bytes"));
    EncodedChunk::of_stored(Position::new(7), bytes)
}

fn plain_of(encoded: &EncodedChunk) -> Vec<u8> {
    encoded.decompress(&encoded.bytes[1..]).expect("it was just compressed")
}

proptest! {
    #[test]
    fn a_chunk_reads_back_as_it_was(history in testing::history(50)) {
        let chunk = chunk_of(history.into_iter().map(StoredEvent::encode).collect());
        let encoded = encode(&chunk);
        prop_assert_eq!(&encoded.verify(&IDENTITY).expect("it was just encoded"), &chunk);
    }

    #[test]
    fn bytes_that_are_no_chunk_are_an_error_and_never_a_panic(
        junk in prop::collection::vec(any::<u8>(), 0..200),
        version in 0..3_u8,
    ) {
        let mut bytes = vec![version];
        bytes.extend(&junk);
        prop_assert!(EncodedChunk::of_stored(Position::new(7), bytes).decode().is_err());
        prop_assert!(with_plain(&junk).decode().is_err());
    }
}

/// A chunk's record, as serde writes it: the events are numbers here.
#[derive(serde::Serialize)]
struct BeforeEvents<'a> {
    first: u64,
    recorded_at: i64,
    previous: &'a serde_bytes::Bytes,
    hash: &'a serde_bytes::Bytes,
    seed: &'a serde_bytes::Bytes,
    events: [u8; 3],
}

#[test]
fn what_stands_before_the_events_is_written_as_serde_writes_it() {
    for recorded_at in [-1, 0, 127, 40_000, 5_000_000_000, 1_768_471_200_000_000] {
        let recorded_at = Timestamp::from_micros(recorded_at).expect("it is a time");
        let chunk = PackedChunk::of(&Chunk { recorded_at, ..small_chunk() }, SEED);
        let mut written = Vec::new();
        write_head(&mut written, &chunk).expect("memory takes it");
        let by_serde = rmp_serde::to_vec_named(&BeforeEvents {
            first: 7,
            recorded_at: recorded_at.as_micros(),
            previous: serde_bytes::Bytes::new(&[9; 32]),
            hash: serde_bytes::Bytes::new(&chunk.hash.0),
            seed: serde_bytes::Bytes::new(&SEED.0),
            events: [1, 2, 3],
        });
        assert_eq!([&written[..], &[1, 2, 3]].concat(), by_serde.expect("memory takes it"));
    }
}

#[test]
fn flipped_bytes_under_the_checksum_never_pass_the_chain() {
    let whole = small_chunk();
    let plain = plain_of(&encode(&whole));
    for bit in 0..plain.len() * 8 {
        let mut flipped = plain.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(with_plain(&flipped).verify(&IDENTITY).is_err(), "bit {bit}");
    }
    for length in 0..plain.len() {
        assert!(with_plain(&plain[..length]).verify(&IDENTITY).is_err(), "length {length}");
    }
}

#[test]
fn altered_content_decodes_and_does_not_verify() {
    let mut altered = small_chunk();
    altered.events[1].bodies[0].bytes.push(b'!');
    let encoded = encode(&altered);
    assert_eq!(encoded.decode().expect("it is well formed"), altered);
    let error = encoded.verify(&IDENTITY).expect_err("the hash is that of other content");
    assert_eq!(error.to_string(), "the chunk at position 7 is damaged: its content does not match its hash");
}

#[test]
fn a_chunk_that_claims_what_cannot_be_is_refused() {
    let whole = small_chunk();
    let mut doubled = whole.clone();
    doubled.events[0].bodies = [whole.events[0].bodies.clone(), whole.events[0].bodies.clone()].concat();
    for impossible in [Chunk { events: Vec::new(), ..whole.clone() }, doubled] {
        assert!(matches!(encode(&impossible).decode(), Err(LogError::Damaged { .. })));
    }
    for count in [2, 4, u64::from(u32::MAX)] {
        let miscounted = PackedChunk { count, ..PackedChunk::of(&whole, SEED) };
        let miscounted = ChunkEncoder::new().and_then(|mut encoder| encoder.encode(&miscounted)).expect("it is small");
        assert!(matches!(miscounted.decode(), Err(LogError::Damaged { .. })), "{count}");
    }
    let mut trailing = plain_of(&encode(&whole));
    trailing.push(0);
    assert!(with_plain(&trailing).decode().is_err(), "bytes follow the record");
    let mut two_frames = encode(&whole).bytes;
    two_frames.extend_from_within(1..);
    assert!(EncodedChunk::of_stored(whole.first, two_frames).decode().is_err(), "a chunk is one frame");
    let bomb = zstd::bulk::compress(&vec![0; PLAIN_MAX_BYTES + 1], ZSTD_LEVEL).expect("memory takes any bytes");
    let bomb = EncodedChunk::of_stored(whole.first, [vec![VERSION], bomb].concat());
    assert!(bomb.decode().is_err(), "it is larger than a chunk can be");
}

#[test]
fn a_chunk_of_a_newer_version_is_refused_as_such() {
    let mut encoded = encode(&small_chunk());
    encoded.bytes[0] = VERSION + 1;
    assert!(matches!(encoded.decode(), Err(LogError::NewerFormat { what: "a chunk", found: 2, known: 1 })));
}

#[test]
fn the_largest_request_makes_a_chunk_within_its_bound() {
    let without_events =
        plain_of(&encode(&small_chunk())).len() - PackedChunk::of(&small_chunk(), SEED).events[0].len();
    assert!(APPEND_MAX_BYTES + without_events + 4 < PLAIN_MAX_BYTES);
    assert!(zstd_safe::compress_bound(PLAIN_MAX_BYTES) < ENCODED_MAX_BYTES);
    assert!(ENCODED_MAX_BYTES.div_ceil(crate::parts::PART_MAX_BYTES) < usize::from(u16::MAX) / 2);
}
