use ledger_event::{DeliveryId, JsonText, Position, SubscriptionId, WorkspaceId};

use super::*;
use crate::{Checkpoint, DeliveryKey, SubscriptionKey};

fn open(dir: &Path) -> Result<Views, ViewsError> {
    Views::open(dir, ViewsOptions { cache_bytes: 1 << 20 })
}

fn subscription() -> SubscriptionKey {
    SubscriptionKey {
        workspace_id: WorkspaceId::parse("w").expect("it is an id"),
        subscription_id: SubscriptionId::parse("s").expect("it is an id"),
    }
}

/// A payload of so many bytes that no compression makes smaller.
fn payload(bytes: usize, seed: u64) -> JsonText {
    let mut state = seed;
    let hex: String = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from_digit(u32::try_from(state >> 60).expect("it is four bits"), 16).expect("it is a digit")
        })
        .collect();
    JsonText::parse(&format!(r#"{{"hex":"{hex}"}}"#)).expect("it is an object")
}

#[test]
fn large_payloads_make_no_file_that_sled_does_not_sync() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let mut views = open(dir.path()).expect("it opens");
    for delivery in 0..40 {
        let delivery_id = DeliveryId::parse(&format!("d{delivery}")).expect("it is an id");
        let key = DeliveryKey { subscription: subscription(), delivery_id };
        let opened = views.writer.open(&key, Position::new(delivery + 1)).expect("it reads");
        views.writer.put_payload(&opened, Some(payload(200_000, delivery)));
        let checkpoint = Checkpoint { position: Position::new(delivery + 1), ..Checkpoint::default() };
        views.writer.commit(checkpoint).expect("it is written");
    }
    views.writer.flush().expect("it is written");
    let folder = views.reader.shared().generation.dir();
    assert!(folder.join("db").is_file());
    let blobs = std::fs::read_dir(folder.join("blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0);
}

#[test]
fn views_that_were_given_up_or_are_of_another_layout_ask_to_be_rebuilt() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let folder = open(dir.path()).expect("it opens").reader.shared().generation.dir();
    let db = open_released(&sled::Config::new().path(&folder).segment_size(SLED_SEGMENT_BYTES)).expect("it opens");
    db.open_tree("pages").expect("it opens").insert("layout", crate::pages::encode(&7_u32)).expect("it is written");
    drop(db);
    let error = open(dir.path()).expect_err("it has another layout");
    assert!(matches!(error, ViewsError::Layout { found: 7 }) && error.is_mended_by_rebuild(), "{error:?}");

    let dir = tempfile::tempdir().expect("a directory can be made");
    let folder = open(dir.path()).expect("it opens").reader.shared().generation.dir();
    let db = open_released(&sled::Config::new().path(&folder).segment_size(SLED_SEGMENT_BYTES)).expect("it opens");
    db.open_tree("views").expect("it opens");
    drop(db);
    let error = open(dir.path()).expect_err("it has one key per row");
    assert!(matches!(error, ViewsError::Layout { found: 1 }) && error.is_mended_by_rebuild(), "{error:?}");

    let dir = tempfile::tempdir().expect("a directory can be made");
    open(dir.path()).expect("it opens").writer.give_up().expect("it is written");
    let error = open(dir.path()).expect_err("it was given up");
    assert!(matches!(error, ViewsError::GivenUp) && error.is_mended_by_rebuild(), "{error:?}");
}

#[test]
fn a_page_that_cannot_be_decoded_is_an_error_that_a_rebuild_mends() {
    for page in [&b"not a page at all"[..], b"\x05\0\0\0\x02\0\0\0its other part is missing", b""] {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let mut views = open(dir.path()).expect("it opens");
        let delivery_id = DeliveryId::parse("d").expect("it is an id");
        let key = DeliveryKey { subscription: subscription(), delivery_id };
        views.writer.open(&key, Position::new(1)).expect("it reads");
        views.writer.commit(Checkpoint { position: Position::new(1), ..Checkpoint::default() }).expect("it is written");
        views.writer.flush().expect("it is written");
        drop(views);
        let views = open(dir.path()).expect("it opens");
        let tree = views.reader.shared().db.open_tree("pages").expect("it opens");
        for key in tree.scan_prefix("s").keys() {
            tree.insert(key.expect("it reads"), page).expect("it is written");
        }
        let error = views.reader.stats(&subscription()).expect_err("it is damaged");
        assert!(error.is_mended_by_rebuild(), "{error:?}");
    }
}

#[test]
fn a_disk_out_of_reach_is_not_mended_by_a_rebuild() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let _held = open(dir.path()).expect("it opens");
    let error = open(dir.path()).expect_err("it is open already");
    assert!(matches!(error, ViewsError::Open(_)) && !error.is_mended_by_rebuild(), "{error:?}");
}

#[tokio::test]
async fn readers_go_on_with_the_views_that_take_the_place_of_theirs() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let live = open(dir.path()).expect("it opens");
    let mut next = Views::begin(dir.path(), ViewsOptions { cache_bytes: 1 << 20 }).expect("there is room");
    let reader = live.reader.clone();
    let waiting =
        tokio::spawn(async move { reader.reached(Position::new(7), std::time::Duration::from_mins(1)).await });
    next.writer.commit(Checkpoint { position: Position::new(7), ..Checkpoint::default() }).expect("it is written");
    assert_eq!(live.reader.position(), Position::START, "they are not in place yet");
    next.writer.take_place_of(Some(&live.reader)).expect("it is written");
    waiting.await.expect("nothing panics").expect("the new views have come so far");
    assert_eq!(live.reader.position(), Position::new(7));
    let old = dir.path().join("1");
    assert!(old.exists(), "its writer has it open");
    drop(live.writer);
    assert!(!old.exists());
    drop((live.reader, next));
    assert_eq!(open(dir.path()).expect("it opens").reader.position(), Position::new(7));
}
