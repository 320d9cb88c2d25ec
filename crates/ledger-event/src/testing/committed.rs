//! Files that are made from the code and committed, so that others can read them and a change of them is seen.

use std::path::Path;

/// The variable that has such files written instead of compared.
const UPDATE: &str = "UPDATE_SCHEMAS";

/// Asserts that a file of `proto-schemas/` is what the code makes of it; writes it when `UPDATE_SCHEMAS=1` is set.
#[track_caller]
pub fn assert_committed(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto-schemas").join(name);
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        std::fs::write(&path, made).expect("the folder can be written to");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "proto-schemas/{name} is not what the code says: run the tests with {UPDATE}=1");
}
