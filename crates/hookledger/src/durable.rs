//! Small files and folders that are there, whole, after a power cut.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown, fchown};
use std::path::Path;

use anyhow::Context;

/// Puts content in the place of a file: a reader finds the old or the new, and after a crash too.
///
/// Two writers of the same file must hold a lock against each other.
pub(crate) fn replace_file(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = folder_of(path);
    let temporary = path.with_added_extension("tmp");
    write_new(&temporary, folder, content, mode).with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot rename to {}", path.display()))?;
    sync_folder(folder)
}

/// Makes a folder and those above it that are missing. The folder itself is for its owner alone.
pub(crate) fn create_folder(path: &Path) -> anyhow::Result<()> {
    let parent = folder_of(path);
    if !parent.try_exists().with_context(|| format!("cannot look for {}", parent.display()))? {
        create_folder_above(parent)?;
    }
    make(path, 0o700)
}

fn create_folder_above(path: &Path) -> anyhow::Result<()> {
    let parent = folder_of(path);
    if !parent.try_exists().with_context(|| format!("cannot look for {}", parent.display()))? {
        create_folder_above(parent)?;
    }
    make(path, 0o777)
}

fn make(path: &Path, mode: u32) -> anyhow::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.with_context(|| format!("cannot make the folder {}", path.display()))?,
    }
    sync_folder(folder_of(path))
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove_folder(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        removed => removed.with_context(|| format!("cannot remove {}", path.display()))?,
    }
    sync_folder(folder_of(path))
}

/// Makes what was created, renamed or removed in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("cannot sync the folder {}", path.display()))
}

/// The folder that a path is in; a bare name is in the working folder.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Gives all that is in a folder to the owner of another, as [`give_to_owner_of`] does with a file.
pub(crate) fn give_all_to_owner_of(owner: &Path, folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot list {}", folder.display());
    let about = fs::metadata(owner).with_context(cannot)?;
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let own = fs::metadata(&path).with_context(cannot)?;
        if (own.uid(), own.gid()) != (about.uid(), about.gid()) {
            let _ = chown(&path, Some(about.uid()), Some(about.gid()));
        }
        if own.is_dir() {
            for entry in fs::read_dir(&path).with_context(cannot)? {
                waiting.push(entry.with_context(cannot)?.path());
            }
        }
    }
    Ok(())
}

fn write_new(path: &Path, folder: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // What a crash left behind may have another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    give_to_owner_of(folder, &file)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives a file to the owner of its folder, so that what root writes can be read by the server's user.
///
/// Only root can; for others, and where the file system knows no owners, the file stays with its writer.
fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    let own = file.metadata()?;
    if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_whatever_a_crash_left_behind() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("tokens.toml");
        fs::write(folder.path().join("tokens.toml.tmp"), "half").expect("it is written");
        for content in ["one", "another one"] {
            replace_file(&path, content.as_bytes(), 0o600).expect("it is replaced");
            assert_eq!(fs::read_to_string(&path).expect("it is there"), content);
            assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
    }

    #[test]
    fn a_folder_is_made_with_those_above_it_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("a/b/data");
        create_folder(&path).expect("it is made");
        create_folder(&path).expect("it is there");
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_is_removed_with_what_is_in_it_and_may_be_gone_before() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("a");
        create_folder(&path.join("b")).expect("it is made");
        remove_folder(&path).expect("it is removed");
        assert!(!path.exists());
        remove_folder(&path).expect("it is gone");
    }

    #[test]
    fn a_bare_name_is_in_the_working_folder() {
        assert_eq!(folder_of(Path::new("data")), Path::new("."));
        assert_eq!(folder_of(Path::new("/data")), Path::new("/"));
        assert_eq!(folder_of(Path::new("a/data/")), Path::new("a"));
    }
}
