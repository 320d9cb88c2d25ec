use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::telemetry::LogFormat;

/// A variable that cargo sets for every test, to stand in for one of ours: a test cannot set variables.
const SET_VARIABLE: &str = "CARGO_MANIFEST_DIR";

struct ConfigFile {
    folder: tempfile::TempDir,
}

impl ConfigFile {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        fs::write(folder.path().join("hookledger.toml"), text).expect("it is written");
        Self { folder }
    }

    fn flag(&self) -> String {
        format!("--config={}", self.folder.path().join("hookledger.toml").display())
    }
}

fn line(words: &[&str]) -> Vec<OsString> {
    ["hookledger"].iter().chain(words).map(OsString::from).collect()
}

fn serve_with(command: clap::Command, words: &[&str]) -> Result<ServeSettings, UsageError> {
    let cli = Cli::load_with(command, line(&[&["serve"], words].concat()))?;
    let Command::Serve(settings) = cli.command else { panic!("it is serve") };
    Ok(settings)
}

fn serve(words: &[&str]) -> ServeSettings {
    serve_with(Cli::command(), words).expect("the words are right")
}

fn refusal(words: &[&str]) -> String {
    match serve_with(Cli::command(), words).expect_err("it is refused") {
        UsageError::Arguments(error) => error.to_string(),
        UsageError::ConfigFile(error) => format!("{error:#}"),
    }
}

fn settings_of_serve() -> Vec<clap::Arg> {
    let command = Cli::command();
    let serve = command.find_subcommand("serve").expect("it is a command");
    let names = config_file::names(serve);
    serve.get_arguments().filter(|arg| names.iter().any(|name| arg.get_id() == name.as_str())).cloned().collect()
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn a_setting_has_one_name_as_a_flag_a_variable_and_a_key() {
    for arg in settings_of_serve() {
        let name = arg.get_id().as_str();
        assert_eq!(arg.get_long().map(str::to_owned), Some(name.replace('_', "-")));
        let variable = arg.get_env().map(|variable| variable.to_string_lossy().into_owned());
        assert_eq!(variable, Some(format!("HOOKLEDGER_{}", name.to_uppercase())));
    }
}

#[test]
fn every_setting_has_a_default_that_help_shows() {
    for arg in settings_of_serve() {
        assert_eq!(arg.get_default_values().len(), 1, "{}", arg.get_id());
        assert!(!arg.is_hide_default_value_set() && arg.get_help().is_some(), "{}", arg.get_id());
    }
}

#[test]
fn the_range_that_help_tells_is_the_range_that_is_taken() {
    let mut ranges = 0;
    for arg in settings_of_serve() {
        let help = arg.get_help().expect("every setting has one").to_string();
        let Some((_, range)) = help.rsplit_once(": ") else { continue };
        let Some((least, most)) = range.split_once(" to ") else { continue };
        let (least, most) = (least.parse::<u64>().expect("a number"), most.parse::<u64>().expect("a number"));
        let flag = |value: String| format!("--{}={value}", arg.get_long().expect("a setting is a flag"));
        serve(&[&flag(least.to_string())]);
        serve(&[&flag(most.to_string())]);
        for outside in [(most + 1).to_string(), least.checked_sub(1).map_or("-1".to_owned(), |below| below.to_string())]
        {
            let text = refusal(&[&flag(outside)]);
            assert!(text.contains(arg.get_long().expect("a setting is a flag")), "{text}");
        }
        ranges += 1;
    }
    assert_eq!(ranges, 12, "each setting that is a number tells its range");
}

#[test]
fn the_default_holds_where_nothing_is_said() {
    let settings = serve(&[]);
    assert_eq!(settings.location.data_dir, Path::new("./data"));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.log_format, LogFormat::Text);
    assert_eq!((settings.text_cut_bytes, settings.idempotence_window_events), (1024, 262_144));
}

