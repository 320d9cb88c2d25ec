//! A replay that a running server makes while it serves.

use std::time::Duration;

use anyhow::{Context, bail};
use http::StatusCode;

use crate::client::{LedgerClient, Server, refusal};
use crate::progress::Progress;
use crate::server::rebuild::{RebuildBody, RebuildState};

/// How often the server is asked how far it is.
const POLL: Duration = Duration::from_millis(200);

/// Asks the server for a rebuild, and waits until it is done. Ctrl-C ends the waiting, not the rebuild.
pub(super) async fn replay(server: &Server) -> anyhow::Result<String> {
    let client = server.client()?;
    let url = client.url(&["v1", "admin", "rebuild"], &[])?;
    let answer = client.post(&url).await.map_err(|error| anyhow::anyhow!(client.unreachable(&error)))?;
    if answer.status() != StatusCode::ACCEPTED {
        return Err(refusal(answer).await);
    }
    let mut rebuild: RebuildBody = answer.json().await.context("cannot read the answer of the ledger")?;
    let progress = Progress::of_positions("replaying", rebuild.views_position.get());
    while rebuild.state == RebuildState::Running {
        progress.reached(rebuild.position.get());
        tokio::time::sleep(POLL).await;
        rebuild = ask(&client, &url).await?;
    }
    progress.finish();
    match rebuild.state {
        RebuildState::Done => Ok(format!("The views are made anew from {} events.\n", rebuild.position)),
        RebuildState::Failed => {
            bail!("the rebuild failed, and the old views go on: {}", rebuild.error.unwrap_or_default())
        }
        RebuildState::Never | RebuildState::Running => {
            bail!("the server was started again before the rebuild was done: ask for it once more")
        }
    }
}

async fn ask(client: &LedgerClient, url: &reqwest::Url) -> anyhow::Result<RebuildBody> {
    let answer = client.get_patiently(url, 0).await?;
    answer.json().await.with_context(|| format!("cannot read the answer of {url}"))
}
