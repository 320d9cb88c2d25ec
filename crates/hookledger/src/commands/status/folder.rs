//! The status of a folder that no server has open.

use std::fs;
use std::path::Path;

use anyhow::Context;
use ledger_event::{ErrorChain, Position, Timestamp};
use ledger_log::{EventLog, LogError, SledLog};
use ledger_views::{ListId, ReadModel, Views};

use super::Status;
use crate::tool::Tool;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: u128 = 24 * 3_600_000_000;

/// Reads it from log and views; neither is changed.
pub(super) fn status(path: &Path) -> anyhow::Result<Status> {
    let tool = Tool::open(path)?;
    let mut status = Status { ledger: path.display().to_string(), ..Status::default() };
    status.log_size_bytes = Some(size_of(&tool.data_dir().log())? + size_of(&tool.data_dir().segments())?);
    status.views_size_bytes = Some(size_of(&tool.data_dir().views())?);
    if let Some(log) = tool.log() {
        tell_log(&mut status, log)?;
    }
    match tool.views() {
        None => {}
        Some(Ok(Views { reader, .. })) => tell_views(&mut status, &reader)?,
        Some(Err(error)) => status.views_damage = Some(ErrorChain(&error).to_string()),
    }
    Ok(status)
}

fn tell_log(status: &mut Status, log: &SledLog) -> anyhow::Result<()> {
    let head = log.head();
    status.log_position = head.position.get();
    status.log_head = Some(head.to_string());
    status.log_sealed_position = Some(log.watch_sealing().borrow().sealed.get());
    status.oldest_recorded_at = recorded_at(log, Position::new(1))?;
    status.newest_recorded_at = recorded_at(log, head.position)?;
    if let (Some(oldest), Some(newest)) = (status.oldest_recorded_at, status.newest_recorded_at) {
        status.growth_events_per_day = per_day(head.position.get(), oldest, newest);
        status.growth_bytes_per_day = status.log_size_bytes.and_then(|bytes| per_day(bytes, oldest, newest));
    }
    Ok(())
}

fn recorded_at(log: &SledLog, position: Position) -> Result<Option<Timestamp>, LogError> {
    Ok(log.chunk_at(position)?.map(|chunk| chunk.recorded_at))
}

fn tell_views(status: &mut Status, views: &ReadModel) -> anyhow::Result<()> {
    let mut listed = 0;
    for list in views.all_lists() {
        let list = list.context("the views are damaged")?;
        if matches!(list, ListId::Workspace(_)) {
            listed += views.kept_list(&list).context("the views are damaged")?.map_or(0, |list| list.total);
        }
    }
    let position = views.position().get();
    status.views_position = Some(position);
    // Views that have seen more than the log holds have no lag: `verify` tells that.
    status.views_lag_events = status.log_position.checked_sub(position);
    status.deliveries_listed = Some(listed);
    status.deliveries_waiting = Some(views.waiting_count());
    Ok(())
}

/// What comes in a day at the rate of the time between; less than an hour tells nothing of a day.
fn per_day(amount: u64, oldest: Timestamp, newest: Timestamp) -> Option<u64> {
    let span_us = newest.as_micros().saturating_sub(oldest.as_micros());
    if span_us < HOUR_US {
        return None;
    }
    let span_us = u128::try_from(span_us).ok()?;
    u64::try_from(u128::from(amount) * DAY_US / span_us).ok()
}

/// What the files of a folder take on the disk, or say they do; 0 when it is not there.
fn size_of(dir: &Path) -> anyhow::Result<u64> {
    let cannot = || format!("cannot list {}", dir.display());
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.with_context(cannot)?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.with_context(cannot)?;
        let about = entry.metadata().with_context(cannot)?;
        bytes += if about.is_dir() { size_of(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_from_an_hour_on() {
        let at = |micros| Timestamp::from_micros(micros).expect("it is in the seventies");
        assert_eq!(per_day(100, at(0), at(HOUR_US)), Some(2400));
        assert_eq!(per_day(100, at(0), at(48 * HOUR_US)), Some(50));
        assert_eq!(per_day(100, at(0), at(HOUR_US - 1)), None);
    }
}
