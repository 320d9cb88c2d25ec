//! Query parameters, each at most once.

use std::borrow::Cow;

/// The parameters of a query string; those that an endpoint does not know are passed over.
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A parameter appears in the query string more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} appears in the query more than once")]
pub(crate) struct RepeatedParameter {
    pub(crate) name: &'static str,
}

impl<'a> Parameters<'a> {
    pub(crate) fn parse(query: Option<&'a str>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or("").as_bytes()).collect())
    }

    /// The value of a parameter, `None` when it is absent or empty.
    pub(crate) fn non_empty(&self, name: &'static str) -> Result<Option<&str>, RepeatedParameter> {
        Ok(self.get(name)?.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter, if it is there.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<&str>, RepeatedParameter> {
        let mut values = self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_ref());
        let value = values.next();
        if values.next().is_some() { Err(RepeatedParameter { name }) } else { Ok(value) }
    }
}

/// Reads an unsigned decimal integer: digits alone, no sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
