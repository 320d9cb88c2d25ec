//! The folder that holds a ledger.
//!
//! Its `FORMAT` says which version of the layout it has, and is written before anything else: a folder without it
//! is no ledger. `FORMAT` is never replaced, so that its lock stays the lock of the whole folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::durable;

/// The version of the layout that this program writes and reads.
const FORMAT_VERSION: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";

/// `FORMAT` is this word and the version.
const FORMAT_WORD: &str = "hookledger";

/// More of a `FORMAT` is not read, in bytes.
const FORMAT_MAX_BYTES: u64 = 64;

/// What may be in a folder that is to become a ledger: file systems put it at the top of a volume.
const HARMLESS: [&str; 1] = ["lost+found"];

/// How long an edit waits for another one, which takes milliseconds.
const EDIT_LOCK_WAIT: Duration = Duration::from_secs(10);

const EDIT_LOCK_POLL: Duration = Duration::from_millis(5);

/// A folder that holds a ledger of a version that this program reads.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// The right to open log and views, which one process has at a time. It ends with the value, or the process.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    _format: File,
}

/// The right to change a small file of the folder, which one process or thread has at a time.
#[derive(Debug)]
pub(crate) struct EditLock {
    _folder: File,
}

impl DataDir {
    /// Opens the folder, and makes it a ledger's where it is empty or not there.
    pub(crate) fn open_or_create(path: &Path) -> anyhow::Result<Self> {
        let data_dir = Self { path: path.to_owned() };
        if !data_dir.is_folder()? {
            durable::create_folder(path)?;
        }
        if !data_dir.has_format()? {
            data_dir.create_format()?;
        }
        data_dir.check_format()?;
        Ok(data_dir)
    }

