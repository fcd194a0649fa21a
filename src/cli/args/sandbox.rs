//! The sandbox on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Args)]
pub(in crate::cli) struct Sandbox {
    #[command(subcommand)]
    pub(in crate::cli) verb: SandboxVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SandboxVerb {
    /// Grow an etcd from two members to three before your eyes, and clear away
    Demo {
        /// Agree to every change beforehand; so does a demo without a terminal
        #[arg(short, long)]
        yes: bool,

        #[command(flatten)]
        start: SandboxStart,
    },
    /// Start one that stays, and show how to reach it
    Up(SandboxStart),
    /// End the one that stays
    Down,
    /// Run a command with KUBECONFIG set to a sandbox of its own
    Run {
        #[command(flatten)]
        start: SandboxStart,

        /// The command, after `--`
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// The server itself
    #[command(hide = true)]
    Serve(SandboxServe),
}

/// What a sandbox begins with.
#[derive(Debug, Args)]
pub(in crate::cli) struct SandboxStart {
    /// A manifest to apply: rok, puls8, or a file; may be repeated
    #[arg(short, long, value_name = "MANIFEST", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) filename: Vec<String>,

    /// The etcd program; etcdctl is taken from beside it [default: from the PATH]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) etcd: Option<PathBuf>,

    /// Another etcd program for images that begin with IMAGE; may be repeated
    #[arg(long, value_name = "IMAGE=PATH", value_parser = image)]
    pub(in crate::cli) image: Vec<(String, PathBuf)>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SandboxServe {
    #[command(flatten)]
    pub(in crate::cli) start: SandboxStart,

    /// A directory of its own
    #[arg(long)]
    pub(in crate::cli) directory: PathBuf,

    /// How many keys to write into each etcd of the manifests
    #[arg(long, default_value_t = 0)]
    pub(in crate::cli) keys: u32,

    /// End when standard input does
    #[arg(long)]
    pub(in crate::cli) while_open: bool,
}

/// `IMAGE=PATH`.
fn image(text: &str) -> Result<(String, PathBuf), String> {
    let (image, path) = text.split_once('=').ok_or("expected IMAGE=PATH")?;
    Ok((image.to_owned(), PathBuf::from(path)))
}
