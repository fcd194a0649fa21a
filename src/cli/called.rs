//! The names that this program goes by: its own, and the two under which kubectl runs it as a plugin.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};

use super::args::{Cli, quoted};

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

    /// What was typed, for people to read and to paste: quoted where a shell needs it, and without a password.
    pub(super) fn line(self) -> String {
        self.line_of(std::env::args_os().skip(1))
    }

    fn line_of(self, arguments: impl Iterator<Item = OsString>) -> String {
        let mut line = self.name().to_owned();
        let mut names_user = false;
        for argument in arguments {
            let argument = argument.to_string_lossy();
            let shown = if names_user || argument.starts_with("--user=") {
                argument.split_once(':').map_or(&*argument, |(name, _)| name)
            } else {
                &argument
            };
            names_user = argument == "--user";
            line.push(' ');
            line.push_str(&quoted(shown));
        }
        line
    }

    /// What was said. Help and wrong usage end the process here.
    pub(super) fn parse(self) -> Cli {
        let mut command = self.command();
        let mut said = command.get_matches_mut();
        Cli::from_arg_matches_mut(&mut said).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_what_was_typed_but_for_a_password() {
        for (typed, line) in [
            (["up", "--sts", "a b", "--yes"].as_slice(), "kubectl etcd-scale up --sts 'a b' --yes"),
            (&["up", "--user", "root:se:cret", "-n", "a:b"], "kubectl etcd-scale up --user root -n a:b"),
            (&["up", "--user=root:secret"], "kubectl etcd-scale up '--user=root'"),
        ] {
            assert_eq!(Called::Plugin.line_of(typed.iter().map(OsString::from)), line);
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
