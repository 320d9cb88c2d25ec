//! `serve`: the ledger itself.

use crate::settings::ServeSettings;
use crate::{server, telemetry};

/// Runs the ledger until it is told to stop.
pub(crate) async fn run(settings: ServeSettings) -> anyhow::Result<()> {
    telemetry::init(settings.log_format, &settings.log_level)?;
    server::run(settings).await
}
