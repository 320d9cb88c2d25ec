//! Where an export is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::durable;

/// How much is gathered before it is written, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Payloads are nobody's business but their owner's.
const MODE: u32 = 0o600;

/// An output. One that is dropped unfinished leaves no file.
pub(super) struct Output {
    to: BufWriter<File>,
    unfinished: Option<Unfinished>,
}

/// A file beside the one that it is to become.
struct Unfinished {
    temporary: PathBuf,
    path: PathBuf,
}

impl Output {
    /// Standard output, or a file that gets its name when it is finished.
    pub(super) fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            // Not through the standard library's own buffer, which looks for the end of each line.
            let stdout = io::stdout().as_fd().try_clone_to_owned().context("cannot write to standard output")?;
            return Ok(Self::new(File::from(stdout), None));
        };
        let cannot = || format!("cannot write {}", path.display());
        // What a link points to is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            // A device or a named pipe cannot be replaced; a folder is refused by being opened.
            return Ok(Self::new(OpenOptions::new().write(true).open(&path).with_context(cannot)?, None));
        }
        let temporary = path.with_added_extension(format!("{}.tmp", std::process::id()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&temporary);
        let file = file.with_context(|| format!("cannot write {}", temporary.display()))?;
        Ok(Self::new(file, Some(Unfinished { temporary, path })))
    }

    fn new(file: File, unfinished: Option<Unfinished>) -> Self {
        Self { to: BufWriter::with_capacity(BUFFER_BYTES, file), unfinished }
    }

    /// Writes what is left; a file is made durable, and then gets its name.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.to.flush().context("cannot write the export")?;
        let Some(Unfinished { temporary, path }) = &self.unfinished else { return Ok(()) };
        self.to.get_ref().sync_all().with_context(|| format!("cannot sync {}", temporary.display()))?;
        fs::rename(temporary, path).with_context(|| format!("cannot rename to {}", path.display()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        durable::sync_folder(folder)?;
        self.unfinished = None;
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            // What cannot be removed bears a name that says what it is.
            let _ = fs::remove_file(&unfinished.temporary);
        }
    }
}
