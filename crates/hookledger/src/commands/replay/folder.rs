//! Replays in the folder of a ledger that is not being served.

use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use ledger_log::{EventLog, SledLog};
use ledger_projector::{Comparison, Projector, ProjectorError, compare};

use crate::output;
use crate::progress::Progress;
use crate::tool::{Tool, fold};

/// Most differences that a check prints.
const DIFFERENCES_MAX: usize = 20;

/// Makes views anew beside the old ones, and puts them in their place at once.
pub(super) fn replay(path: &Path) -> anyhow::Result<String> {
    let tool = Tool::open(path)?;
    let log = tool.require_log()?;
    refuse_to_forget(&tool, log)?;
    let fresh = tool.fresh_views()?;
    let reader = fresh.reader.clone();
    fold(log, fresh, "replaying")?.take_place_of(None)?;
    let (position, waiting) = (reader.position(), reader.waiting_count());
    Ok(format!("The views are made anew from {position} events; {waiting} deliveries wait for their description.\n"))
}

/// Views that have seen more than the log holds, or another log, are the last witness of it: they are not replaced.
fn refuse_to_forget(tool: &Tool, log: &Arc<SledLog>) -> anyhow::Result<()> {
    let Some(Ok(views)) = tool.views() else { return Ok(()) };
    match Projector::new(log.clone(), views.writer) {
        Err(error @ (ProjectorError::LogIsShorter { .. } | ProjectorError::LogDiffers { .. })) => {
            let dir = tool.data_dir().views();
            Err(anyhow!(error)
                .context(format!("the views are kept (move {} away to replay all the same)", dir.display())))
        }
        Err(error) if !error.is_mended_by_rebuild() => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Compares the views with others that are made anew beside them.
pub(super) fn check(path: &Path) -> anyhow::Result<String> {
    let tool = Tool::open(path)?;
    let log = tool.require_log()?;
    let dir = path.display();
    if tool.views().is_none() {
        bail!("{dir} has no views: `hookledger replay --data-dir {dir}` makes them");
    }
    let views = tool.current_views()?;
    let fresh = tool.fresh_views()?;
    let rebuilt = fresh.reader.clone();
    fold(log, fresh, "replaying")?;
    let progress = Progress::new("comparing", log.head().position.get(), "deliveries at most");
    let compared = compare(&views, &rebuilt, DIFFERENCES_MAX, |deliveries| progress.reached(deliveries));
    progress.finish();
    let compared = compared.map_err(|error| {
        anyhow!(error).context(format!("the views are damaged; `hookledger replay --data-dir {dir}` makes them anew"))
    })?;
    let report = report(&compared, views.position().get());
    if compared.difference_count == 0 {
        return Ok(report);
    }
    output::print(&report)?;
    bail!(
        "the views differ from the log in {} places; `hookledger replay --data-dir {dir}` makes them anew",
        compared.difference_count
    )
}

fn report(compared: &Comparison, position: u64) -> String {
    let Comparison { deliveries, subscriptions, lists, entries, .. } = compared;
    let rows = compared.rows();
    if compared.difference_count == 0 {
        return format!(
            "identical: {rows} rows at position {position} ({deliveries} deliveries, the stats of {subscriptions} \
             subscriptions, {entries} entries of {lists} lists, the checkpoint)\n"
        );
    }
    let mut text: String = compared.differences.iter().map(|difference| format!("{difference}\n")).collect();
    let more = compared.difference_count - compared.differences.len() as u64;
    if more > 0 {
        text += &format!("… and {more} more\n");
    }
    text
}
