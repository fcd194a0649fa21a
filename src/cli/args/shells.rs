//! What shells and the manual need.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Shell {
    /// 3.2 or later
    Bash,
    /// With compinit
    Zsh,
    /// 3.0 or later
    Fish,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    /// Write etcd-scale.1 and a page for each verb to this directory, which is made where it is missing
    #[arg(value_name = "DIR")]
    pub(in crate::cli) directory: Option<PathBuf>,
}
