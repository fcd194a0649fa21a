//! Options about the deployment repository that the StatefulSet is made from.

use std::path::PathBuf;

use clap::Args;

/// Options about the deployment repository that the StatefulSet is made from.
#[derive(Debug, Args)]
#[command(next_help_heading = "GitOps")]
pub(in crate::cli) struct ByCommit {
    /// Scale by a commit: render the patches of the deployment repository in this directory, commit them, and have them
    /// applied
    #[arg(
        long,
        value_name = "DIR",
        long_help = "Scale by a commit: render the patches of the deployment repository in this directory, commit them, \
            and have them applied.\n\nThe templates patches/*.yaml.j2 of the overlay that use ETCD_CLUSTER_SIZE or \
            ETCD_CLUSTER_STATE are rendered beside themselves, their patches are enabled in kustomization.yaml, and \
            nothing but these files is committed. Before that the overlay is built from a copy of the last commit, and \
            the run is refused where an apply would change anything else in the StatefulSet. etcd-scale sets the guard \
            itself beforehand, and sets it again where the apply takes it away."
    )]
    pub(in crate::cli) gitops: Option<PathBuf>,

    /// The overlay, from DIR [default: the only one there with such templates]
    #[arg(long, value_name = "PATH", requires = "gitops")]
    pub(in crate::cli) overlay: Option<PathBuf>,

    /// The command that applies the commit, run in DIR without a shell; `{overlay}` in it stands for the overlay's path.
    /// Without it the run stops after the commit
    #[arg(long, value_name = "COMMAND", requires = "gitops", value_parser = words)]
    pub(in crate::cli) apply_command: Option<Words>,

    /// Wait for a GitOps controller to bring the commit
    #[arg(long, requires = "gitops", conflicts_with = "apply_command")]
    pub(in crate::cli) wait_for_sync: bool,

    /// Push the commit to the branch's upstream
    #[arg(long, requires = "gitops")]
    pub(in crate::cli) push: bool,
}

/// A command in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Words(pub(in crate::cli) Vec<String>);

/// A command's words as a POSIX shell splits them; nothing else of a shell is understood.
fn words(text: &str) -> Result<Words, String> {
    match shlex::split(text) {
        Some(words) if !words.is_empty() => Ok(Words(words)),
        Some(_) => Err("expected a command".to_owned()),
        None => Err("a quotation in it has no end".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        let command = words("deploy --apply '{overlay}' --note 'two words'").unwrap();
        assert_eq!(command.0, ["deploy", "--apply", "{overlay}", "--note", "two words"]);
        assert!(words("deploy 'x").is_err());
        assert!(words(" ").is_err());
    }
}
