//! The token itself, its id, and the hash that is kept of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::TokenError;

/// What a token begins with, so that people and secret scanners know one when they see it.
const SECRET_PREFIX: &str = "hl_";

/// Characters after the prefix, of 5.95 random bits each: 256 bits.
const SECRET_CHARACTERS: usize = 43;

/// Letters and digits only, so that one click marks a token and nothing at its end gets lost in a copy.
const SECRET_ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const ID_PREFIX: &str = "tok_";

/// Characters after the prefix, of 5 random bits each: 60 bits, enough for one ledger's tokens.
const ID_CHARACTERS: usize = 12;

/// Crockford's base 32, in lower case: no letter that is taken for a digit.
const ID_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The text of a token: `hl_` and 43 characters that nobody can guess. It is shown once and never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Draws a new one from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, TokenError> {
        draw(SECRET_PREFIX, SECRET_CHARACTERS, SECRET_ALPHABET).map(Self)
    }

    /// Reads what a request or a person presents.
    ///
    /// # Errors
    ///
    /// When it has not the form of a token. The error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        // Every request presents one: the alphabet is not searched for each character.
        if is_spelled(text, SECRET_PREFIX, SECRET_CHARACTERS, |byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.into()))
        } else {
            Err(TokenError::SecretForm)
        }
    }

    /// The text, to be handed to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    ///
    /// One plain hash is enough: with 256 random bits there is nothing to guess, so nothing to slow down.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(blake3::hash(self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hl_…)")
    }
}

/// The BLAKE3 hash of a [`Secret`]: 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash(blake3::Hash);

impl TryFrom<String> for TokenHash {
    type Error = TokenError;

    fn try_from(hex: String) -> Result<Self, TokenError> {
        blake3::Hash::from_hex(hex).map(Self).map_err(|_| TokenError::HashForm)
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of a token, which is no secret: `tok_` and 12 lower-case characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(Box<str>);

impl TokenId {
    /// Draws a new one from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, TokenError> {
        draw(ID_PREFIX, ID_CHARACTERS, ID_ALPHABET).map(Self)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if is_spelled(text, ID_PREFIX, ID_CHARACTERS, |byte| ID_ALPHABET.contains(&byte)) {
            Ok(Self(text.into()))
        } else {
            Err(TokenError::IdForm { text: text.to_owned() })
        }
    }
}

impl TryFrom<String> for TokenId {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Draws characters after a prefix, each as likely as any: a byte at the top, where the alphabet does not fit into
/// the 256 once more, is thrown away.
fn draw<const N: usize>(prefix: &str, characters: usize, alphabet: &[u8; N]) -> Result<Box<str>, TokenError> {
    let fair = 256 - 256 % N;
    let mut text = String::with_capacity(prefix.len() + characters);
    text.push_str(prefix);
    while text.len() < prefix.len() + characters {
        let mut random = [0; 64];
        getrandom::fill(&mut random).map_err(|source| TokenError::Random { source })?;
        let missing = prefix.len() + characters - text.len();
        let drawn = random.into_iter().map(usize::from).filter(|byte| *byte < fair).take(missing);
        text.extend(drawn.map(|byte| char::from(alphabet[byte % N])));
    }
    Ok(text.into())
}

fn is_spelled(text: &str, prefix: &str, characters: usize, is_in_alphabet: impl Fn(u8) -> bool) -> bool {
    match text.strip_prefix(prefix) {
        Some(rest) => rest.len() == characters && rest.bytes().all(is_in_alphabet),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_is_read_back_and_no_two_are_the_same() {
        let secret = Secret::generate().expect("there is randomness");
        assert_eq!(secret.expose().len(), 46);
        assert_eq!(Secret::parse(secret.expose()).expect("it is one"), secret);
        assert_ne!(Secret::generate().expect("there is randomness"), secret);
    }

    #[test]
    fn every_character_of_the_alphabet_is_drawn_and_no_other() {
        let drawn = draw("", 10_000, SECRET_ALPHABET).expect("there is randomness");
        let drawn: std::collections::BTreeSet<u8> = drawn.bytes().collect();
        assert_eq!(drawn, SECRET_ALPHABET.iter().copied().collect());
    }

    #[test]
    fn what_is_not_spelled_like_a_secret_is_refused_without_being_repeated() {
        let good = format!("hl_{}", "a".repeat(43));
        assert!(Secret::parse(&good).is_ok());
        for bad in
            ["", "hl_", &good[1..], &good[..45], &format!("{good}a"), &good.replace('a', "é"), &good.to_uppercase()]
        {
            let error = Secret::parse(bad).expect_err("it is refused");
            assert!(!error.to_string().contains("aaaa"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let secret = Secret::generate().expect("there is randomness");
        assert_eq!(format!("{secret:?}"), "Secret(hl_…)");
    }

    #[test]
    fn a_hash_reads_what_it_displays() {
        let hash = Secret::generate().expect("there is randomness").hash();
        assert_eq!(TokenHash::try_from(hash.to_string()).expect("it is a hash"), hash);
        assert!(TokenHash::try_from("abc".to_owned()).is_err());
    }

    #[test]
    fn a_token_id_has_one_spelling() {
        let id = TokenId::generate().expect("there is randomness");
        assert_eq!(id.as_str().parse::<TokenId>().expect("it is an id"), id);
        for bad in ["", "tok_", "tok_ABCDEFGHJKMN", "tok_0123456789ab0", "0123456789ab"] {
            assert!(bad.parse::<TokenId>().is_err(), "{bad}");
        }
    }
}
