//! The manual pages and the completions: both are made from the command line's own description.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;

/// Prints a completion script.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "overlay", &mut script);
    print(&script)
}

/// Prints the manual page, or writes all pages to a directory.
pub(crate) fn pages(dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        return print(&page);
    };
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let mut command = Cli::command();
    command.build();
    write_page(dir, "overlay", &command)?;
    let pages = command.get_subcommands();
    for subcommand in pages.filter(|page| page.get_name() != "help") {
        let name = format!("overlay-{}", subcommand.get_name());
        write_page(dir, &name, subcommand)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_page(dir: &Path, name: &str, command: &Command) -> anyhow::Result<()> {
    let file = dir.join(name).with_extension("1");
    // A manual page has a name that lives as long as the program.
    let name: &'static str = name.to_owned().leak();
    let page = Man::new(command.clone().name(name));
    File::create(&file)
        .and_then(|mut file| page.render(&mut file))
        .with_context(|| file.display().to_string())
}

fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        // A closed pipe is not an error: its reader has seen enough.
        _ => Ok(ExitCode::SUCCESS),
    }
}
