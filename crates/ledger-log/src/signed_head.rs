//! The head of a log, signed: whoever keeps one can prove later that the log still holds all that it held then.
//!
//! A signed head is a C2SP signed note (<https://c2sp.org/signed-note>) with an Ed25519 signature. Its text has the
//! three lines of a transparency log's checkpoint, but the hash is that of our chain, not the root of a tree:
//!
//! ```text
//! hookledger.log/<ledger id>/<partition>      who says it; the name of the key is the same
//! <position>                                  of the last event
//! <base64 of the hash of the chunk that ends there>
//!
//! — hookledger.log/<ledger id>/<partition> <base64 of key id:4 signature:64>
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use ledger_event::Position;
use sha2::{Digest, Sha256};

use crate::event_log::{ChainHash, Head};
use crate::hex::{self, Hex};
use crate::identity::{LedgerId, LogIdentity};

/// The signature type of Ed25519 in signed notes.
const ED25519: u8 = 1;

/// What stands before the name of a log.
const PREFIX: &str = "hookledger.log/";

/// Longest note that is read, in bytes: room for our text and sixteen signatures of others.
const NOTE_MAX_BYTES: usize = 128 * 1024;

/// Signs the heads of one log.
#[derive(Clone)]
pub struct HeadSigner {
    name: String,
    key: SigningKey,
}

/// What a signature is verified with. It is written as `<name>+<key id>+<base64>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// A head, and the log that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Which log.
    pub identity: LogIdentity,
    /// Where it ended.
    pub head: Head,
}

/// Why a note is no signed head, or not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedHeadError {
    /// It is not of the form of a signed note.
    #[error("it is no signed note: {0}")]
    Form(&'static str),
    /// No signature is of the key that was given.
    #[error("it has no signature of the key {key}")]
    OtherKey {
        /// The name of that key.
        key: String,
    },
    /// The signature is not of that text.
    #[error("its signature does not match: it was changed, or the key is another one")]
    Signature,
    /// It was signed, but is no head of a log.
    #[error("it is no head of a log")]
    Text,
}

/// Why a text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a verifier key is a name, the id of the key and the key, with + between them")]
pub struct NotAVerifierKey;

impl HeadSigner {
    /// Signs the heads of that log with a secret key of 32 bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32], identity: &LogIdentity) -> Self {
        Self { name: name_of(identity), key: SigningKey::from_bytes(secret) }
    }

    /// Signs them with the secret key that is written as these 64 hexadecimal digits.
    #[must_use]
    pub fn parse(secret: &str, identity: &LogIdentity) -> Option<Self> {
        hex::read(secret).map(|secret| Self::new(&secret, identity))
    }

    /// Its secret key, as [`HeadSigner::parse`] reads it.
    #[must_use]
    pub fn secret_text(&self) -> String {
        Hex(self.key.as_bytes()).to_string()
    }

    /// What its signatures are verified with.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// A signed note of that head.
    #[must_use]
    pub fn sign(&self, head: Head) -> String {
        let text = format!("{}\n{}\n{}\n", self.name, head.position, BASE64.encode(head.hash.0));
        let signature = self.key.sign(text.as_bytes());
        let signed = [&self.verifier_key().id()[..], &signature.to_bytes()].concat();
        format!("{text}\n— {} {}\n", self.name, BASE64.encode(signed))
    }
}

impl fmt::Debug for HeadSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadSigner({})", self.verifier_key())
    }
}

impl VerifierKey {
    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        *hash.first_chunk().expect("a SHA-256 hash is 32 bytes")
    }

    /// The text of a note, if it has a signature of this key that matches.
    fn text_of<'a>(&self, note: &'a str) -> Result<&'a str, SignedHeadError> {
        if note.len() > NOTE_MAX_BYTES {
            return Err(SignedHeadError::Form("it is too long"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(SignedHeadError::Form("it has control characters"));
        }
        let Some((text, signatures)) = note.rsplit_once("\n\n") else {
            return Err(SignedHeadError::Form("no empty line parts its text from its signatures"));
        };
        let text = &note[..=text.len()];
        for line in signatures.lines() {
            let line = line.strip_prefix("— ").and_then(|line| line.split_once(' '));
            let (name, signed) = line.ok_or(SignedHeadError::Form("a line of a signature is damaged"))?;
            let signed = BASE64.decode(signed).map_err(|_| SignedHeadError::Form("a signature is no base64"))?;
            let (id, signature) =
                signed.split_first_chunk().ok_or(SignedHeadError::Form("a signature is too short"))?;
            if name != self.name || *id != self.id() {
                continue;
            }
            let signature = Signature::from_slice(signature).map_err(|_| SignedHeadError::Signature)?;
            let verified = self.key.verify_strict(text.as_bytes(), &signature);
            return verified.map(|()| text).map_err(|_| SignedHeadError::Signature);
        }
        Err(SignedHeadError::OtherKey { key: self.to_string() })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = BASE64.encode([&[ED25519][..], self.key.as_bytes()].concat());
        write!(f, "{}+{:08x}+{encoded}", self.name, u32::from_be_bytes(self.id()))
    }
}

