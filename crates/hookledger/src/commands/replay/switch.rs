//! New views in the place of the old ones, at once.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::durable;
use crate::tool::{self, Aside};

/// How long sled may still write after its views were closed, in threads of its own.
const RELEASE_MAX: Duration = Duration::from_secs(30);

const RELEASE_POLL: Duration = Duration::from_millis(5);

/// Puts views that are whole and closed in the place of the old ones, which are removed.
///
/// The two change places in one step, where the file system can do that: whatever happens, whole views are there.
/// Elsewhere a crash between two steps leaves no views, which the next start makes anew.
pub(crate) fn put_in_place(new: Aside, views: &Path) -> anyhow::Result<()> {
    wait_until_released(new.dir())?;
    sync_files(new.dir()).with_context(|| format!("cannot sync {}", new.dir().display()))?;
    let cannot = || format!("cannot put {} in the place of {}", new.dir().display(), views.display());
    match renameat_with(CWD, new.dir(), CWD, views, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        Err(Errno::NOENT) => fs::rename(new.dir(), views).with_context(cannot)?,
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            tool::remove(views)?;
            fs::rename(new.dir(), views).with_context(cannot)?;
        }
        Err(error) => return Err(io::Error::from(error)).with_context(cannot),
    }
    durable::sync_folder(views.parent().unwrap_or(Path::new(".")))?;
    // What lies there now are the old views.
    drop(new);
    Ok(())
}

/// Waits until nothing of sled holds the file that it locks.
fn wait_until_released(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join("db");
    let cannot = || format!("cannot open {}", path.display());
    let file = File::open(&path).with_context(cannot)?;
    let deadline = Instant::now() + RELEASE_MAX;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(RELEASE_POLL),
            Err(TryLockError::WouldBlock) => anyhow::bail!("{} is still in use", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
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