    /// Opens the folder of a ledger that is there.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let data_dir = Self { path: path.to_owned() };
        if !data_dir.is_folder()? || !data_dir.has_format()? {
            bail!("{} holds no ledger: `serve` and `token create` make one", path.display());
        }
        data_dir.check_format()?;
        Ok(data_dir)
    }

    /// Takes the right to open log and views.
    pub(crate) fn lock(&self) -> anyhow::Result<DataDirLock> {
        let lock = self.lock_to_restore()?;
        let mark = self.restored_mark();
        if mark.try_exists().with_context(|| format!("cannot look for {}", mark.display()))? {
            let dir = self.path.display();
            bail!("a restore of {dir} was interrupted; `hookledger restore --data-dir {dir}` finishes it");
        }
        Ok(lock)
    }

    /// The same, whatever an interrupted restore has left.
    pub(crate) fn lock_to_restore(&self) -> anyhow::Result<DataDirLock> {
        let path = self.format();
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let format = opened.with_context(|| format!("cannot write in {}", self.path.display()))?;
        match format.try_lock() {
            Ok(()) => Ok(DataDirLock { _format: format }),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "{} is in use by a running server: stop it, or ask it with --url where the command can",
                    self.path.display()
                )
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Waits for the right to change a small file of the folder.
    ///
    /// The lock is on the folder itself: it is there before any file in it, is never replaced, and leaves nothing
    /// behind. It is another one than [`DataDir::lock`]'s, which a server keeps.
    pub(crate) fn lock_edits(&self) -> anyhow::Result<EditLock> {
        let cannot = || format!("cannot lock {}", self.path.display());
        let folder = File::open(&self.path).with_context(cannot)?;
        let deadline = Instant::now() + EDIT_LOCK_WAIT;
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(EditLock { _folder: folder }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(EDIT_LOCK_POLL),
                Err(TryLockError::WouldBlock) => {
                    bail!("another process has been changing {} for {EDIT_LOCK_WAIT:?}", self.path.display())
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
            }
        }
    }

    /// The hot tier of the log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The cold tier of the log.
    pub(crate) fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    /// What a restore makes, before it takes the place of the log.
    pub(crate) fn restored(&self) -> PathBuf {
        self.path.join("restored")
    }

    /// The file that says that all of it is made.
    pub(crate) fn restored_mark(&self) -> PathBuf {
        self.restored().join("WHOLE")
    }

    /// The views.
    pub(crate) fn views(&self) -> PathBuf {
        self.path.join("views")
    }

    /// The file of tokens.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.path.join("tokens.toml")
    }

    /// The key that signs the heads of the log.
    pub(crate) fn head_key(&self) -> PathBuf {
        self.path.join("head.key")
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> PathBuf {
        self.path.join(FORMAT_FILE)
    }

    fn is_folder(&self) -> anyhow::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => Ok(true),
            Ok(_) => bail!("{} is a file: a ledger is a folder", self.path.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot open {}", self.path.display())),
        }
    }

    fn has_format(&self) -> anyhow::Result<bool> {
        self.format().try_exists().with_context(|| format!("cannot open {}", self.path.display()))
    }

    /// Writes `FORMAT` into an empty folder; of several processes that come at once, the first does.
    fn create_format(&self) -> anyhow::Result<()> {
        let _lock = self.lock_edits()?;
        if self.has_format()? {
            return Ok(());
        }
        self.refuse_other_content()?;
        let content = format!("{FORMAT_WORD} {FORMAT_VERSION}\n");
        let written = durable::replace_file(&self.format(), content.as_bytes(), 0o644);
        written.with_context(|| format!("cannot make a ledger in {}", self.path.display()))
    }

    fn refuse_other_content(&self) -> anyhow::Result<()> {
        let cannot = || format!("cannot list {}", self.path.display());
        for entry in fs::read_dir(&self.path).with_context(cannot)? {
            let name = entry.with_context(cannot)?.file_name();
            let name = name.to_string_lossy();
            let is_ours = name.starts_with(FORMAT_FILE);
            if !is_ours && !HARMLESS.contains(&name.as_ref()) {
                bail!(
                    "{} is no ledger, and not empty (it has `{name}`): name an empty folder, or a new one",
                    self.path.display()
                );
            }
        }
        Ok(())
    }

    fn check_format(&self) -> anyhow::Result<()> {
        let path = self.format();
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(FORMAT_MAX_BYTES).read_to_string(&mut text));
        read.with_context(|| format!("cannot read {}", path.display()))?;
        let version = text.strip_prefix(FORMAT_WORD).and_then(|version| version.trim().parse::<u32>().ok());
        match version {
            Some(FORMAT_VERSION) => Ok(()),
            Some(newer) if newer > FORMAT_VERSION => bail!(
                "{} has format {newer}, and this hookledger ({}) knows format {FORMAT_VERSION}: use a newer hookledger",
                self.path.display(),
                env!("CARGO_PKG_VERSION"),
            ),
            Some(_) | None => bail!("{} is damaged, or of another program: it reads {text:?}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        tempfile::tempdir().expect("there is room")
    }

    fn refusal<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.expect_err("it is refused"))
    }

    #[test]
    fn a_folder_that_is_not_there_is_made_and_opened_again() {
        let folder = folder();
        let path = folder.path().join("deep/data");
        assert!(refusal(DataDir::open(&path)).ends_with("holds no ledger: `serve` and `token create` make one"));
        DataDir::open_or_create(&path).expect("it is made");
        assert_eq!(fs::read_to_string(path.join("FORMAT")).expect("it is there"), "hookledger 1\n");
        DataDir::open_or_create(&path).expect("it is there");
        DataDir::open(&path).expect("it is there");
        assert_eq!(fs::read_dir(&path).expect("it is there").count(), 1, "nothing is left behind");
    }

    #[test]
    fn an_empty_folder_becomes_a_ledger_also_at_the_top_of_a_volume() {
        let folder = folder();
        fs::create_dir(folder.path().join("lost+found")).expect("it is made");
        fs::write(folder.path().join("FORMAT.tmp"), "hook").expect("it is written");
        DataDir::open_or_create(folder.path()).expect("it is made");
    }

    #[test]
    fn a_folder_with_other_content_is_left_alone() {
        let folder = folder();
        fs::write(folder.path().join("thesis.txt"), "…").expect("it is written");
        let text = refusal(DataDir::open_or_create(folder.path()));
        assert!(text.contains("is no ledger, and not empty (it has `thesis.txt`)"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
    }

    #[test]
    fn a_file_is_no_ledger() {
        let folder = folder();
        let path = folder.path().join("data");
        fs::write(&path, "…").expect("it is written");
        assert!(refusal(DataDir::open_or_create(&path)).ends_with("is a file: a ledger is a folder"));
        assert!(refusal(DataDir::open_or_create(&path.join("data"))).contains("cannot open"));
    }

    #[test]
    fn a_newer_format_is_refused_with_both_versions() {
        let folder = folder();
        fs::write(folder.path().join("FORMAT"), "hookledger 2\n").expect("it is written");
        let text = refusal(DataDir::open_or_create(folder.path()));
        assert!(text.contains("has format 2, and this hookledger (") && text.contains("knows format 1"), "{text}");
        fs::write(folder.path().join("FORMAT"), "").expect("it is written");
        assert!(refusal(DataDir::open(folder.path())).contains("is damaged, or of another program"));
    }

    #[test]
    fn one_at_a_time_opens_log_and_views_and_edits_do_not_wait_for_it() {
        let folder = folder();
        let data_dir = DataDir::open_or_create(folder.path()).expect("it is made");
        let lock = data_dir.lock().expect("nobody has it");
        let text = refusal(data_dir.lock());
        assert!(
            text.ends_with("is in use by a running server: stop it, or ask it with --url where the command can"),
            "{text}"
        );
        drop(data_dir.lock_edits().expect("nobody has it"));
        drop(lock);
        data_dir.lock().expect("nobody has it");
    }

    #[test]
    fn of_many_who_make_a_ledger_at_once_all_get_the_same_one() {
        let folder = folder();
        let path = folder.path().join("data");
        let locks: Vec<_> = std::thread::scope(|scope| {
            let make = || DataDir::open_or_create(&path).expect("it is made").lock();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
        });
        assert_eq!(locks.iter().filter(|lock| lock.is_ok()).count(), 1);
    }
}
