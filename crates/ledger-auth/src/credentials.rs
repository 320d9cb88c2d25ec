//! The token that a request presents.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::error::AuthError;
use crate::secret::Secret;

/// The header that carries a token and nothing else.
pub const API_KEY_HEADER: &str = "x-api-key";

/// Finds the one secret in a request's headers.
///
/// The same secret may stand in both headers; two that differ are refused, so that nobody has to know which one
/// counts. An `Authorization` of another scheme, as a proxy may add it, is no token and does not stand in the way
/// of an `X-API-Key`.
pub(crate) fn presented(headers: &HeaderMap) -> Result<Secret, AuthError> {
    let mut found = None;
    let mut other_scheme = false;
    for value in headers.get_all(AUTHORIZATION) {
        match bearer(text(value)?) {
            Some(token) => keep(&mut found, token)?,
            None => other_scheme = true,
        }
    }
    for value in headers.get_all(API_KEY_HEADER) {
        keep(&mut found, text(value)?.trim())?;
    }
    match found {
        Some(secret) => Ok(secret),
        None if other_scheme => Err(AuthError::Malformed),
        None => Err(AuthError::Missing),
    }
}

fn text(value: &HeaderValue) -> Result<&str, AuthError> {
    value.to_str().map_err(|_| AuthError::Malformed)
}

/// What follows the scheme `Bearer`, in any case (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim_start())
}

fn keep(found: &mut Option<Secret>, token: &str) -> Result<(), AuthError> {
    let secret = Secret::parse(token).map_err(|_| AuthError::Malformed)?;
    match found {
        Some(other) if *other != secret => Err(AuthError::Conflicting),
        Some(_) => Ok(()),
        None => {
            *found = Some(secret);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "hl_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "hl_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn present(lines: &[(&'static str, String)]) -> Result<String, AuthError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("it is a header value"));
        }
        presented(&headers).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_token_comes_as_bearer_in_any_case_or_as_an_api_key() {
        let forms = [
            ("authorization", format!("Bearer {A}")),
            ("authorization", format!("bearer {A}")),
            ("authorization", format!("BEARER   {A}")),
            ("x-api-key", A.to_owned()),
        ];
        for form in forms {
            assert_eq!(present(std::slice::from_ref(&form)), Ok(A.to_owned()), "{form:?}");
        }
    }

    #[test]
    fn no_header_is_no_token() {
        assert_eq!(present(&[]), Err(AuthError::Missing));
        assert_eq!(present(&[("accept", "*/*".to_owned())]), Err(AuthError::Missing));
    }

    #[test]
    fn what_is_not_a_token_is_malformed() {
        let forms = [
            ("authorization", String::new()),
            ("authorization", "Bearer".to_owned()),
            ("authorization", "Bearer ".to_owned()),
            ("authorization", format!("Bearer{A}")),
            ("authorization", A.to_owned()),
            ("authorization", format!("Bearer {A} {A}")),
            ("authorization", format!("Bearer {A},")),
            ("authorization", "Basic dXNlcjpwYXNz".to_owned()),
            ("authorization", "Bearer kůň".to_owned()),
            ("x-api-key", String::new()),
            ("x-api-key", format!("Bearer {A}")),
        ];
        for form in forms {
            assert_eq!(present(std::slice::from_ref(&form)), Err(AuthError::Malformed), "{form:?}");
        }
    }

    #[test]
    fn two_tokens_must_be_the_same() {
        let bearer = |token| ("authorization", format!("Bearer {token}"));
        let key = |token: &str| ("x-api-key", token.to_owned());
        assert_eq!(present(&[bearer(A), key(A)]), Ok(A.to_owned()));
        assert_eq!(present(&[bearer(A), key(B)]), Err(AuthError::Conflicting));
        assert_eq!(present(&[bearer(A), bearer(B)]), Err(AuthError::Conflicting));
        assert_eq!(present(&[bearer(A), key("nonsense")]), Err(AuthError::Malformed));
    }

    #[test]
    fn another_scheme_does_not_stand_in_the_way_of_an_api_key() {
        let basic = ("authorization", "Basic dXNlcjpwYXNz".to_owned());
        assert_eq!(present(&[basic, ("x-api-key", A.to_owned())]), Ok(A.to_owned()));
    }
}
