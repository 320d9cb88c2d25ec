//! `checkpoint`: the head of the log, signed.

use anyhow::{Context, bail};
use clap::Args;
use ledger_log::EventLog;

use crate::client::Server;
use crate::head_key;
use crate::output;
use crate::target::Target;
use crate::tool::Tool;

/// The arguments of `checkpoint`.
#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    target: Target,

    /// Print the key that its signatures are verified with instead; only with --data-dir
    #[arg(long)]
    verifier_key: bool,
}

/// Runs the command.
pub(crate) async fn run(args: CheckpointArgs) -> anyhow::Result<()> {
    let is_key = args.verifier_key;
    output::print(&match args.target {
        Target::DataDir(path) => {
            tokio::task::spawn_blocking(move || {
                let tool = Tool::open(&path)?;
                let log = tool.require_log()?;
                let signer = head_key::signer(tool.data_dir(), &log.identity())?;
                Ok::<_, anyhow::Error>(if is_key {
                    format!("{}\n", signer.verifier_key())
                } else {
                    signer.sign(log.head())
                })
            })
            .await??
        }
        Target::Server(_) if is_key => bail!("a server's own word for its key proves nothing: use --data-dir"),
        Target::Server(server) => of_server(&server).await?,
    })
}

async fn of_server(server: &Server) -> anyhow::Result<String> {
    let client = server.client()?;
    let url = client.url(&["v1", "log", "checkpoint"], &[])?;
    let answer = client.get_patiently(&url, 0).await?;
    answer.text().await.with_context(|| format!("cannot read the answer of {url}"))
}
