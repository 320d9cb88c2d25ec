//! Opening a log in a process of its own, on a copy, under a limit of time.
//!
//! On a damaged file the storage engine may fail, panic, never return, or give up what follows the damage; and it
//! changes what it opens. So a log that is suspect is opened like this first: whatever happens then, happens to a copy.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ledger_log::was_closed_well;

use crate::data_dir::DataDir;
use crate::durable;
use crate::remedy;
use crate::tool::is_missing_or_empty;

/// How long it may take, beside what the size of the copy asks for.
const LIMIT: Duration = Duration::from_secs(20);

/// What is read and hashed in a second at least, and what is only opened.
const BYTES_PER_SECOND: u64 = 10 * 1024 * 1024;
const OPENED_BYTES_PER_SECOND: u64 = 40 * 1024 * 1024;

/// The copy, beside the log.
const COPY: &str = "log.probed";

const POLL: Duration = Duration::from_millis(10);

/// What a probe found.
#[derive(Debug)]
pub(crate) enum Probed {
    /// It opened, and what is not sealed is whole; what the probe said of it.
    Whole(String),
    /// It was refused with that error: so will be whoever opens it.
    Refused(String),
    /// Why opening it must not be tried.
    Broken(String),
}

/// Sees that the folder's log can be opened without dying of it or waiting for ever. Damage that is told as an error
/// is left to whoever opens it then.
pub(crate) fn see_that_it_opens(data_dir: &DataDir) -> anyhow::Result<()> {
    if is_missing_or_empty(&data_dir.log())? {
        return Ok(());
    }
    match probe(data_dir)? {
        Probed::Whole(_) | Probed::Refused(_) => Ok(()),
        Probed::Broken(reason) => bail!("{}: {}: {reason}", remedy::REMEDY, data_dir.log().display()),
    }
}

/// Sees that the folder's log can be opened, unless it was closed in good order and nothing of it was lost since.
///
/// Nothing is opened in its place when the probe is refused: to open it would change it, and maybe take away what a
/// restore finds. Where there is no room for a copy the log is opened as it is: after a disk was full no log was closed
/// in good order, and what is damaged then is rare.
pub(crate) fn see_after_unclean_end(data_dir: &DataDir) -> anyhow::Result<()> {
    let log = data_dir.log();
    if is_missing_or_empty(&log)? || was_closed_well(&log) {
        return Ok(());
    }
    let segments = data_dir.segments();
    let arguments = [OsStr::new("--open-only"), OsStr::new("--segments"), segments.as_os_str()];
    let probed = with_copy(data_dir, |copy, bytes| run(copy, &arguments, limit(bytes / OPENED_BYTES_PER_SECOND)));
    let reason = match probed {
        Ok(Probed::Whole(_)) => return Ok(()),
        Ok(Probed::Refused(reason)) => reason,
        Ok(Probed::Broken(reason)) => format!("{}: {reason}", remedy::REMEDY),
        Err(error) if is_full(&error) => {
            tracing::warn!(error = format!("{error:#}"), "the log was not closed in good order, and is opened untried");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    // What is no damage, such as a newer format, comes without that.
    match reason.strip_prefix(remedy::REMEDY) {
        Some(damage) => bail!("{}: the log in {}{damage}", remedy::REMEDY, log.display()),
        None => bail!("the log in {}: {reason}", log.display()),
    }
}

fn is_full(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref()).map(std::io::Error::kind);
    kinds
        .into_iter()
        .any(|kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge))
}

/// How long a probe may take that so many seconds of work are granted to.
fn limit(seconds: u64) -> Duration {
    LIMIT + Duration::from_secs(seconds)
}

/// Opens a copy of the folder's log with its segments, and walks along all that is not sealed.
///
/// The copy is made in the folder and removed again; the caller has the folder locked.
pub(crate) fn probe(data_dir: &DataDir) -> anyhow::Result<Probed> {
    with_copy(data_dir, |copy, bytes| {
        let segments = data_dir.segments();
        run(copy, &[OsStr::new("--segments"), segments.as_os_str()], limit(bytes / BYTES_PER_SECOND))
    })
}

/// Copies what is whole of the folder's hot tier into segments in `into`; also what was done before it failed stays.
pub(crate) fn salvage(data_dir: &DataDir, into: &Path) -> anyhow::Result<Probed> {
    let arguments = [OsStr::new("--salvage-into"), into.as_os_str()];
    with_copy(data_dir, |copy, bytes| run(copy, &arguments, limit(bytes / BYTES_PER_SECOND)))
}

fn with_copy<T>(data_dir: &DataDir, work: impl FnOnce(&Path, u64) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let copy = data_dir.path().join(COPY);
    durable::remove_folder(&copy)?;
    let copied = copy_folder(&data_dir.log(), &copy);
    let worked = copied
        .with_context(|| format!("cannot copy {} to {}", data_dir.log().display(), copy.display()))
        .and_then(|bytes| work(&copy, bytes));
    durable::remove_folder(&copy)?;
    worked
}

/// Copies a folder; how many bytes its files have.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<u64> {
    fs::create_dir(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        bytes += if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target)?
        };
    }
    Ok(bytes)
}

fn run(copy: &Path, arguments: &[&OsStr], limit: Duration) -> anyhow::Result<Probed> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command.arg("probe-log").arg(copy).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start a probe of the log")?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the probe of the log")? {
            let (said, complained) = (text(child.stdout.take())?, text(child.stderr.take())?);
            return Ok(match status.success() {
                true => Probed::Whole(said),
                false => refusal(&complained.replace(COPY, "log"), status.code()),
            });
        }
        if Instant::now() >= deadline {
            end(child)?;
            return Ok(Probed::Broken(format!("the storage engine did not open it within {} s", limit.as_secs())));
        }
        std::thread::sleep(POLL);
    }
}

/// What the probe complained of, in a line.
fn refusal(complained: &str, code: Option<i32>) -> Probed {
    match (complained.lines().find_map(|line| line.strip_prefix("error: ")), code) {
        (Some(reason), Some(1)) => Probed::Refused(reason.to_owned()),
        (_, _) => Probed::Broken("the storage engine died of what it found".to_owned()),
    }
}

fn end(mut child: Child) -> anyhow::Result<()> {
    child.kill().context("cannot end the probe of the log")?;
    child.wait().context("cannot end the probe of the log")?;
    Ok(())
}

/// What the child wrote, which is a line or two and fits into a pipe.
fn text(from: Option<impl Read>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let Some(mut from) = from else { bail!("the probe of the log has no output") };
    from.read_to_end(&mut bytes).context("cannot read what the probe of the log said")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
