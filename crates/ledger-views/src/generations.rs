//! Generations of views: each lies in a numbered folder of its own, and a small file names the current one.
//!
//! ```text
//! views/CURRENT   "2\n"
//! views/2/        what is answered from
//! views/3/        what is being made to take its place
//! ```
//!
//! sled writes some of its files by their path, so the folder of views that are open cannot be renamed. The small
//! file is replaced instead, in one step: whatever happens, it names whole views. A generation that is not the current
//! one goes when nobody uses it any more, and what a crash left of one goes at the next opening.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::ViewsError;

/// The file that names the current generation.
const CURRENT: &str = "CURRENT";

/// What replaces it, before it does.
const CURRENT_NEXT: &str = "CURRENT.next";

/// The file in a generation's folder that marks it as given up.
const GIVEN_UP: &str = "GIVEN_UP";

/// The folder of views, with all generations.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    dir: PathBuf,
}

/// One generation. Its folder goes with the value, unless it is the current one then.
#[derive(Debug)]
pub(crate) struct Generation {
    all: Generations,
    number: u64,
    is_current: AtomicBool,
}

impl Generations {
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The generation that is answered from, if there is one.
    pub(crate) fn current(&self) -> Result<Option<Generation>, ViewsError> {
        let text = match fs::read_to_string(self.dir.join(CURRENT)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(ViewsError::Current),
            Err(error) => return Err(ViewsError::Files(error)),
        };
        let number: u64 = text.trim_end().parse().map_err(|_| ViewsError::Current)?;
        let generation = self.generation(number, true);
        if !generation.dir().is_dir() {
            return Err(ViewsError::Current);
        }
        match generation.is_given_up() {
            true => Err(ViewsError::GivenUp),
            false => Ok(Some(generation)),
        }
    }

    /// A generation after all that are there, whose folder is empty.
    pub(crate) fn begin(&self) -> Result<Generation, ViewsError> {
        fs::create_dir_all(&self.dir).map_err(ViewsError::Files)?;
        let last = self.numbers().map_err(ViewsError::Files)?.into_iter().max();
        let generation = self.generation(last.map_or(1, |last| last + 1), false);
        fs::create_dir(generation.dir()).map_err(ViewsError::Files)?;
        Ok(generation)
    }

    /// Removes what is not of that generation: others, and what earlier versions kept in the folder itself.
    ///
    /// Nothing else of it may be open. What cannot be removed now is removed by the next opening.
    pub(crate) fn remove_all_but(&self, kept: Option<&Generation>) {
        let kept = kept.map(|generation| generation.number.to_string());
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_kept = kept.as_ref().is_some_and(|kept| name == kept.as_str() || name == CURRENT);
            let is_folder = entry.file_type().is_ok_and(|of| of.is_dir());
            let _ = match (is_kept, is_folder) {
                (true, _) => Ok(()),
                (false, true) => fs::remove_dir_all(entry.path()),
                (false, false) => fs::remove_file(entry.path()),
            };
        }
    }

    fn generation(&self, number: u64, is_current: bool) -> Generation {
        Generation { all: self.clone(), number, is_current: AtomicBool::new(is_current) }
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let names = fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
    }

    /// Replaces the file that names the current one: a reader finds the old or the new, after a crash too.
    fn name_current(&self, number: u64) -> io::Result<()> {
        let next = self.dir.join(CURRENT_NEXT);
        let mut file = File::create(&next)?;
        writeln!(file, "{number}")?;
        file.sync_all()?;
        fs::rename(next, self.dir.join(CURRENT))?;
        File::open(&self.dir)?.sync_all()
    }
}

impl Generation {
    /// Where its rows lie.
    pub(crate) fn dir(&self) -> PathBuf {
        self.all.dir.join(self.number.to_string())
    }

    /// Waits until the disk has what was written to its files.
    pub(crate) fn sync(&self) -> Result<(), ViewsError> {
        sync_files(&self.dir()).map_err(ViewsError::Files)
    }

    /// Makes it the current one, durably. Its rows must have been written before.
    pub(crate) fn make_current(&self) -> Result<(), ViewsError> {
        self.sync()?;
        self.all.name_current(self.number).map_err(ViewsError::Files)?;
        self.is_current.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Lets it go with its last user: another one is current.
    pub(crate) fn retire(&self) {
        self.is_current.store(false, Ordering::Relaxed);
    }

    /// Removes all other generations, of which none may be open.
    pub(crate) fn remove_others(&self) {
        self.all.remove_all_but(Some(self));
    }

    /// Makes the next opening find views that must be rebuilt: by a file beside sled's, which may be what failed.
    pub(crate) fn give_up(&self) -> Result<(), ViewsError> {
        let marked = File::create(self.dir().join(GIVEN_UP)).and_then(|marker| {
            marker.sync_all()?;
            File::open(self.dir())?.sync_all()
        });
        marked.map_err(ViewsError::Files)
    }

    fn is_given_up(&self) -> bool {
        self.dir().join(GIVEN_UP).exists()
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if !self.is_current.load(Ordering::Relaxed) {
            // What cannot be removed now is removed by the next opening.
            let _ = fs::remove_dir_all(self.dir());
        }
    }
}

/// sled leaves that to its background.
fn sync_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("it is there");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("it reads").file_name().into_string();
        let mut names: Vec<_> = entries.map(|entry| name(entry).expect("our names are plain")).collect();
        names.sort();
        names
    }

    #[test]
    fn the_current_generation_stays_and_others_go_with_their_last_user() {
        let dir = tempfile::tempdir().expect("there is room");
        let all = Generations::at(dir.path());
        assert!(all.current().expect("nothing is wrong").is_none());
        let first = all.begin().expect("there is room");
        first.make_current().expect("it is written");
        let given_up_on_the_way = all.begin().expect("there is room");
        assert_eq!(names(dir.path()), ["1", "2", CURRENT]);
        drop(given_up_on_the_way);
        assert_eq!(names(dir.path()), ["1", CURRENT]);
        let second = all.begin().expect("there is room");
        second.make_current().expect("it is written");
        first.retire();
        drop((first, second));
        assert_eq!(names(dir.path()), ["2", CURRENT]);
        assert_eq!(all.current().expect("it reads").expect("it is there").number, 2);
    }

    #[test]
    fn what_a_crash_or_an_earlier_version_left_is_removed() {
        let dir = tempfile::tempdir().expect("there is room");
        let all = Generations::at(dir.path());
        let first = all.begin().expect("there is room");
        first.make_current().expect("it is written");
        fs::create_dir(dir.path().join("7")).expect("there is room");
        fs::write(dir.path().join("db"), "old").expect("there is room");
        fs::write(dir.path().join(CURRENT_NEXT), "7").expect("there is room");
        assert_eq!(all.begin().expect("there is room").number, 8, "a number is not used twice");
        first.remove_others();
        assert_eq!(names(dir.path()), ["1", CURRENT]);
    }

    #[test]
    fn a_file_that_names_no_generation_is_damage_that_a_rebuild_mends() {
        let dir = tempfile::tempdir().expect("there is room");
        let all = Generations::at(dir.path());
        for content in [&b"one\n"[..], b"", b"\xff", b"3\n"] {
            fs::write(dir.path().join(CURRENT), content).expect("there is room");
            let error = all.current().expect_err("it names nothing that is there");
            assert!(error.is_mended_by_rebuild(), "{error}");
        }
    }
}
