//! The files of segments in a folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// All of them by name, tails too.
pub(crate) fn segments_in(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("cannot list {}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension() == Some(OsStr::new("segment")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The tails alone: what was not sealed when it was copied.
pub(crate) fn tails_in(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = segments_in(dir)?;
    files.retain(|path| path.file_stem().is_some_and(|stem| Path::new(stem).extension() == Some(OsStr::new("tail"))));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use ledger_event::Position;
    use ledger_log::{segment_path, tail_path};

    use super::*;

    #[test]
    fn segments_and_tails_are_found_by_the_names_that_the_log_gives_them() {
        let folder = tempfile::tempdir().expect("there is room");
        let sealed = segment_path(folder.path(), Position::new(1));
        let tail = tail_path(folder.path(), Position::new(8), Position::new(9));
        for path in [&tail, &sealed, &sealed.with_extension("writing"), &tail.with_added_extension("writing")] {
            fs::write(path, "").expect("there is room");
        }
        assert_eq!(segments_in(folder.path()).expect("it is listed"), [sealed, tail.clone()]);
        assert_eq!(tails_in(folder.path()).expect("it is listed"), [tail]);
    }
}
