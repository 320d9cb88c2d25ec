//! The shape of the program: which crate may depend on which, and what lies in the root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What each crate may depend on, of ours. A crate is added here on purpose: when merging it into a standing one
/// would let a mistake compile.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("ledger-event", &[]),
    ("ledger-log", &["ledger-event"]),
    ("ledger-auth", &["ledger-event"]),
    ("ledger-ingest", &["ledger-event", "ledger-log", "ledger-auth"]),
    ("ledger-views", &["ledger-event"]),
    ("ledger-projector", &["ledger-event", "ledger-log", "ledger-views"]),
    // It cannot see the log: what it answers comes from the views alone.
    ("ledger-query", &["ledger-event", "ledger-views", "ledger-auth"]),
    // It cannot see the views: what it answers is the log itself.
    ("ledger-feed", &["ledger-event", "ledger-log", "ledger-auth"]),
    (
        "hookledger",
        &[
            "ledger-event",
            "ledger-log",
            "ledger-auth",
            "ledger-ingest",
            "ledger-views",
            "ledger-projector",
            "ledger-query",
            "ledger-feed",
        ],
    ),
    // The stories know the program from outside; what lies beside them in `tests/` may measure a crate by itself.
    ("stories", &[]),
];

/// What may lie in the root, besides names that begin with a dot.
const ROOT: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "crates",
    "proto-schemas",
    "tests",
    "Makefile",
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// What work leaves in the root, and git ignores.
const LEFT_BY_WORK: [&str; 2] = ["target", "data"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the stories are a folder of the root").to_owned()
}

fn workspace() -> Metadata {
    let mut command = MetadataCommand::new();
    command.cargo_path(env!("CARGO")).manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().expect("cargo knows the workspace")
}

/// The crates of ours that a package is built from, in code and in build scripts.
fn dependencies_of(package: &Package) -> Vec<&str> {
    let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    let built_from = ours.filter(|dependency| dependency.kind != DependencyKind::Development);
    built_from.map(|dependency| dependency.name.as_str()).collect()
}

#[test]
fn crates_depend_downward_only() {
    let table: BTreeMap<_, _> = MAY_DEPEND_ON.iter().copied().collect();
    let workspace = workspace();
    for package in workspace.workspace_packages() {
        let name = package.name.as_str();
        let allowed = table.get(name).unwrap_or_else(|| panic!("{name} is not in the table of crates"));
        for dependency in dependencies_of(package) {
            assert!(allowed.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_crate_of_the_table_exists() {
    let workspace = workspace();
    let packages = workspace.workspace_packages();
    for (name, _) in MAY_DEPEND_ON {
        assert!(packages.iter().any(|package| package.name.as_str() == *name), "{name} is in the table alone");
    }
}

#[test]
fn the_stories_know_no_type_of_the_program() {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
    for folder in [stories.join("support"), stories] {
        for entry in std::fs::read_dir(folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("it is text");
            for (name, _) in MAY_DEPEND_ON {
                let used = format!("{}::", name.replace('-', "_"));
                assert!(!source.contains(&used), "{} uses {name}", path.display());
            }
        }
    }
}

#[test]
fn crates_lie_flat_in_the_folder_of_their_name() {
    for package in workspace().workspace_packages() {
        let folder = package.manifest_path.parent().expect("a manifest is in a folder");
        let expected = match package.name.as_str() {
            "stories" => root().join("tests"),
            name => root().join("crates").join(name),
        };
        assert_eq!(folder, expected.as_path());
    }
}

#[test]
fn nothing_lies_in_the_root_but_what_the_design_names() {
    for entry in std::fs::read_dir(root()).expect("the root can be listed") {
        let name = entry.expect("the root can be listed").file_name();
        let name = name.to_string_lossy();
        let is_known = ROOT.contains(&name.as_ref()) || LEFT_BY_WORK.contains(&name.as_ref());
        assert!(is_known || name.starts_with('.'), "{name} does not belong into the root");
    }
}
