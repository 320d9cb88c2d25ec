//! Putting a restored log in the place of the old one.
//!
//! ```text
//! restored/WHOLE         "1794524400\n": the time that the old folders are named by; all beside it is made and synced
//! restored/segments      → segments      the old one → segments.damaged-1794524400
//! restored/log           → log           the old one → log.damaged-1794524400
//! ```
//!
//! Each step is a rename that is left out when it was done before, so that it can be finished after a crash. Whoever
//! opens the folder meanwhile finds the mark, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

use crate::data_dir::DataDir;
use crate::durable;

/// What is replaced, in this order: without `log` nothing is taken for a new ledger while there are segments.
const PLACES: [&str; 2] = ["segments", "log"];

/// Makes an empty folder for what is restored.
pub(super) fn clear(data_dir: &DataDir) -> anyhow::Result<()> {
    let restored = data_dir.restored();
    durable::remove_folder(&restored)?;
    durable::create_folder(&restored)
}

/// Puts what was restored in the place of the log; returns what was there.
pub(super) fn take_place(data_dir: &DataDir) -> anyhow::Result<Vec<PathBuf>> {
    // Both are there, whether there are segments or not.
    durable::create_folder(&data_dir.restored().join("segments"))?;
    let mut now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Of two restores within a second each keeps what it found.
    while PLACES.iter().any(|name| kept_place(data_dir, name, &now.to_string()).exists()) {
        now += 1;
    }
    durable::give_all_to_owner_of(data_dir.path(), &data_dir.restored())?;
    durable::sync_folder(&data_dir.restored())?;
    durable::replace_file(&data_dir.restored_mark(), format!("{now}\n").as_bytes(), 0o644)?;
    finish(data_dir)
}

/// Goes on where the mark was written.
pub(super) fn finish(data_dir: &DataDir) -> anyhow::Result<Vec<PathBuf>> {
    let mark = data_dir.restored_mark();
    let time = fs::read_to_string(&mark).with_context(|| format!("cannot read {}", mark.display()))?;
    let mut kept = Vec::new();
    for name in PLACES {
        let (new, place) = (data_dir.restored().join(name), data_dir.path().join(name));
        let old = kept_place(data_dir, name, time.trim());
        if new.exists() {
            if place.exists() {
                rename(&place, &old)?;
            }
            rename(&new, &place)?;
        }
        if old.exists() {
            kept.push(old);
        }
    }
    durable::sync_folder(data_dir.path())?;
    fs::remove_file(&mark).with_context(|| format!("cannot remove {}", mark.display()))?;
    fs::remove_dir_all(data_dir.restored()).ok();
    Ok(kept)
}

fn kept_place(data_dir: &DataDir, name: &str, time: &str) -> PathBuf {
    data_dir.path().join(format!("{name}.damaged-{time}"))
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}
