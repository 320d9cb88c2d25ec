//! The root: by which all pages of a version become valid together.

use serde::{Deserialize, Serialize};

/// Which versions of pages are valid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// The newest valid version.
    current: u64,
    /// The version that is being written; found at an opening, it was never finished.
    writing: Option<u64>,
    /// Versions up to the current one that a crash left unfinished: one per crash that hit a writing.
    void: Vec<u64>,
}

impl Versions {
    /// The versions as an opening finds them: what was being written is void.
    pub(crate) fn reopened(mut self) -> Self {
        self.void.extend(self.writing.take());
        self
    }

    /// With the next version begun, which is told beside.
    pub(crate) fn begin(&self) -> (Self, u64) {
        let next = self.current.max(self.void.last().copied().unwrap_or(0)) + 1;
        (Self { writing: Some(next), ..self.clone() }, next)
    }

    /// With the version that was begun finished.
    pub(crate) fn finish(&self) -> Self {
        Self { current: self.writing.expect("one was begun"), writing: None, void: self.void.clone() }
    }

    pub(crate) fn current(&self) -> u64 {
        self.current
    }

    /// Whether pages of a version are to be read.
    pub(crate) fn is_valid(&self, version: u64) -> bool {
        version <= self.current && self.void.binary_search(&version).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_unfinished_stays_void_when_later_versions_are_valid() {
        let first = Versions::default().begin().0.finish();
        let (crashed, second) = first.begin();
        let reopened = crashed.reopened();
        assert_eq!((reopened.current(), reopened.is_valid(second)), (1, false));
        let (begun, third) = reopened.begin();
        assert_eq!(third, 3);
        let finished = begun.finish();
        assert_eq!([1, 2, 3, 4].map(|version| finished.is_valid(version)), [true, false, true, false]);
        assert_eq!(finished.clone().reopened(), finished, "nothing was being written");
    }
}
