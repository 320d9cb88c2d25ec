//! `man`: the manual pages.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::output;

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The page to write to standard output: hookledger, hookledger-serve, hookledger-token-create, …
    #[arg(default_value = "hookledger")]
    page: String,

    /// Write every page into this folder instead, which is made where it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &ManArgs) -> anyhow::Result<()> {
    let pages = pages()?;
    let Some(folder) = &args.out else {
        let Some((_, text)) = pages.iter().find(|(name, _)| *name == args.page) else {
            let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
            bail!("there is no page {:?}: the pages are {}", args.page, names.join(", "));
        };
        return output::print(text);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in &pages {
        let path = folder.join(format!("{name}.1"));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output::remark(&format!("{} pages are in {}", pages.len(), folder.display()));
    Ok(())
}

/// Every page: its name, and its text.
fn pages() -> anyhow::Result<Vec<(String, String)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&mut pages, "hookledger".to_owned(), command)?;
    Ok(pages)
}

fn add_pages(pages: &mut Vec<(String, String)>, name: String, command: Command) -> anyhow::Result<()> {
    let subcommands: Vec<Command> = command.get_subcommands().cloned().collect();
    // Names in these pages are leaked, as clap keeps them for the life of the program.
    let title: &'static str = name.clone().leak();
    let mut text = Vec::new();
    Man::new(command.name(title)).render(&mut text)?;
    pages.push((name.clone(), String::from_utf8(text)?));
    for subcommand in subcommands {
        let name = format!("{name}-{}", subcommand.get_name());
        add_pages(pages, name, subcommand)?;
    }
    Ok(())
}
