//! `stats`: how a subscription is doing, now or as of an earlier position or time.

mod as_of;

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use ledger_event::{SubscriptionId, WorkspaceId};
use ledger_views::SubscriptionKey;
use serde::Deserialize;

use self::as_of::AsOf;
use crate::client::{self, Server};
use crate::output;
use crate::table::pairs;
use crate::target::Target;
use crate::tool::Tool;

/// The arguments of `stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    target: Target,

    /// The workspace; with --url, a token of one workspace tells it
    #[arg(long, env = "HOOKLEDGER_WORKSPACE", value_name = "WS")]
    workspace: Option<WorkspaceId>,

    /// The subscription, which the receiver's API calls the webhook
    #[arg(long, value_name = "SUB")]
    subscription: SubscriptionId,

    /// As they were at that position, or at that time by when events were recorded; with --data-dir only
    #[arg(long, value_name = "POSITION|TIME")]
    as_of: Option<AsOf>,

    /// Write the JSON of the stats endpoint instead of a table
    #[arg(long)]
    json: bool,
}

/// An answer, as the stats endpoint gives it.
pub(crate) struct Answer {
    /// The position it holds at.
    pub(crate) position: u64,
    /// The document of the contract.
    pub(crate) json: String,
}

/// Runs the command.
pub(crate) async fn run(args: StatsArgs) -> anyhow::Result<()> {
    let json = args.json;
    let answer = match args.target.clone() {
        Target::DataDir(path) => tokio::task::spawn_blocking(move || in_folder(&path, args)).await??,
        Target::Server(_) if args.as_of.is_some() => {
            bail!("--as-of folds the log anew: use --data-dir, while no server runs on it")
        }
        Target::Server(server) => from_server(&server, &args).await?,
    };
    output::print(&if json { answer.json + "\n" } else { text(&answer)? })
}

fn in_folder(path: &Path, args: StatsArgs) -> anyhow::Result<Answer> {
    let Some(workspace_id) = args.workspace else { bail!("--workspace is required with --data-dir") };
    let key = SubscriptionKey { workspace_id, subscription_id: args.subscription };
    let tool = Tool::open(path)?;
    let (position, stats) = match args.as_of {
        Some(as_of) => as_of::stats(&tool, &key, as_of)?,
        None => {
            let answer = tool.current_views()?.stats(&key)?;
            (answer.position, answer.stats)
        }
    };
    Ok(Answer { position: position.get(), json: serde_json::to_string(&ledger_query::StatsBody::from(&stats))? })
}

async fn from_server(server: &Server, args: &StatsArgs) -> anyhow::Result<Answer> {
    let client = server.client()?;
    let query: Vec<_> = args.workspace.iter().map(|workspace| ("workspace_id", workspace.to_string())).collect();
    let url = client.url(&["api", "v1", "workspace", "webhooks", args.subscription.as_str(), "stats"], &query)?;
    read(&client, &url).await
}

/// Reads an answer of a data endpoint as it is.
pub(crate) async fn read(client: &client::LedgerClient, url: &reqwest::Url) -> anyhow::Result<Answer> {
    let answer = client.get_patiently(url, 0).await?;
    let position = client::position(answer.headers())?;
    let json = answer.text().await.with_context(|| format!("cannot read the answer of {url}"))?;
    Ok(Answer { position, json })
}

/// The fields of the contract that the table shows.
#[derive(Deserialize)]
struct Shown {
    total: u64,
    success_count: u64,
    failed_count: u64,
    success_rate: f64,
    avg_duration_ms: u64,
    max_duration_ms: u64,
    last_delivery_at: Option<String>,
}

fn text(answer: &Answer) -> anyhow::Result<String> {
    let shown: Shown = serde_json::from_str(&answer.json)
        .with_context(|| format!("the stats are not what their contract says: {}", answer.json))?;
    let rows = [
        ("finished attempts", shown.total.to_string()),
        ("accepted", format!("{} ({:.1} %)", shown.success_count, 100.0 * shown.success_rate)),
        ("failed", shown.failed_count.to_string()),
        ("average duration", format!("{} ms", shown.avg_duration_ms)),
        ("longest duration", format!("{} ms", shown.max_duration_ms)),
        ("last finish", shown.last_delivery_at.unwrap_or_else(|| "never".to_owned())),
        ("at position", answer.position.to_string()),
    ];
    Ok(pairs(&rows))
}
