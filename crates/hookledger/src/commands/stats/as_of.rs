//! `--as-of`: the log folded anew up to an earlier position.

use std::str::FromStr;

use anyhow::{anyhow, ensure};
use ledger_event::{Position, Timestamp};
use ledger_log::EventLog;
use ledger_projector::{position_at, stats_as_of};
use ledger_views::{Stats, SubscriptionKey};

use crate::progress::Progress;
use crate::tool::Tool;

/// A position, or a time by when events were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsOf {
    Position(Position),
    Time(Timestamp),
}

impl FromStr for AsOf {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let position = text.parse().map_err(|_| anyhow!("{text} is beyond every position"))?;
            return Ok(Self::Position(Position::new(position)));
        }
        let time = Timestamp::parse(text);
        time.map(Self::Time)
            .map_err(|_| anyhow!("`{text}` is neither a position nor a time such as 2026-01-15T10:30:00Z"))
    }
}

/// Folds the subscription's events up to there, into views that are thrown away; the ledger's own are not touched.
pub(super) fn stats(tool: &Tool, key: &SubscriptionKey, as_of: AsOf) -> anyhow::Result<(Position, Stats)> {
    let log = tool.require_log()?;
    let head = log.head().position;
    let end = match as_of {
        AsOf::Position(position) => position,
        AsOf::Time(time) => position_at(log.as_ref(), time)?,
    };
    ensure!(end <= head, "the log ends at position {head}, before {end}");
    let fresh = tool.fresh_views()?;
    let progress = Progress::of_positions("folding", end.get());
    let passed = |position: Position| progress.reached(position.get());
    let stats = stats_as_of(log.as_ref(), fresh, key, end, passed)?;
    Ok((end, stats))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_position_and_the_rest_a_time() {
        assert_eq!("970".parse::<AsOf>().expect("it is one"), AsOf::Position(Position::new(970)));
        let time = Timestamp::parse("2026-01-15T10:30:00Z").expect("it is RFC 3339");
        assert_eq!("2026-01-15T11:30:00+01:00".parse::<AsOf>().expect("it is one"), AsOf::Time(time));
        for wrong in ["", "-1", "2026-01-15", "yesterday", "99999999999999999999999"] {
            assert!(wrong.parse::<AsOf>().is_err(), "{wrong}");
        }
    }
}
