//! What a payload becomes that came in MessagePack, and what is refused.

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::{EventDraft, ParseError, parse_json, parse_msgpack, testing};

/// An event in MessagePack whose payload are those bytes.
fn event_with(payload: &[u8]) -> Vec<u8> {
    let fields = json!({"kind": "delivery.created", "subscription_id": "s", "delivery_id": "d"});
    let mut packed = rmp_serde::to_vec(&fields).expect("it is MessagePack");
    packed[0] += 1;
    packed.extend_from_slice(b"\xa4data\x82\xaaevent_type\xa1a\xa7payload");
    packed.extend_from_slice(payload);
    packed
}

fn read(payload: &[u8]) -> Result<String, String> {
    let packed = event_with(payload);
    let mut rest = packed.as_slice();
    let draft: EventDraft = parse_msgpack(&mut rest).map_err(|error| error.to_string())?;
    assert!(rest.is_empty());
    Ok(draft.payload_text().expect("it has one").to_owned())
}

fn packed(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("it is MessagePack")
}

#[test]
fn what_json_can_hold_is_written_as_json_in_the_order_it_came() {
    let text = "{\"z\":null,\"a\":[true,false,[],{},\"é \\\" \\\\ \\n\\u0001 😀\"],\"\":-1}";
    let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    let read_back = read(&packed(&value)).expect("it is a payload");
    assert_eq!(serde_json::from_str::<Value>(&read_back).expect("it is JSON"), value);
    let ordered = [0x82, 0xa1, b'z', 0xc0, 0xa1, b'a', 0x93, 0xc3, 0x90, 0x80];
    assert_eq!(read(&ordered).as_deref(), Ok("{\"z\":null,\"a\":[true,[],{}]}"));
}

#[test]
fn numbers_read_back_as_they_were() {
    let of = |bytes: &[u8]| read(&[&[0x81, 0xa1, b'n'], bytes].concat());
    assert_eq!(of(&packed(&u64::MAX)).as_deref(), Ok("{\"n\":18446744073709551615}"));
    assert_eq!(of(&packed(&i64::MIN)).as_deref(), Ok("{\"n\":-9223372036854775808}"));
    assert_eq!(of(&packed(&1.0_f64)).as_deref(), Ok("{\"n\":1.0}"));
    assert_eq!(of(&packed(&-0.0_f64)).as_deref(), Ok("{\"n\":-0.0}"));
    assert_eq!(of(&packed(&5e-324_f64)).as_deref(), Ok("{\"n\":5e-324}"));
    assert_eq!(of(&packed(&0.1_f32)).as_deref(), Ok("{\"n\":0.10000000149011612}"));
}

#[test]
fn what_json_cannot_hold_is_refused_with_its_place() {
    let nested = |bytes: &[u8]| read(&[&[0x81, 0xa4, b't', b'a', b'g', b's', 0x92, 0x01], bytes].concat());
    let refusals: [(&[u8], &str); 6] = [
        (&[0xc4, 1, 7], "data.payload has binary data at tags[1]: a payload has only what JSON has"),
        (&[0xd6, 0xff, 0, 0, 0, 0], "data.payload has an extension type at tags[1]: a payload has only what JSON has"),
        (
            &packed(&f64::NAN),
            "data.payload has a number that is not finite at tags[1]: JSON has no NaN and no Infinity",
        ),
        (
            &packed(&f32::INFINITY),
            "data.payload has a number that is not finite at tags[1]: JSON has no NaN and no Infinity",
        ),
        (&[0x81, 1, 2], "data.payload must be a map whose keys are strings, not integer `1` at tags[1].1"),
        (&[0xa1, 0xff], "data.payload has a string that is not UTF-8 at tags[1]: strings are UTF-8"),
    ];
    for (bytes, expected) in refusals {
        assert_eq!(nested(bytes).expect_err("it is refused"), expected);
    }
}

#[test]
fn only_a_map_is_a_payload() {
    for (bytes, got) in [
        (packed(&"{\"a\":1}"), "string \"{\\\"a\\\":1}\""),
        (packed(&[1]), "sequence"),
        (packed(&7), "integer `7`"),
        (vec![0xc4, 2, b'{', b'}'], "byte array"),
    ] {
        assert_eq!(read(&bytes).expect_err("it is refused"), format!("data.payload must be a map, not {got}"));
    }
}

