//! Streams that are whole, and streams that are not.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;

use super::*;
use crate::room::Room;

const BOTH: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

fn pack(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).expect("it writes to memory");
            encoder.finish().expect("it writes to memory")
        }
        Encoding::Zstd => zstd::encode_all(bytes, 1).expect("it writes to memory"),
    }
}

fn unpack(encoding: Encoding, body: &[u8]) -> Result<Vec<u8>, UnpackError> {
    encoding.unpack(body, &mut Room::new(4 * REQUEST_MAX_BYTES).take())
}

#[test]
fn a_stream_and_several_after_each_other_are_read() {
    for encoding in BOTH {
        let packed = pack(encoding, b"one event");
        assert_eq!(unpack(encoding, &packed).as_deref(), Ok(b"one event".as_slice()));
        let twice = [packed, pack(encoding, b", another")].concat();
        assert_eq!(unpack(encoding, &twice).as_deref(), Ok(b"one event, another".as_slice()));
    }
}

#[test]
fn a_stream_that_ends_early_or_is_followed_by_anything_else_is_refused() {
    for encoding in BOTH {
        let packed = pack(encoding, &b"some events, some events, and others".repeat(10));
        for end in 1..packed.len() {
            assert_eq!(unpack(encoding, &packed[..end]), Err(UnpackError::EndsEarly(encoding)), "{end}");
        }
        for rest in [b"x".as_slice(), b"garbage of some length"] {
            assert!(unpack(encoding, &[&packed, rest].concat()).is_err(), "{encoding:?} {rest:?}");
        }
        assert_eq!(unpack(encoding, b"{\"kind\": \"attempt.started\"}"), Err(UnpackError::Damaged(encoding)));
        assert_eq!(unpack(encoding, b""), Err(UnpackError::EndsEarly(encoding)));
    }
}

#[test]
fn a_flipped_byte_is_found() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("it is a level");
    encoder.include_checksum(true).expect("it is a setting");
    encoder.write_all(&b"0123456789".repeat(50)).expect("it writes to memory");
    let zstd = encoder.finish().expect("it writes to memory");
    let gzip = pack(Encoding::Gzip, &b"0123456789".repeat(50));
    for (encoding, packed) in [(Encoding::Gzip, gzip), (Encoding::Zstd, zstd)] {
        for at in packed.len() - 12..packed.len() {
            let mut body = packed.clone();
            body[at] ^= 1;
            assert!(unpack(encoding, &body).is_err(), "{encoding:?}, byte {at}");
        }
    }
}

#[test]
fn a_bomb_is_stopped_at_the_bound_whatever_it_would_become() {
    for encoding in BOTH {
        let bound = pack(encoding, &vec![b' '; REQUEST_MAX_BYTES]);
        assert_eq!(unpack(encoding, &bound).map(|bytes| bytes.len()), Ok(REQUEST_MAX_BYTES));
        let over = pack(encoding, &vec![b' '; REQUEST_MAX_BYTES + 1]);
        assert_eq!(unpack(encoding, &over), Err(UnpackError::TooLarge));
        let many: Vec<u8> = std::iter::repeat_n(bound, 200).flatten().collect();
        assert_eq!(unpack(encoding, &many), Err(UnpackError::TooLarge));
    }
}

#[test]
fn a_window_beyond_the_bound_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("it is a level");
    encoder.window_log(ZSTD_WINDOW_LOG_MAX + 1).expect("it is a window");
    encoder.write_all(b"small").expect("it writes to memory");
    let packed = encoder.finish().expect("it writes to memory");
    assert_eq!(unpack(Encoding::Zstd, &packed), Err(UnpackError::Damaged(Encoding::Zstd)));
}

#[test]
fn what_comes_out_takes_room_as_it_comes_out() {
    for encoding in BOTH {
        let room = Room::new(2 * REQUEST_MAX_BYTES);
        let free = room.free_units();
        let mut others = room.take();
        others.grow_to(REQUEST_MAX_BYTES + REQUEST_MAX_BYTES / 2).expect("nothing else is in flight");
        let mut taken = room.take();
        let packed = pack(encoding, &vec![b' '; REQUEST_MAX_BYTES]);
        assert_eq!(encoding.unpack(&packed, &mut taken), Err(UnpackError::NoRoom));
        let small = encoding.unpack(&pack(encoding, &vec![b' '; 100_000]), &mut room.take());
        assert_eq!(small, Err(UnpackError::NoRoom), "the first one still has what it took");
        drop(taken);
        assert!(encoding.unpack(&pack(encoding, &vec![b' '; 100_000]), &mut room.take()).is_ok());
        drop(others);
        assert_eq!(room.free_units(), free);
    }
}

#[test]
fn an_encoding_is_named_by_the_headers() {
    let of = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(value).expect("it is a header"));
        }
        Encoding::of(&headers)
    };
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&["identity"]), Ok(None));
    assert_eq!(of(&["GZip"]), Ok(Some(Encoding::Gzip)));
    assert_eq!(of(&["x-gzip, identity"]), Ok(Some(Encoding::Gzip)));
    assert_eq!(of(&["zstd"]), Ok(Some(Encoding::Zstd)));
    for unknown in [&["br"][..], &["deflate"], &["gzip, zstd"], &["gzip", "gzip"]] {
        let error = of(unknown).expect_err("it is refused").to_string();
        assert!(error.contains(unknown[0]) && error.contains("send gzip, zstd, or"), "{error}");
    }
}
