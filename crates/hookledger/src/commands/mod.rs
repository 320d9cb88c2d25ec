//! One file per command.

pub(crate) mod backup;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod deliveries;
pub(crate) mod export;
pub(crate) mod ingest;
pub(crate) mod man;
pub(crate) mod probe_log;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod verify;
