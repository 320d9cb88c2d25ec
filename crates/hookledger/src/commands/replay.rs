//! `replay`: makes the views anew from the log, or compares them with what the log says.

mod switch;

use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::Args;
use ledger_log::{EventLog, SledLog};
use ledger_projector::{Comparison, Projector, ProjectorError, compare};
use ledger_views::ReadModel;

use crate::output;
use crate::progress::Progress;
use crate::settings::Location;
use crate::tool::{Aside, Tool, fold};

/// Most differences that `--check` prints.
const DIFFERENCES_MAX: usize = 20;

/// The arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    location: Location,

    /// Leave the views, and compare each of their rows with what the log says: exits with 1 when they differ
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let tool = Tool::open(&args.location.data_dir)?;
    if args.check { check(&tool) } else { replay(&tool) }
}

fn replay(tool: &Tool) -> anyhow::Result<()> {
    let log = tool.require_log()?;
    refuse_to_forget(tool, log)?;
    let aside = tool.aside()?;
    let rebuilt = rebuild(log, &aside)?;
    let (position, waiting) = (rebuilt.position(), rebuilt.waiting_count());
    drop(rebuilt);
    switch::put_in_place(aside, &tool.data_dir().views())?;
    output::print(&format!(
        "The views are made anew from {position} events; {waiting} deliveries wait for their description.\n"
    ))
}

/// Views that have seen more than the log holds, or another log, are the last witness of it: they are not replaced.
fn refuse_to_forget(tool: &Tool, log: &Arc<SledLog>) -> anyhow::Result<()> {
    let Some(Ok(views)) = tool.views()? else { return Ok(()) };
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

fn rebuild(log: &Arc<SledLog>, aside: &Aside) -> anyhow::Result<ReadModel> {
    let views = aside.views()?;
    let reader = views.reader.clone();
    fold(log, views, "replaying")?;
    Ok(reader)
}

fn check(tool: &Tool) -> anyhow::Result<()> {
    let log = tool.require_log()?;
    let dir = tool.data_dir().path().display();
    if tool.views()?.is_none() {
        bail!("{dir} has no views: `hookledger replay --data-dir {dir}` makes them");
    }
    let views = tool.current_views()?;
    let aside = tool.aside()?;
    let rebuilt = rebuild(log, &aside)?;
    let progress = Progress::new("comparing", log.head().position.get(), "deliveries at most");
    let compared = compare(&views, &rebuilt, DIFFERENCES_MAX, |deliveries| progress.reached(deliveries));
    progress.finish();
    let compared = compared.map_err(|error| {
        anyhow!(error).context(format!("the views are damaged; `hookledger replay --data-dir {dir}` makes them anew"))
    })?;
    output::print(&report(&compared, views.position().get()))?;
    match compared.difference_count {
        0 => Ok(()),
        count => bail!(
            "the views differ from the log in {count} places; `hookledger replay --data-dir {dir}` makes them anew"
        ),
    }
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
