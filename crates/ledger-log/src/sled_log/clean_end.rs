//! A mark of a log that was closed in good order.
//!
//! Damaged files can make the storage engine panic, hang, or give up what follows the damage. So whoever opens a log
//! should know whether that is to be feared: the file `CLOSED` stands in its directory while nobody has it open and it
//! was closed in good order, and says how long its files were then. A log without it, or with a shorter file, is suspect.
//!
//! ```text
//! name length LF, of each file by rising name          crc32 of that, in 8 hexadecimal digits, LF
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

const FILE: &str = "CLOSED";

/// Whether the log in that directory was closed in good order, and is as long as it was then.
#[must_use]
pub fn was_closed_well(log_dir: &Path) -> bool {
    let Ok(text) = fs::read_to_string(log_dir.join(FILE)) else { return false };
    let Some((files, checksum)) = text.trim_end().rsplit_once('\n') else { return false };
    checksum == checksum_of(files) && files.lines().all(|line| is_no_shorter(log_dir, line).unwrap_or(false))
}

/// Whether the file of a line is as long as that says; `None` when the line says nothing.
fn is_no_shorter(log_dir: &Path, line: &str) -> Option<bool> {
    let (name, length) = line.rsplit_once(' ')?;
    let length: u64 = length.parse().ok()?;
    Some(fs::metadata(log_dir.join(name)).is_ok_and(|file| file.len() >= length))
}

/// Sets the mark, durably. All that the log holds must be durable, and nothing may be written to it any more.
pub(super) fn set(log_dir: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(log_dir)? {
        let entry = entry?;
        // The note of the head is replaced at any time.
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name != FILE && !name.starts_with("HEAD") {
            files.push(format!("{name} {}", entry.metadata()?.len()));
        }
    }
    files.sort();
    let files = files.join("\n");
    let mut file = File::create(log_dir.join(FILE))?;
    file.write_all(format!("{files}\n{}\n", checksum_of(&files)).as_bytes())?;
    file.sync_all()?;
    File::open(log_dir)?.sync_all()
}

/// Takes the mark away, durably, before anything is written.
pub(super) fn remove(log_dir: &Path) -> io::Result<()> {
    match fs::remove_file(log_dir.join(FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(log_dir)?.sync_all(),
    }
}

fn checksum_of(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}
