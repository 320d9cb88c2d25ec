//! Every released kind, in both encodings, as it was first written: decoded for ever.
//!
//! `proto-schemas/golden/KIND.json` is an event as a sender gives it, with every field of its kind. Beside it lies the
//! same event as the log keeps it: `KIND.skeleton.msgpack`, and its bodies as the log's chunks hold them. A file is
//! never changed; a kind that gains a field gains a second file.

use std::fs;
use std::path::{Path, PathBuf};

use ledger_event::{Body, BodySlot, Completion, Event, EventDraft, EventId, Kind, StoredEvent, Timestamp, parse_json};

fn golden(kind: Kind, extension: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas/golden");
    folder.join(format!("{}.{extension}", kind.as_str()))
}

fn from_json(kind: Kind) -> Event {
    let json = fs::read(golden(kind, "json")).expect("every kind has its file");
    let draft: EventDraft = parse_json(&json).expect("it is an event");
    let received_at = Timestamp::parse("2026-06-01T00:00:00Z").expect("it is a time");
    let completion = Completion { workspace_id: None, received_at, text_cut_bytes: 1024 };
    draft.complete(&completion, || EventId::parse("none").expect("it is an id")).expect("it is complete").event
}

/// The bodies as they lie in a chunk: an array of arrays of slot and bytes.
fn bodies(packed: &[u8]) -> Vec<Body> {
    let bodies: Vec<(u8, Vec<u8>)> = rmp_serde::from_slice(packed).expect("they are slots and bytes");
    bodies.into_iter().map(|(slot, bytes)| Body { slot: BodySlot::of(slot).expect("it is known"), bytes }).collect()
}

#[test]
fn every_kind_reads_as_it_was_written() {
    for kind in Kind::ALL {
        let event = from_json(kind);
        assert_eq!(event.data.kind(), kind);
        let skeleton = fs::read(golden(kind, "skeleton.msgpack")).expect("every kind has its file");
        let packed = fs::read(golden(kind, "bodies.msgpack")).expect("every kind has its file");
        let stored = StoredEvent { skeleton, bodies: bodies(&packed) };
        assert_eq!(stored.decode().expect("it was stored"), event, "{}", kind.as_str());
    }
}

#[test]
fn every_kind_is_still_written_as_it_was() {
    for kind in Kind::ALL {
        let event = from_json(kind);
        let stored = StoredEvent::encode(event.clone());
        let skeleton = fs::read(golden(kind, "skeleton.msgpack")).expect("every kind has its file");
        assert_eq!(stored.skeleton, skeleton, "{}", kind.as_str());
        let json: serde_json::Value = serde_json::to_value(&event).expect("it is JSON");
        let file = fs::read(golden(kind, "json")).expect("every kind has its file");
        assert_eq!(json, serde_json::from_slice::<serde_json::Value>(&file).expect("it is JSON"), "{}", kind.as_str());
    }
}
