//! Query parameters, each at most once.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ledger_event::IdError;
use ledger_event::limits::ID_MAX_BYTES;
use percent_encoding::percent_decode_str;

use crate::problem::Problem;

/// The parameters of a query string; those that an endpoint does not know are passed over.
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a parameter, or a header that takes the place of one, cannot be taken. What it displays is for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The query string as a whole cannot be read.
    #[error("the query is not UTF-8")]
    NotUtf8,
    /// It is not clear which of its values is meant.
    #[error("{name} appears more than once")]
    Repeated {
        /// Which.
        name: &'static str,
    },
    /// It is not what it must be.
    #[error("{name} must be {bound}")]
    OutOfBounds {
        /// Which.
        name: &'static str,
        /// What it must be.
        bound: String,
    },
    /// It is no id.
    #[error("{name} {source}")]
    NoId {
        /// Which.
        name: &'static str,
        /// Why not.
        source: IdError,
    },
}

impl<'a> Parameters<'a> {
    /// Reads a query string, without its `?`.
    ///
    /// # Errors
    ///
    /// When it is not UTF-8.
    pub fn parse(query: Option<&'a str>) -> Result<Self, ParameterError> {
        let query = query.unwrap_or("");
        // Only what is escaped can be anything else.
        if query.contains('%') {
            percent_decode_str(query).decode_utf8().map_err(|_| ParameterError::NotUtf8)?;
        }
        Ok(Self(form_urlencoded::parse(query.as_bytes()).collect()))
    }

    /// The value of a parameter, if it is there.
    ///
    /// # Errors
    ///
    /// When it appears more than once; so of all that follow.
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, ParameterError> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_ref());
        let value = values.next();
        if values.next().is_some() { Err(ParameterError::Repeated { name }) } else { Ok(value) }
    }

    /// The value of a parameter, `None` when it is absent or empty.
    ///
    /// # Errors
    ///
    /// When it appears more than once.
    pub fn non_empty(&self, name: &'static str) -> Result<Option<&str>, ParameterError> {
        Ok(self.get(name)?.filter(|value| !value.is_empty()))
    }

    /// An integer within inclusive bounds, if it is there.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn integer(&self, name: &'static str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, ParameterError> {
        self.get(name)?.map(|text| integer(name, text, bounds)).transpose()
    }

    /// An id, if it is there.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn id<T: FromStr<Err = IdError>>(&self, name: &'static str) -> Result<Option<T>, ParameterError> {
        self.get(name)?.map(|text| id(name, text)).transpose()
    }

    /// An id, `None` when it is absent or empty.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn non_empty_id<T: FromStr<Err = IdError>>(&self, name: &'static str) -> Result<Option<T>, ParameterError> {
        self.non_empty(name)?.map(|text| id(name, text)).transpose()
    }
}

fn id<T: FromStr<Err = IdError>>(name: &'static str, text: &str) -> Result<T, ParameterError> {
    text.parse().map_err(|source| ParameterError::NoId { name, source })
}

/// Reads an unsigned decimal integer within inclusive bounds: digits alone, no sign.
///
/// # Errors
///
/// When the text is none.
pub fn integer(name: &'static str, text: &str, bounds: RangeInclusive<u64>) -> Result<u64, ParameterError> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.filter(|number| bounds.contains(number)).ok_or_else(|| {
        let bound = format!("an integer from {} to {}", bounds.start(), bounds.end());
        ParameterError::OutOfBounds { name, bound }
    })
}

impl From<ParameterError> for Problem {
    fn from(error: ParameterError) -> Self {
        let problem = Self::unprocessable(error.to_string());
        match error {
            ParameterError::NotUtf8 => problem,
            ParameterError::Repeated { name } => problem.in_field(name).over_bound("at most once"),
            ParameterError::OutOfBounds { name, bound } => problem.in_field(name).over_bound(bound),
            ParameterError::NoId { name, .. } => {
                problem.in_field(name).over_bound(format!("1 to {ID_MAX_BYTES} bytes without control characters"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_digits_alone() {
        for text in ["", "-1", "+1", "1.0", "1e3", " 1", "0x1", "٣", "18446744073709551616"] {
            assert!(integer("from", text, 0..=u64::MAX).is_err(), "{text}");
        }
        assert_eq!(integer("from", "007", 0..=7), Ok(7));
    }

    #[test]
    fn a_parameter_that_is_absent_is_told_from_one_that_is_empty_or_repeated() {
        let parameters = Parameters::parse(Some("a=&b=x%20y&b=z&c=1+2")).expect("it is UTF-8");
        assert_eq!((parameters.get("a"), parameters.non_empty("a")), (Ok(Some("")), Ok(None)));
        assert_eq!(parameters.get("b"), Err(ParameterError::Repeated { name: "b" }));
        assert_eq!((parameters.get("c"), parameters.get("d")), (Ok(Some("1 2")), Ok(None)));
        assert_eq!(Parameters::parse(Some("a=%ff")).err(), Some(ParameterError::NotUtf8));
    }
}
