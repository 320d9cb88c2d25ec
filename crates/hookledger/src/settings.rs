//! Every setting: its name, default, bounds and meaning.
//!
//! A field is a setting. Its name with dashes is the flag, in capitals after `HOOKLEDGER_` the variable, as it is
//! the key in the file of `--config`. The range in a doc comment is part of `--help`; a test holds it against the
//! parser's.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, RangedU64ValueParser, TypedValueParser};
use ledger_event::limits::{REQUEST_MAX_BYTES, REQUEST_MAX_EVENTS, TEXT_CUT_DEFAULT_BYTES, TEXT_CUT_MAX_BYTES};
use ledger_log::{
    DEFAULT_CACHE_BYTES, DEFAULT_HOT_MAX_BYTES, DEFAULT_IDEMPOTENCE_WINDOW_EVENTS, DEFAULT_QUEUE_MAX_BYTES,
    DEFAULT_QUEUE_MAX_REQUESTS, DEFAULT_SEGMENT_TARGET_BYTES,
};

use crate::telemetry::{self, LogFormat};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// Where a ledger is: for every command that opens its folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct Location {
    /// The folder that holds the ledger
    #[arg(long, env = "HOOKLEDGER_DATA_DIR", value_name = "DIR", default_value = "./data")]
    pub(crate) data_dir: PathBuf,

    /// A TOML file of settings
    #[arg(long, env = "HOOKLEDGER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The settings of `serve`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeSettings {
    #[command(flatten)]
    pub(crate) location: Location,

    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "HOOKLEDGER_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// How log lines are written, to standard error
    #[arg(long, env = "HOOKLEDGER_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace or off; also by module: info,ledger_log=debug
    #[arg(long, env = "HOOKLEDGER_LOG_LEVEL", value_name = "LEVEL", default_value = "info",
        value_parser = telemetry::parse_filter)]
    pub(crate) log_level: String,

    /// Where response bodies, errors and reasons are cut before they are stored, in bytes: 0 to 65536
    #[arg(long, env = "HOOKLEDGER_TEXT_CUT_BYTES", value_name = "BYTES", default_value_t = TEXT_CUT_DEFAULT_BYTES,
        value_parser = within::<usize>(0..=TEXT_CUT_MAX_BYTES as u64))]
    pub(crate) text_cut_bytes: usize,

    /// How many of the last event ids are remembered to answer a repetition: 10000 to 10000000
    #[arg(long, env = "HOOKLEDGER_IDEMPOTENCE_WINDOW_EVENTS", value_name = "EVENTS",
        default_value_t = DEFAULT_IDEMPOTENCE_WINDOW_EVENTS,
        value_parser = within::<usize>(REQUEST_MAX_EVENTS as u64..=10_000_000))]
    pub(crate) idempotence_window_events: usize,

    /// How much may be on its way in, and how much may wait to be appended, before the answer is 503, in bytes:
    /// 16777216 to 4294967296
    #[arg(long, env = "HOOKLEDGER_APPEND_QUEUE_BYTES", value_name = "BYTES", default_value_t = DEFAULT_QUEUE_MAX_BYTES,
        value_parser = within::<usize>(REQUEST_MAX_BYTES as u64..=4 * GIB))]
    pub(crate) append_queue_bytes: usize,

    /// How many requests may wait to be appended before the answer is 503: 1 to 65536
    #[arg(long, env = "HOOKLEDGER_APPEND_QUEUE_REQUESTS", value_name = "REQUESTS",
        default_value_t = DEFAULT_QUEUE_MAX_REQUESTS,
        value_parser = within::<usize>(1..=65_536))]
    pub(crate) append_queue_requests: usize,

    /// Memory for the cache of the log, in bytes: 1048576 to 68719476736
    #[arg(long, env = "HOOKLEDGER_LOG_CACHE_BYTES", value_name = "BYTES", default_value_t = DEFAULT_CACHE_BYTES,
        value_parser = within::<u64>(MIB..=64 * GIB))]
    pub(crate) log_cache_bytes: u64,

    /// How many bytes of the log are sealed into a segment: 65536 to 1073741824
    #[arg(long, env = "HOOKLEDGER_SEGMENT_BYTES", value_name = "BYTES", default_value_t = DEFAULT_SEGMENT_TARGET_BYTES,
        value_parser = within::<u64>(64 * KIB..=GIB))]
    pub(crate) segment_bytes: u64,

    /// How many bytes of the log stay in its hot tier once they are sealed: 0 to 68719476736
    #[arg(long, env = "HOOKLEDGER_HOT_LOG_BYTES", value_name = "BYTES", default_value_t = DEFAULT_HOT_MAX_BYTES,
        value_parser = within::<u64>(0..=64 * GIB))]
    pub(crate) hot_log_bytes: u64,

    /// The folder that gets a copy of each sealed segment, on another disk best; none when it is empty
    #[arg(long, env = "HOOKLEDGER_ARCHIVE", value_name = "DIR", default_value = "",
        value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) archive: PathBuf,

    /// Memory for the views: pages that were read, and changes that are not written yet, in bytes: 1048576 to 68719476736
    #[arg(long, env = "HOOKLEDGER_VIEWS_CACHE_BYTES", value_name = "BYTES", default_value_t = 256 * MIB,
        value_parser = within::<u64>(MIB..=64 * GIB))]
    pub(crate) views_cache_bytes: u64,

    /// How many events the views may be behind before appends wait for them: 10000 to 1000000000000
    #[arg(long, env = "HOOKLEDGER_VIEWS_LAG_EVENTS", value_name = "EVENTS", default_value_t = 500_000,
        value_parser = within::<u64>(REQUEST_MAX_EVENTS as u64..=1_000_000_000_000))]
    pub(crate) views_lag_events: u64,

    /// How long requests may go on after SIGTERM or SIGINT, in seconds: 0 to 600
    #[arg(long, env = "HOOKLEDGER_SHUTDOWN_GRACE_SECONDS", value_name = "SECONDS", default_value_t = 10,
        value_parser = within::<u64>(0..=600))]
    pub(crate) shutdown_grace_seconds: u64,

    /// How long a request's head, its body, its append and each step of sending its answer may take, in seconds:
    /// 1 to 600
    #[arg(long, env = "HOOKLEDGER_REQUEST_TIMEOUT_SECONDS", value_name = "SECONDS", default_value_t = 30,
        value_parser = within::<u64>(1..=600))]
    pub(crate) request_timeout_seconds: u64,

    /// How many connections are served at once; more wait: 1 to 65536
    #[arg(long, env = "HOOKLEDGER_MAX_CONNECTIONS", value_name = "CONNECTIONS", default_value_t = 1024,
        value_parser = within::<usize>(1..=65_536))]
    pub(crate) max_connections: usize,
}

impl ServeSettings {
    /// Where a second copy of each segment is kept, if anywhere.
    pub(crate) fn archive_dir(&self) -> Option<PathBuf> {
        (!self.archive.as_os_str().is_empty()).then(|| self.archive.clone())
    }

    /// How long requests may go on after the signal to stop.
    pub(crate) fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }

    /// How long one request may take.
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }
}

/// A parser of whole numbers whose refusal names the setting and this range.
fn within<T: TryFrom<u64> + Clone + Send + Sync + 'static>(range: RangeInclusive<u64>) -> RangedU64ValueParser<T> {
    RangedU64ValueParser::new().range(range)
}
