//! Backups of a folder that no server has open.

use std::path::Path;

use ledger_log::{Archive, EventLog};

use super::{Copied, prepare, remove_old_tails};
use crate::progress::Progress;
use crate::tool::Tool;

/// Copies what the backup lacks.
pub(super) fn backup(path: &Path, output: &Path) -> anyhow::Result<Copied> {
    let tool = Tool::open(path)?;
    let log = tool.require_log()?;
    prepare(output, Some(log.identity()))?;
    let (archive, segments) = (Archive::new(output), log.segments());
    let progress = Progress::new("copying", segments.len() as u64, "segments");
    let mut new = 0;
    for (done, segment) in (1..).zip(&segments) {
        new += usize::from(archive.keep(segment)?);
        progress.reached(done);
    }
    progress.finish();
    let (tail, head) = (log.copy_tail(output)?, log.head());
    remove_old_tails(output, tail.as_ref(), head.position)?;
    let tails = usize::from(tail.is_some());
    Ok(Copied { head, segments: segments.len() + tails, new: new + tails })
}
