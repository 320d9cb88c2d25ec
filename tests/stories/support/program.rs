//! The program under test, built as the test itself was.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// One call of `hookledger`, with nothing of our environment in its settings.
#[derive(Debug)]
pub(crate) struct Program(Command);

/// What a call of the program came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::of(binary(), arguments)
    }

    /// A call of another program, under which ours runs.
    pub(crate) fn of<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| starts_with(name, &["HOOKLEDGER_"])) {
            command.env_remove(name);
        }
        command.args(arguments).stdin(Stdio::null());
        Self(command)
    }

    /// Splits a line at white space, for arguments that have none.
    pub(crate) fn line(line: &str) -> Self {
        Self::new(line.split_whitespace())
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Outcome {
        self.0.output().expect("the program was built").into()
    }

    pub(crate) fn into_command(self) -> Command {
        self.0
    }
}

impl Outcome {
    /// Asserts the exit code, and shows what was said when it is another.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The binary. It is of another package, so cargo does not build it for this test: we do, once per process, so that
/// no story is told of a stale one. When it is fresh already that takes a moment.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

fn build() -> PathBuf {
    let (target_dir, profile) = target_profile();
    let mut cargo = Command::new(env!("CARGO"));
    // Tests too, though they are built already: dependencies then have the same features, and are not built twice.
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--tests", "--target-dir"]).arg(&target_dir);
    match profile.as_str() {
        "debug" => {}
        "release" => drop(cargo.arg("--release")),
        other => drop(cargo.args(["--profile", other])),
    }
    // What cargo tells a running test about its package would make some build scripts run again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| starts_with(name, &["CARGO_PKG_", "CARGO_MANIFEST_"])) {
        cargo.env_remove(name);
    }
    let built: Outcome = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo built this test").into();
    built.expect_code(0);
    target_dir.join(profile).join(format!("hookledger{}", std::env::consts::EXE_SUFFIX))
}

/// The target folder and the profile's folder of this test: it is `TARGET/PROFILE/deps/stories-…`.
fn target_profile() -> (PathBuf, String) {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().nth(2).expect("cargo puts tests into PROFILE/deps");
    let target_dir = profile.parent().expect("cargo puts profiles into the target folder");
    let profile = profile.file_name().expect("a profile has a name").to_str().expect("cargo's names are plain");
    (target_dir.to_owned(), profile.to_owned())
}

fn starts_with(name: &OsString, prefixes: &[&str]) -> bool {
    let name = name.to_string_lossy();
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}