#[test]
fn the_file_goes_before_the_default_and_a_flag_before_the_file() {
    let file = ConfigFile::of("listen = \"127.0.0.1:1\"\ntext_cut_bytes = 2048\nlog_format = \"json\"\n");
    let settings = serve(&[&file.flag()]);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:1");
    assert_eq!((settings.log_format, settings.text_cut_bytes), (LogFormat::Json, 2048));
    let settings = serve(&[&file.flag(), "--listen=127.0.0.1:2", "--text-cut-bytes", "0"]);
    assert_eq!((settings.listen.to_string().as_str(), settings.text_cut_bytes), ("127.0.0.1:2", 0));
}

#[test]
fn a_variable_goes_before_the_file_and_a_flag_before_the_variable() {
    let value = PathBuf::from(std::env::var_os(SET_VARIABLE).expect("cargo sets it"));
    let command =
        Cli::command().mut_subcommand("serve", |serve| serve.mut_arg("data_dir", |arg| arg.env(SET_VARIABLE)));
    let file = ConfigFile::of("data_dir = \"from the file\"\n");
    let with = |words: &[&str]| serve_with(command.clone(), words).expect("the words are right").location.data_dir;
    assert_eq!(with(&[]), value);
    assert_eq!(with(&[&file.flag()]), value);
    assert_eq!(with(&[&file.flag(), "--data-dir=from the flag"]), Path::new("from the flag"));
}

#[test]
fn the_file_says_where_the_ledger_is_for_tokens_too() {
    let file = ConfigFile::of("data_dir = \"from the file\"\nlisten = \"127.0.0.1:1\"\n");
    let cli = Cli::load_with(Cli::command(), line(&["token", "list", &file.flag()])).expect("it is right");
    let Command::Token(TokenCommand::List(list)) = cli.command else { panic!("it is token list") };
    assert!(format!("{list:?}").contains("\"from the file\""), "{list:?}");
}

#[test]
fn a_file_with_an_unknown_setting_or_a_wrong_value_is_refused_by_name() {
    let cases = [
        ("datadir = \"x\"", "hookledger.toml: `datadir` is not a setting: the settings are data_dir, listen, "),
        ("config = \"x\"", "`config` is not a setting"),
        ("text_cut_bytes = 65537", "invalid value '65537' for '--text-cut-bytes <BYTES>': 65537 is not in 0..=65536"),
        ("text_cut_bytes = 1.5", "text_cut_bytes is not a string or a whole number"),
        ("listen = \"nowhere\"", "invalid value 'nowhere' for '--listen <ADDR>'"),
        ("log_format = \"xml\"", "possible values: text, json"),
        ("log_level = \"inof\"", "`inof` is not a level: choose from off, error"),
        ("text_cut_bytes = ", "TOML parse error at line 1"),
    ];
    for (text, reason) in cases {
        let error = refusal(&[&ConfigFile::of(text).flag()]);
        assert!(error.contains(reason), "{error}\nlacks: {reason}");
        assert!(!error.contains("--help"), "{error}");
    }
    assert!(
        refusal(&["--config=/no/such/file"]).starts_with("cannot read the settings in /no/such/file: No such file")
    );
}

#[test]
fn a_file_is_refused_whole_even_where_flags_would_hide_its_fault() {
    let file = ConfigFile::of("max_connections = 0");
    let text = refusal(&[&file.flag(), "--max-connections=5"]);
    assert!(text.contains("0 is not in 1..=65536"), "{text}");
}

/// The README has this table between two comments, so that it is never behind the program.
fn table_of_settings() -> String {
    let mut table = "| setting | default | meaning |\n|---|---|---|\n".to_owned();
    for arg in settings_of_serve() {
        let (name, help) = (arg.get_id(), arg.get_help().expect("every setting has one"));
        let default = arg.get_default_values()[0].to_string_lossy();
        table += &format!("| `{name}` | `{default}` | {help} |\n");
    }
    table
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(path).unwrap_or_default();
    let table = format!("<!-- settings -->\n{}<!-- /settings -->", table_of_settings());
    assert!(readme.contains(&table), "the README lacks:\n{table}");
}
