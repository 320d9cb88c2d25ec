//! A note of where the log ended, beside sled's own files.
//!
//! On some damage sled gives up what follows it and says nothing: the log would quietly be shorter. So the file `HEAD`
//! tells, a second late at most, up to where the log was durable; a log that is opened and ends before that is damaged.
//! It is no part of the log: without it, or when it cannot be read, nothing is known.

use std::fs;
use std::io;
use std::path::Path;

use ledger_event::Position;

use crate::event_log::{ChainHash, Head};

const FILE: &str = "HEAD";

/// Reads where the log in that directory was seen to end, if that is known.
#[must_use]
pub fn witnessed_head(log_dir: &Path) -> Option<Head> {
    let text = fs::read_to_string(log_dir.join(FILE)).ok()?;
    let (head, checksum) = text.trim_end().rsplit_once(' ')?;
    if checksum != checksum_of(head) {
        return None;
    }
    let (position, hash) = head.split_once(':')?;
    let mut bytes = [0; 32];
    if hash.len() != 64 || !hash.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hash.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Head { position: Position::new(position.parse().ok()?), hash: ChainHash(bytes) })
}

/// Notes that all up to that head is durable. The file is replaced, and not synced: an older one tells less, and no lie.
pub(super) fn note(log_dir: &Path, head: Head) -> io::Result<()> {
    let text = format!("{}:{}", head.position, head.hash);
    let (path, next) = (log_dir.join(FILE), log_dir.join(format!("{FILE}.next")));
    fs::write(&next, format!("{text} {}\n", checksum_of(&text)))?;
    fs::rename(next, path)
}

fn checksum_of(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}
