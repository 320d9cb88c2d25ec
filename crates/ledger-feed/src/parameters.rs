//! Query parameters, each at most once.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// The parameters of a query string; those that are not known are passed over.
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a parameter, or a header that takes the place of one, cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    #[error("the query is not UTF-8")]
    NotUtf8,
    #[error("{name} appears more than once")]
    Repeated { name: &'static str },
    #[error("{name} must be {bound}")]
    OutOfBounds { name: &'static str, bound: String },
    #[error("{name} {problem}")]
    NoId { name: &'static str, problem: String },
}

impl<'a> Parameters<'a> {
    pub(crate) fn parse(query: Option<&'a str>) -> Result<Self, ParameterError> {
        let query = query.unwrap_or("");
        percent_decode_str(query).decode_utf8().map_err(|_| ParameterError::NotUtf8)?;
        Ok(Self(form_urlencoded::parse(query.as_bytes()).collect()))
    }

    /// The value of a parameter, if it is there.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, ParameterError> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_ref());
        let value = values.next();
        if values.next().is_some() { Err(ParameterError::Repeated { name }) } else { Ok(value) }
    }

    /// An integer within bounds, if it is there.
    pub(crate) fn integer(
        &self,
        name: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ParameterError> {
        self.get(name)?.map(|text| integer(name, text, bounds)).transpose()
    }

    /// An id, if it is there.
    pub(crate) fn id<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Option<T>, ParameterError> {
        let no_id = |error: T::Err| ParameterError::NoId { name, problem: error.to_string() };
        self.get(name)?.map(|text| text.parse().map_err(no_id)).transpose()
    }
}

/// Reads an unsigned decimal integer within bounds: digits alone, no sign.
pub(crate) fn integer(name: &'static str, text: &str, bounds: RangeInclusive<u64>) -> Result<u64, ParameterError> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.filter(|number| bounds.contains(number)).ok_or_else(|| {
        let bound = format!("an integer from {} to {}", bounds.start(), bounds.end());
        ParameterError::OutOfBounds { name, bound }
    })
}