#[test]
fn a_payload_is_bounded_in_depth_and_in_bytes_of_json() {
    let nested = |depth: usize| [[0x81, 0xa1, b'a'].repeat(depth), vec![1]].concat();
    assert!(read(&nested(PAYLOAD_MAX_DEPTH)).is_ok());
    let too_deep = read(&nested(PAYLOAD_MAX_DEPTH + 1)).expect_err("it is refused");
    assert_eq!(too_deep, "data.payload is nested 101 deep: a payload is nested at most 100 deep");
    assert!(read(&nested(100_000)).expect_err("it is refused").contains("at most 100 deep"));

    let filler = "\u{1}".repeat((PAYLOAD_MAX_BYTES - "{\"a\":\"\"}".len()) / 6);
    assert!(read(&packed(&json!({"a": filler}))).is_ok(), "each of these is six bytes of JSON");
    let too_long = read(&packed(&json!({"a": filler, "b": "12345678"}))).expect_err("it is refused");
    assert!(too_long.starts_with("data.payload is 26215"), "{too_long}");
    assert!(too_long.ends_with("bytes of JSON: a payload is at most 262144 bytes"), "{too_long}");
}

#[test]
fn other_fields_take_strings_alone_and_keys_are_no_numbers() {
    let start = json!({"kind": "attempt.failed", "subscription_id": "s", "delivery_id": "d"});
    let refusal = |member: &[u8]| {
        let mut bytes = packed(&start);
        bytes[0] += 1;
        bytes.extend_from_slice(member);
        parse_msgpack::<EventDraft>(&mut bytes.as_slice()).expect_err("it is refused").to_string()
    };
    assert_eq!(refusal(b"\xa4data\x81\xa5error\xc4\x01x"), "data.error must be a string, not byte array");
    assert_eq!(
        refusal(b"\xa4data\x81\xa5error\xa1\xff"),
        "data.error has a string that is not UTF-8: strings are UTF-8"
    );
    assert_eq!(
        refusal(b"\xa4data\x81\xa7attempt\xa11"),
        "data.attempt must be an integer from 1 to 1000, not string \"1\""
    );
    assert_eq!(
        refusal(b"\xa2id\x07").split(',').next(),
        Some("id must be a string of 1 to 255 bytes without control characters")
    );
    assert_eq!(refusal(b"\x00\xa1x"), "0 must be a string, as the names of fields are, not integer `0`");
    assert_eq!(refusal(b"\xa2id\xa1"), "not MessagePack: it ends early");
    assert_eq!(refusal(b"\xa2id\xc1"), "not MessagePack: it has a byte that begins no value");
    assert_eq!(refusal(b"\xa4data\xc1"), "not MessagePack: it has a byte that begins no value");
    assert_eq!(
        refusal(&[b"\xa8position".as_slice(), &[0x91; 2000]].concat()),
        "not MessagePack: it is nested more than 128 deep"
    );
    assert!(refusal(b"\xabrecorded_at\xdd\xff\xff\xff\xff").contains("ends early"));
}

/// A sender's MessagePack of what stands in JSON text.
fn sent(json: &Value) -> Vec<u8> {
    rmp_serde::to_vec(json).expect("it is MessagePack")
}

proptest! {
    #[test]
    fn an_event_is_the_same_in_json_and_in_messagepack(event in testing::event()) {
        let json = serde_json::to_value(&event).expect("it is JSON");
        let from_json: EventDraft = parse_json(json.to_string().as_bytes()).expect("it is an event");
        let from_json = from_json.into_stored().expect("it is whole");
        let packed = sent(&json);
        let mut rest = packed.as_slice();
        let from_msgpack: EventDraft = parse_msgpack(&mut rest).expect("it is an event");
        prop_assert!(rest.is_empty());
        prop_assert_eq!(from_msgpack.into_stored().expect("it is whole"), from_json);
    }

    #[test]
    fn a_floating_point_number_keeps_its_bits(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let text = read(&packed(&json!({"n": number}))).expect("it is a payload");
        let back: Value = serde_json::from_str(&text).expect("it is JSON");
        let text = text.trim_start_matches("{\"n\":").trim_end_matches('}').to_owned();
        prop_assert!(back.is_object());
        prop_assert_eq!(text.parse::<f64>().expect("it is a number").to_bits(), bits);
    }

    #[test]
    fn no_bytes_bring_the_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for bytes in [bytes.clone(), event_with(&bytes)] {
            match parse_msgpack::<EventDraft>(&mut bytes.as_slice()) {
                Ok(_) | Err(ParseError::Syntax { .. } | ParseError::Field(_)) => {}
            }
        }
    }
}
