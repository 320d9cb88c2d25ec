//! `deliveries`: the history of a workspace or of a subscription, newest first.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use ledger_event::{SubscriptionId, WorkspaceId};
use ledger_views::PageRequest;
use serde::Deserialize;

use super::stats::{Answer, read};
use crate::client::Server;
use crate::output;
use crate::table::table;
use crate::target::Target;
use crate::tool::Tool;

/// The arguments of `deliveries`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesArgs {
    #[command(flatten)]
    target: Target,

    /// The workspace
    #[arg(long, env = "HOOKLEDGER_WORKSPACE", value_name = "WS")]
    workspace: WorkspaceId,

    /// Only this subscription's deliveries [default: all]
    #[arg(long, value_name = "SUB")]
    subscription: Option<SubscriptionId>,

    /// How many deliveries: 1 to 100
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100))]
    limit: u64,

    /// How many of the newest to pass over
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    offset: u64,

    /// Write the JSON of the history endpoint instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: DeliveriesArgs) -> anyhow::Result<()> {
    let json = args.json;
    let answer = match args.target.clone() {
        Target::DataDir(path) => tokio::task::spawn_blocking(move || in_folder(&path, args)).await??,
        Target::Server(server) => from_server(&server, &args).await?,
    };
    output::print(&if json { answer.json + "\n" } else { text(&answer)? })
}

fn in_folder(path: &Path, args: DeliveriesArgs) -> anyhow::Result<Answer> {
    let request = PageRequest {
        workspace_id: args.workspace,
        subscription_id: args.subscription,
        offset: args.offset,
        limit: usize::try_from(args.limit).expect("a page is at most 100 rows"),
    };
    let page = Tool::open(path)?.current_views()?.deliveries(&request)?;
    let json = serde_json::to_string(&ledger_query::PageBody::new(&page, args.limit, args.offset))?;
    Ok(Answer { position: page.position.get(), json })
}

async fn from_server(server: &Server, args: &DeliveriesArgs) -> anyhow::Result<Answer> {
    let client = server.client()?;
    let mut query = vec![("workspace_id", args.workspace.to_string())];
    query.extend(args.subscription.iter().map(|subscription| ("subscription_id", subscription.to_string())));
    query.extend([("limit", args.limit.to_string()), ("offset", args.offset.to_string())]);
    let url = client.url(&["api", "webhookSubscriptions.deliveries"], &query)?;
    read(&client, &url).await
}

/// The fields of the contract that the table shows.
#[derive(Deserialize)]
struct Page {
    deliveries: Vec<Row>,
    total: u64,
    offset: u64,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    subscription_id: String,
    event_type: String,
    status: String,
    attempts: u64,
    max_attempts: u64,
    next_attempt_at: Option<String>,
    last_response_status: Option<u64>,
    last_error: Option<String>,
    created_at: String,
}

const HEADER: [&str; 9] =
    ["CREATED", "DELIVERY", "SUBSCRIPTION", "EVENT TYPE", "STATUS", "ATTEMPTS", "HTTP", "NEXT ATTEMPT", "ERROR"];

fn text(answer: &Answer) -> anyhow::Result<String> {
    let page: Page = serde_json::from_str(&answer.json)
        .with_context(|| format!("the history is not what its contract says: {}", answer.json))?;
    let (offset, total, position) = (page.offset, page.total, answer.position);
    let shown = page.deliveries.len() as u64;
    if shown == 0 {
        return Ok(format!("No deliveries after the first {offset}: there are {total}, at position {position}.\n"));
    }
    let rows = page.deliveries.into_iter().map(Row::cells).collect();
    let range = format!("{} to {} of {total} deliveries, at position {position}.\n", offset + 1, offset + shown);
    Ok(table(HEADER, rows) + &range)
}

impl Row {
    fn cells(self) -> [String; HEADER.len()] {
        let or_nothing = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        [
            self.created_at,
            self.id,
            self.subscription_id,
            self.event_type,
            self.status,
            format!("{} of {}", self.attempts, self.max_attempts),
            or_nothing(self.last_response_status.map(|status| status.to_string())),
            or_nothing(self.next_attempt_at),
            or_nothing(self.last_error),
        ]
    }
}
