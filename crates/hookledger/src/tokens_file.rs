//! `tokens.toml`: loaded, changed by commands, and watched by the server.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use ledger_auth::{TokenSet, Tokens};
use tokio::time::MissedTickBehavior;

use crate::data_dir::DataDir;
use crate::durable;

/// The largest file that is read, in bytes: twice what the most tokens with the longest ids take.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How often a server looks whether the file has changed.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// The tokens of one ledger, on disk.
#[derive(Clone, Debug)]
pub(crate) struct TokensFile {
    data_dir: DataDir,
}

/// What tells one state of the file from another. The inode does, because every edit makes a new file; the rest is
/// for editors that write in place, and for inodes that are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Absent,
    Unreadable(ErrorKind),
    Present { inode: u64, len_bytes: u64, modified: SystemTime },
}

impl TokensFile {
    /// The tokens of that ledger.
    pub(crate) fn of(data_dir: &DataDir) -> Self {
        Self { data_dir: data_dir.clone() }
    }

    /// Reads the tokens. Where the file is not there, there are none.
    pub(crate) fn load(&self) -> anyhow::Result<TokenSet> {
        let path = self.data_dir.tokens();
        let set = read(&path).and_then(|text| Ok(TokenSet::from_toml(&text)?));
        set.with_context(|| format!("cannot read the tokens in {}", path.display()))
    }

    /// Changes the tokens durably; when the change fails, nothing is written.
    ///
    /// The lock is held from the reading to the writing, so no two edits lose each other.
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut TokenSet) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let _lock = self.data_dir.lock_edits()?;
        let mut set = self.load()?;
        let changed = change(&mut set)?;
        durable::replace_file(&self.data_dir.tokens(), set.to_toml().as_bytes(), 0o600)?;
        Ok(changed)
    }

    /// Reads the tokens for a server: a handle for its requests, and the watch that keeps it up to date.
    pub(crate) fn watched(self) -> anyhow::Result<(Tokens, TokensWatch)> {
        // The version first: a change in between is then seen as one, and read again.
        let seen = version_of(&self.data_dir.tokens());
        let tokens = Tokens::new(self.load()?);
        Ok((tokens.clone(), TokensWatch { file: self, tokens, seen, told: None }))
    }
}

/// Keeps a server's tokens what the file says.
#[derive(Debug)]
pub(crate) struct TokensWatch {
    file: TokensFile,
    tokens: Tokens,
    /// The version that the tokens are of.
    seen: Version,
    /// The version whose fault was told last.
    told: Option<Version>,
}

impl TokensWatch {
    /// Looks after the file until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(WATCH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let look = move || {
                self.look();
                self
            };
            match tokio::task::spawn_blocking(look).await {
                Ok(watch) => self = watch,
                Err(error) => {
                    tracing::error!(error = %error, "the tokens are no longer watched");
                    return;
                }
            }
        }
    }

    /// Reads the file if it has changed. One that is not right leaves the tokens as they were, and is told once; it
    /// is tried again all the same, for the fault may be a passing one of the system.
    fn look(&mut self) {
        let version = version_of(&self.file.data_dir.tokens());
        if version == self.seen {
            return;
        }
        match self.file.load() {
            Ok(set) => {
                tracing::info!(tokens = set.records().len(), "took up the changed tokens");
                self.tokens.swap(set);
                self.seen = version;
                self.told = None;
            }
            Err(_) if self.told == Some(version) => {}
            Err(error) => {
                tracing::error!(error = format!("{error:#}").trim_end(), "kept the tokens as they were");
                self.told = Some(version);
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        bail!("the file is larger than {MAX_BYTES} bytes");
    }
    Ok(text)
}

fn version_of(path: &Path) -> Version {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Version::Absent,
        Err(error) => return Version::Unreadable(error.kind()),
    };
    match metadata.modified() {
        Ok(modified) => Version::Present { inode: metadata.ino(), len_bytes: metadata.len(), modified },
        Err(error) => Version::Unreadable(error.kind()),
    }
}

#[cfg(test)]
mod tests;
