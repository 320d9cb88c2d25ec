//! What is asked for.

use http::{HeaderMap, HeaderName};
use ledger_auth::{Caller, ParameterError, Parameters, integer};
use ledger_event::{Kind, Position};

use crate::error::FeedError;
use crate::filter::Filter;

/// Most events of a page.
pub(crate) const LIMIT_MAX: u64 = 10_000;
/// Events of a page when the request does not say.
pub(crate) const LIMIT_DEFAULT: u64 = 1_000;
/// The largest position that may be named: what a signed 64-bit integer, and so every client, can hold.
pub(crate) const POSITION_MAX: u64 = i64::MAX as u64;

/// The position of the last event that a follower has seen; it wins over `from`.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A request that may be answered.
#[derive(Debug, PartialEq)]
pub(crate) struct FeedRequest {
    /// The first position that is wanted.
    pub(crate) from: Option<Position>,
    /// How many events a page has at most.
    pub(crate) limit: usize,
    /// What the caller may see and asked for.
    pub(crate) filter: Filter,
}

impl FeedRequest {
    /// Reads the parameters, then asks the caller for what they name.
    pub(crate) fn parse(query: Option<&str>, caller: &Caller) -> Result<Self, FeedError> {
        let parameters = Parameters::parse(query)?;
        let from = parameters.integer("from", 1..=POSITION_MAX)?.map(Position::new);
        let limit = parameters.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
        let limit = usize::try_from(limit).expect("a page is at most 10 000 events");
        let named = Filter {
            workspace_id: parameters.non_empty_id("workspace_id")?,
            subscription_id: parameters.non_empty_id("subscription_id")?,
            kind: parameters.get("kind")?.map(kind).transpose()?,
        };
        Ok(Self { from, limit, filter: within_reach(named, caller)? })
    }
}

/// Narrows a filter to what the caller may see.
fn within_reach(named: Filter, caller: &Caller) -> Result<Filter, FeedError> {
    if let Some(workspace_id) = &named.workspace_id {
        caller.may_see_workspace(workspace_id)?;
    }
    if let Some(subscription_id) = &named.subscription_id {
        caller.may_see_subscription(subscription_id)?;
    }
    Ok(Filter {
        workspace_id: named.workspace_id.or_else(|| caller.workspace().cloned()),
        subscription_id: named.subscription_id.or_else(|| caller.subscription().cloned()),
        kind: named.kind,
    })
}

fn kind(text: &str) -> Result<Kind, ParameterError> {
    Kind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
        let bound = format!("one of {}", Kind::ALL.map(Kind::as_str).join(", "));
        ParameterError::OutOfBounds { name: "kind", bound }
    })
}

/// The `Last-Event-ID`, if there is one. It cannot be beyond the head: whoever has seen it has seen another log.
pub(crate) fn last_event_id(headers: &HeaderMap, head: Position) -> Result<Option<Position>, ParameterError> {
    const NAME: &str = "Last-Event-ID";
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ParameterError::Repeated { name: NAME });
    }
    if value.is_empty() {
        return Ok(None);
    }
    let seen = integer(NAME, value.to_str().unwrap_or_default(), 0..=POSITION_MAX)?;
    if seen > head.get() {
        let bound = format!("at most {head}, where the log ends: this is not the log that was followed");
        return Err(ParameterError::OutOfBounds { name: NAME, bound });
    }
    Ok(Some(Position::new(seen)))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    #[test]
    fn every_kind_can_be_chosen() {
        let none: StrDeserializer<'_, Error> = "none".into_deserializer();
        let error = Kind::deserialize(none).expect_err("it is no kind").to_string();
        let (_, known) = error.split_once("expected one of ").expect("serde names the kinds");
        assert_eq!(known, Kind::ALL.map(|kind| format!("`{}`", kind.as_str())).join(", "));
    }

    #[test]
    fn the_last_event_id_is_a_position_that_was_reached() {
        let parse = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(LAST_EVENT_ID, value.parse().expect("it is a header value"));
            }
            last_event_id(&headers, Position::new(7)).ok()
        };
        assert_eq!(parse(&[]), Some(None));
        assert_eq!(parse(&[""]), Some(None));
        assert_eq!(parse(&["0"]), Some(Some(Position::START)));
        assert_eq!(parse(&["7"]), Some(Some(Position::new(7))));
        for values in [["8"].as_slice(), &["x"], &["1", "1"]] {
            assert_eq!(parse(values), None, "{values:?}");
        }
    }
}
