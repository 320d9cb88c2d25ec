//! The file of `--config`: settings in TOML, under flags and variables, above the defaults.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{ArgMatches, Command};
use toml::{Table, Value};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The argument that names the file: no setting itself, for a file does not name another.
const CONFIG: &str = "config";

/// The command whose arguments are the settings.
const SETTINGS_OF: &str = "serve";

/// A setting of the file: its name, and its value as a flag would have it.
pub(crate) type Setting = (String, String);

/// The file that the arguments or the variable name, for the command that is asked for.
pub(crate) fn named_in(matches: &ArgMatches) -> Option<PathBuf> {
    match matches.subcommand() {
        Some((_, matches)) => named_in(matches),
        None => matches.try_get_one::<PathBuf>(CONFIG).ok().flatten().cloned(),
    }
}

/// Reads the file and checks every value in it, also of settings that the command asked for does not have.
pub(crate) fn read(command: &Command, path: &Path) -> anyhow::Result<Vec<Setting>> {
    let text = read_text(path).with_context(|| format!("cannot read the settings in {}", path.display()))?;
    let settings = parse(command, &text).with_context(|| format!("the settings in {}", path.display()))?;
    Ok(settings)
}

/// Puts the file's settings in the place of defaults, in every command that takes `--config`.
pub(crate) fn lay_under(command: Command, settings: &[Setting]) -> Command {
    let takes_config = command.get_arguments().any(|arg| arg.get_id() == CONFIG);
    let command = match takes_config {
        true => command.mut_args(|arg| match settings.iter().find(|(name, _)| arg.get_id() == name.as_str()) {
            Some((_, value)) => arg.default_value(value.clone()),
            None => arg,
        }),
        false => command,
    };
    command.mut_subcommands(|command| lay_under(command, settings))
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        bail!("the file is larger than {MAX_BYTES} bytes");
    }
    Ok(text)
}

fn parse(command: &Command, text: &str) -> anyhow::Result<Vec<Setting>> {
    let table: Table = text.parse()?;
    let serve = command.find_subcommand(SETTINGS_OF).expect("the program has the command `serve`");
    let known = names(serve);
    let mut settings = Vec::with_capacity(table.len());
    for (name, value) in table {
        if !known.contains(&name) {
            bail!("`{name}` is not a setting: the settings are {}", known.join(", "));
        }
        let value = flag_text(&value).with_context(|| format!("{name} is not a string or a whole number"))?;
        check(serve, &name, &value)?;
        settings.push((name, value));
    }
    Ok(settings)
}

/// The names of the settings, as a file has them.
pub(crate) fn names(serve: &Command) -> Vec<String> {
    let ids = serve.get_arguments().map(|arg| arg.get_id().as_str());
    ids.filter(|id| *id != CONFIG && *id != "help").map(str::to_owned).collect()
}

fn flag_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// Reads one value as if its flag stood alone on the command line, so that the refusal is of this value.
fn check(serve: &Command, name: &str, value: &str) -> anyhow::Result<()> {
    let flag = format!("--{}={value}", name.replace('_', "-"));
    let Err(error) = serve.clone().try_get_matches_from([SETTINGS_OF.to_owned(), flag]) else { return Ok(()) };
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    bail!("{}", text.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}
