//! The arguments that name a running ledger.

use clap::Args;
use reqwest::Url;

use super::LedgerClient;

/// Where the ledger is, when nothing else is said: where `serve` listens by default.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// A running ledger, and the token to use it with.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The address of a running ledger, such as http://127.0.0.1:8080
    #[arg(long, env = "HOOKLEDGER_URL", value_name = "URL")]
    pub(crate) url: Option<Url>,

    /// The token to use it with (`hookledger token create` makes one)
    #[arg(long, env = "HOOKLEDGER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

impl ServerArgs {
    /// The server, when one is named.
    pub(crate) fn named(&self) -> Option<Server> {
        Some(Server { url: self.url.clone()?, token: self.token.clone() })
    }
}

/// A running ledger, as the arguments name it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) url: Url,
    /// The token to use it with; a few answers need none.
    pub(crate) token: Option<String>,
}

impl Server {
    /// The client of it; nothing is asked yet.
    pub(crate) fn client(&self) -> anyhow::Result<LedgerClient> {
        LedgerClient::new(&self.url, self.token.as_deref())
    }
}
