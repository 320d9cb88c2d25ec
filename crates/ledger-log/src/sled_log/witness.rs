//! A note of where the log ended, beside sled's own files.
//!
//! On some damage sled gives up what follows it and says nothing: the log would quietly be shorter. So the file `HEAD`
//! tells, a second late at most, up to where the log was durable; a log that is opened and ends before that is damaged.
//! It is no part of the log: without it, or when it cannot be read, nothing is known.

use std::fs;
use std::io;
use std::path::Path;

use crate::event_log::Head;

const FILE: &str = "HEAD";

/// Reads where the log in that directory was seen to end, if that is known.
#[must_use]
pub fn witnessed_head(log_dir: &Path) -> Option<Head> {
    let text = fs::read_to_string(log_dir.join(FILE)).ok()?;
    let (head, checksum) = text.trim_end().rsplit_once(' ')?;
    if checksum != checksum_of(head) {
        return None;
    }
    head.parse().ok()
}

/// Notes that all up to that head is durable. The file is replaced, and not synced: an older one tells less, and no lie.
pub(super) fn note(log_dir: &Path, head: Head) -> io::Result<()> {
    let text = head.to_string();
    let (path, next) = (log_dir.join(FILE), log_dir.join(format!("{FILE}.next")));
    fs::write(&next, format!("{text} {}\n", checksum_of(&text)))?;
    fs::rename(next, path)
}

fn checksum_of(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}