impl FromStr for VerifierKey {
    type Err = NotAVerifierKey;

    fn from_str(text: &str) -> Result<Self, NotAVerifierKey> {
        let (name, rest) = text.split_once('+').ok_or(NotAVerifierKey)?;
        let (id, key) = rest.split_once('+').ok_or(NotAVerifierKey)?;
        let key = BASE64.decode(key).map_err(|_| NotAVerifierKey)?;
        let key = key.strip_prefix(&[ED25519]).and_then(|key| key.try_into().ok()).ok_or(NotAVerifierKey)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| NotAVerifierKey)?;
        let parsed = Self { name: name.to_owned(), key };
        let is_right = !name.is_empty()
            && !name.contains(char::is_whitespace)
            && id == format!("{:08x}", u32::from_be_bytes(parsed.id()));
        is_right.then_some(parsed).ok_or(NotAVerifierKey)
    }
}

impl SignedHead {
    /// Reads a signed note, and sees that it was signed with that key.
    ///
    /// # Errors
    ///
    /// When it is no signed note, has no signature of the key or a wrong one, or is not of a head.
    pub fn read(note: &str, key: &VerifierKey) -> Result<Self, SignedHeadError> {
        let text = key.text_of(note)?;
        Self::of_text(text).ok_or(SignedHeadError::Text)
    }

    fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (name, position, hash) = (lines.next()?, lines.next()?, lines.next()?);
        let (ledger_id, partition) = name.strip_prefix(PREFIX)?.split_once('/')?;
        let identity = LogIdentity { ledger_id: LedgerId::parse(ledger_id)?, partition: partition.parse().ok()? };
        let hash = ChainHash(BASE64.decode(hash).ok()?.try_into().ok()?);
        Some(Self { identity, head: Head { position: Position::new(position.parse().ok()?), hash } })
    }
}

fn name_of(identity: &LogIdentity) -> String {
    format!("{PREFIX}{}/{}", identity.ledger_id, identity.partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: LogIdentity = LogIdentity { ledger_id: LedgerId([0xa5; 16]), partition: 0 };

    fn head() -> Head {
        Head { position: Position::new(970), hash: ChainHash([7; 32]) }
    }

    #[test]
    fn a_signed_head_reads_back_with_the_key_in_its_written_form() {
        let signer = HeadSigner::new(&[3; 32], &IDENTITY);
        let key: VerifierKey = signer.verifier_key().to_string().parse().expect("it is a key");
        assert_eq!(SignedHead::read(&signer.sign(head()), &key), Ok(SignedHead { identity: IDENTITY, head: head() }));
    }

    #[test]
    fn the_note_of_a_head_never_changes_between_versions() {
        let signer = HeadSigner::new(&[3; 32], &IDENTITY);
        let name = "hookledger.log/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/0";
        let text = format!("{name}\n970\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n— {name} ");
        let note = signer.sign(head());
        assert!(note.starts_with(&text), "{note}");
    }

    #[test]
    fn notes_of_others_are_read_as_they_are_written() {
        // The example of the package that the form comes from, golang.org/x/mod/sumdb/note.
        let key: VerifierKey =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().expect("it is a key");
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let note = format!(
            "{text}\n— EnochRoot af0rMyGZVUfHJJGb0+TSs/sMHaxGJhKlHrMlIjzsBBn/sGGWzUvyiWAT9v7iXr5VpKkh6BlHkgBZ\n— PeterNeumann {signature}\n"
        );
        assert_eq!(key.text_of(&note), Ok(text));
        assert_eq!(SignedHead::read(&note, &key), Err(SignedHeadError::Text));
    }

    #[test]
    fn what_was_changed_or_signed_by_others_is_not_believed() {
        let signer = HeadSigner::new(&[3; 32], &IDENTITY);
        let (note, key) = (signer.sign(head()), signer.verifier_key());
        let other = HeadSigner::new(&[4; 32], &IDENTITY);
        assert_eq!(SignedHead::read(&note.replace("970", "971"), &key), Err(SignedHeadError::Signature));
        let wrong = SignedHead::read(&other.sign(head()), &key).expect_err("it is another key");
        assert!(matches!(wrong, SignedHeadError::OtherKey { .. }), "{wrong}");
        for damaged in ["", "970", &note.replace("\n\n", "\n"), &note.replace('—', "-"), &format!("\r{note}")] {
            let refused = SignedHead::read(damaged, &key).expect_err("it is no note");
            assert!(matches!(refused, SignedHeadError::Form(_)), "{refused}");
        }
    }

    #[test]
    fn a_text_that_is_no_verifier_key_is_refused() {
        let key = HeadSigner::new(&[3; 32], &IDENTITY).verifier_key().to_string();
        for wrong in ["", "a+b", "a+00000000+AQ==", &key[1..], &key[..key.len() - 4], &key.replacen('+', " +", 1)] {
            assert_eq!(wrong.parse::<VerifierKey>(), Err(NotAVerifierKey), "{wrong}");
        }
    }
}
