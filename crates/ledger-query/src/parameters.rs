//! Query parameters, each at most once.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;

/// The parameters of a query string; those that an endpoint does not know are passed over.
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a query string cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    #[error("{name} appears in the query more than once")]
    Repeated { name: &'static str },
    #[error("the query is not UTF-8")]
    NotUtf8,
}

impl<'a> Parameters<'a> {
    pub(crate) fn parse(query: Option<&'a str>) -> Result<Self, ParameterError> {
        let query = query.unwrap_or("");
        percent_decode_str(query).decode_utf8().map_err(|_| ParameterError::NotUtf8)?;
        Ok(Self(form_urlencoded::parse(query.as_bytes()).collect()))
    }

    /// The value of a parameter, `None` when it is absent or empty.
    pub(crate) fn non_empty(&self, name: &'static str) -> Result<Option<&str>, ParameterError> {
        Ok(self.get(name)?.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter, if it is there.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, ParameterError> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_ref());
        let value = values.next();
        if values.next().is_some() { Err(ParameterError::Repeated { name }) } else { Ok(value) }
    }
}

/// A parameter is not an integer within its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be an integer from {min} to {max}")]
pub(crate) struct OutOfBounds {
    pub(crate) name: &'static str,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// Reads an integer within inclusive bounds, or takes the default for one that is not there.
pub(crate) fn integer(
    name: &'static str,
    text: Option<&str>,
    bounds: RangeInclusive<u64>,
    default: u64,
) -> Result<u64, OutOfBounds> {
    let Some(text) = text else { return Ok(default) };
    let (min, max) = (*bounds.start(), *bounds.end());
    decimal(text).filter(|number| bounds.contains(number)).ok_or(OutOfBounds { name, min, max })
}

/// Reads an unsigned decimal integer: digits alone, no sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
