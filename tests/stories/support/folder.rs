//! Folders as they are kept aside, to be put back later.

use std::fs;
use std::path::Path;

/// Copies a folder with all that is in it, to where nothing is yet.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("it is new");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("there is room");
        }
    }
}
