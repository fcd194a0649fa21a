//! `man`: the manual, made of the same definitions as the command line.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};

use super::args::{Cli, Man};
use super::{exit, session};
use crate::report::{self, Console};
use crate::runbook::{Trouble, TroubleKind};

pub(super) fn run(args: &Man, console: &mut Console) -> u8 {
    match write(args) {
        Ok(()) => exit::DONE,
        Err(error) => {
            let place = args.directory.as_deref().unwrap_or("standard output".as_ref());
            let trouble =
                Trouble::new(TroubleKind::Refused, format!("cannot write the manual to {}: {error}", place.display()))
                    .advise("name a directory that you may write to");
            session::refuse(console, &trouble)
        }
    }
}

fn write(args: &Man) -> io::Result<()> {
    // A page for each verb says how to get help already.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    if let Some(directory) = &args.directory {
        std::fs::create_dir_all(directory)?;
        return each(&command, directory);
    }
    report::output(&page(&command)?.1);
    Ok(())
}

/// Writes the page of a command, and those of the commands below it.
fn each(command: &Command, directory: &Path) -> io::Result<()> {
    let (name, text) = page(command)?;
    std::fs::write(directory.join(name), text)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| each(below, directory))
}

/// The name of a page's file, and its text. `clap_mangen` itself would name the verb alone as the source, ask for a date,
/// which a build that can be repeated has none of, list every option in the synopsis without its value, and head what
/// comes after the help with EXTRA.
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let source = concat!("etcd-scale ", env!("CARGO_PKG_VERSION"));
    let page = Page::new(command.clone()).date("\"\"").source(source).manual("etcd-scale");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    let usage = command.clone().render_usage().to_string();
    section("SYNOPSIS", usage.trim_start_matches("Usage: "), &mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        let heading = if command.has_subcommands() { "EXIT STATUS" } else { "NOTES" };
        section(heading, &after.to_string(), &mut text)?;
    }
    Ok((page.get_filename(), text))
}

/// A section whose lines stay lines.
fn section(heading: &str, text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            roff.control("br", []);
        }
        roff.text([roman(line)]);
    }
    roff.to_writer(page)
}
