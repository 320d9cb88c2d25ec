//! The key that signs the heads of a log, in the ledger's folder.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, anyhow};
use ledger_log::{HeadSigner, LogIdentity};

use crate::data_dir::DataDir;
use crate::durable;

/// The key of the log in that folder; it is made when there is none.
///
/// The file holds the 32 bytes of an Ed25519 secret key in hexadecimal, and is for its owner alone.
pub(crate) fn signer(data_dir: &DataDir, identity: &LogIdentity) -> anyhow::Result<HeadSigner> {
    let path = data_dir.head_key();
    let _lock = data_dir.lock_edits()?;
    match fs::read_to_string(&path) {
        Ok(text) => HeadSigner::parse(text.trim_end(), identity)
            .ok_or_else(|| anyhow!("{} is damaged: it holds 64 hexadecimal digits", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).context("the machine has no randomness")?;
            let signer = HeadSigner::new(&secret, identity);
            durable::replace_file(&path, format!("{}\n", signer.secret_text()).as_bytes(), 0o600)?;
            Ok(signer)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use ledger_log::LedgerId;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_a_damaged_one_is_not_replaced() {
        let folder = tempfile::tempdir().expect("there is room");
        let data_dir = DataDir::open_or_create(folder.path()).expect("it is empty");
        let identity = LogIdentity { ledger_id: LedgerId([7; 16]), partition: 0 };
        let key = || signer(&data_dir, &identity).map(|signer| signer.verifier_key());
        let first = key().expect("it is made");
        assert_eq!(key().expect("it is there"), first);
        fs::write(data_dir.head_key(), "0123").expect("it is written");
        assert!(key().expect_err("it is too short").to_string().contains("64 hexadecimal digits"));
    }
}
