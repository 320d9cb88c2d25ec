//! The way out of a damaged log, named with every error that tells of one.

use ledger_log::LogError;

/// What is said before the damage itself.
pub(crate) const REMEDY: &str = "the log is damaged; `hookledger restore` rebuilds it from what is whole";

/// Adds the command that mends what the error tells of, when it is damage of the log.
pub(crate) fn named(error: anyhow::Error) -> anyhow::Error {
    let is_mended = error.chain().filter_map(|cause| cause.downcast_ref()).any(LogError::is_mended_by_restore);
    match is_mended {
        true => error.context(REMEDY),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use ledger_event::Position;

    use super::*;

    #[test]
    fn damage_of_the_log_names_its_remedy_and_nothing_else_does() {
        let damaged = LogError::Damaged { position: Position::new(3), reason: "out of luck".to_owned() };
        let text = format!("{:#}", named(Err::<(), _>(damaged).context("the log in data").expect_err("it is one")));
        assert!(text.starts_with("the log is damaged; `hookledger restore`"), "{text}");
        assert!(text.ends_with("the log in data: the chunk at position 3 is damaged: out of luck"), "{text}");
        let held = LogError::Open(std::io::Error::other("could not acquire lock").into());
        assert_eq!(format!("{:#}", named(held.into())), "cannot open the log: could not acquire lock");
        assert_eq!(named(anyhow!("no disk")).to_string(), "no disk");
    }
}
