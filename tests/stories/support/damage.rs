//! Files that are no longer what was written.
//!
//! What lies under the checksums of the storage engine is changed through the engine itself, as a fault in memory
//! before the write would.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The segment size that log and views are kept with.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// Flips a byte of the first part of the chunk from that position, with the engine's checksums made right again.
pub(crate) fn flip_byte_of_chunk(log: &Path, first: u64) {
    with_tree(log, "chunks", |chunks| {
        let key = part_key(first);
        let mut value = chunks.get(key).expect("it reads").expect("the chunk is there").to_vec();
        *value.last_mut().expect("a part is not empty") ^= 1;
        chunks.insert(key, value).expect("it is written");
    });
}

/// Takes away the journal, which holds what was written last.
pub(crate) fn remove_journal(log: &Path) {
    for name in ["journal-0", "journal-1"] {
        fs::remove_file(log.join(name)).expect("a log has a journal");
    }
}

/// Takes the chunk from that position away.
pub(crate) fn remove_chunk(log: &Path, first: u64) {
    with_tree(log, "chunks", |chunks| {
        chunks.remove(part_key(first)).expect("it is written").expect("the chunk is there");
    });
}

/// The letter of pages of deliveries' states.
pub(crate) const STATES: u8 = b's';
/// The letter of pages of their payloads.
pub(crate) const PAYLOADS: u8 = b'p';

/// Changes every page of the views with that letter.
pub(crate) fn change_pages(views: &Path, letter: u8, change: impl Fn(&[u8]) -> Vec<u8>) {
    with_tree(views, "pages", |pages| {
        for page in pages.scan_prefix(b"d") {
            let (key, value) = page.expect("it reads");
            // Behind the numbers of a subscription and of a block.
            if key[9] != letter {
                continue;
            }
            // Its length and the number of its parts, both 32 bits, stand before what is compressed.
            let (head, packed) = value.split_at(8);
            assert_eq!(head[4..], 1_u32.to_le_bytes(), "the pages of this story are of one part");
            let changed = change(&zstd::decode_all(packed).expect("it is compressed"));
            let length = u32::try_from(changed.len()).expect("it is short").to_le_bytes();
            let packed = zstd::bulk::compress(&changed, 1).expect("it compresses");
            pages.insert(key, [&length[..], &head[4..], &packed].concat()).expect("it is written");
        }
    });
}

/// Makes the engine refuse a folder: its settings do not match their checksum.
pub(crate) fn break_settings(dir: &Path) {
    let path = dir.join("conf");
    let mut bytes = fs::read(&path).expect("the engine keeps its settings there");
    bytes[0] ^= 0xff;
    fs::write(path, bytes).expect("it is written");
}

/// Flips a byte in the middle of what is used of a file.
pub(crate) fn flip_byte_of_file(path: &Path) {
    let bytes = fs::read(path).expect("it reads");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("it is not empty");
    let file = OpenOptions::new().write(true).open(path).expect("it opens");
    file.write_all_at(&[bytes[used / 2] ^ 0x10], used as u64 / 2).expect("it is written");
}

/// Position and part number, big-endian.
fn part_key(first: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&first.to_be_bytes());
    key
}

fn with_tree(dir: &Path, tree: &str, work: impl FnOnce(&sled::Tree)) {
    let db = sled::Config::new().path(dir).segment_size(SEGMENT_BYTES).open().expect("nobody has it open");
    work(&db.open_tree(tree).expect("it opens"));
    db.flush().expect("it is written");
}
