//! The names that this program goes by: its own, and the two under which kubectl runs it as a plugin.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use super::args::Cli;
use crate::report::command_line;

/// The file that kubectl runs for `kubectl etcd-scale`: an underscore there is a dash on its command line.
const PLUGIN: &str = "kubectl-etcd_scale";

/// The file that kubectl runs where `kubectl etcd-scale` is typed and not entered yet.
const PLUGIN_COMPLETION: &str = "kubectl_complete-etcd_scale";

/// How this program was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// By its own name, or another that means nothing here.
    Itself,
    /// As kubectl's plugin.
    Plugin,
    /// To complete what is typed for the plugin.
    PluginCompletion,
}

impl Called {
    /// How this process was started.
    pub(super) fn now() -> Self {
        std::env::args_os().next().map_or(Self::Itself, |program| Self::by(&program))
    }

    fn by(program: &OsStr) -> Self {
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some(PLUGIN) => Self::Plugin,
            Some(PLUGIN_COMPLETION) => Self::PluginCompletion,
            _ => Self::Itself,
        }
    }

    /// What is typed to call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Itself => "etcd-scale",
            Self::Plugin | Self::PluginCompletion => "kubectl etcd-scale",
        }
    }

    /// What may be said, with the name that usage and help begin with.
    pub(super) fn command(self) -> clap::Command {
        Cli::command().bin_name(self.name())
    }

    /// What was typed, for people to read and to paste: quoted where a shell needs it.
    pub(super) fn line(self) -> String {
        command_line(self.name(), typed().iter().map(String::as_str))
    }

    /// What was said. Help and wrong usage end the process here.
    pub(super) fn parse(self) -> Cli {
        let mut command = self.command();
        let mut said = command.get_matches_mut();
        Cli::from_arg_matches_mut(&mut said).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// What was typed after the name, but for a password.
pub(super) fn typed() -> Vec<String> {
    without_password(std::env::args_os().skip(1))
}

fn without_password(arguments: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut names_user = false;
    let mut words = Vec::new();
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let shown = if names_user || argument.starts_with("--user=") {
            argument.split_once(':').map_or(&*argument, |(name, _)| name)
        } else {
            &argument
        };
        words.push(shown.to_owned());
        names_user = argument == "--user";
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_repeated() {
        for (typed, told) in [
            (["up", "--sts", "a b", "--yes"].as_slice(), ["up", "--sts", "a b", "--yes"].as_slice()),
            (&["up", "--user", "root:se:cret", "-n", "a:b"], &["up", "--user", "root", "-n", "a:b"]),
            (&["up", "--user=root:secret"], &["up", "--user=root"]),
        ] {
            assert_eq!(without_password(typed.iter().map(OsString::from)), told);
        }
    }

    #[test]
    fn the_name_tells_who_calls() {
        for (program, called) in [
            ("etcd-scale", Called::Itself),
            ("/usr/bin/etcd-scale", Called::Itself),
            ("/home/x/.krew/bin/kubectl-etcd_scale", Called::Plugin),
            ("kubectl_complete-etcd_scale", Called::PluginCompletion),
            ("kubectl-etcd-scale", Called::Itself),
        ] {
            assert_eq!(Called::by(OsStr::new(program)), called, "{program}");
        }
    }
}
