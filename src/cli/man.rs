//! `man`: the manual, made of the same definitions as the command line.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};

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
    let mut text = Vec::new();
    page(&command).render(&mut text)?;
    report::output(&text);
    Ok(())
}

/// Writes the page of a command, and those of the commands below it.
fn each(command: &Command, directory: &Path) -> io::Result<()> {
    page(command).generate_to(directory)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| each(below, directory))
}

/// What `clap_mangen` would say itself names the verb alone, and takes the source for the date, which a build that can be
/// repeated has none of.
fn page(command: &Command) -> clap_mangen::Man {
    let source = concat!("etcd-scale ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command.clone()).date("\"\"").source(source).manual("etcd-scale")
}
