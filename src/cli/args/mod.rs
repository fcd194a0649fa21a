//! What may be said on the command line: the verbs here, and in a file each what they take.

mod access;
mod by_commit;
mod choices;
mod output;
mod sandbox;
mod shells;
mod verbs;

use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub(super) use access::{ClusterAccess, Target};
pub(super) use by_commit::{ByCommit, Words};
pub(super) use choices::{DryRun, OnFailure, Running, Storage};
pub(super) use sandbox::{Sandbox, SandboxStart, SandboxVerb};
pub(super) use shells::{Completions, Man, Shell};
pub(super) use verbs::{Abort, Check, Down, Replace, Settle, Snapshot, Status, Up, Verify};

use output::Output;

/// Changes the size of an etcd cluster that runs as a Kubernetes StatefulSet.
#[derive(Debug, Parser)]
#[command(
    name = "etcd-scale",
    version,
    about = "Change the size of an etcd cluster that runs as a Kubernetes StatefulSet, step by step",
    long_about = "Change the size of an etcd cluster that runs as a Kubernetes StatefulSet.\n\n\
        etcd-scale is a runbook that runs itself: it checks, shows what it would do, asks, does one thing, waits for \
        the proof, and goes on. Stopped anywhere, the same command takes it up again, from any machine.",
    after_help = "Exit codes: 0 done or nothing to do, 1 failed half-way, 2 usage, 3 refused and nothing changed, \
        4 declined or nobody to ask, 5 timed out, 6 contradicts an unfinished run, 7 another run is at work, \
        70 a fault of etcd-scale's own, 130 and 143 interrupted"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Grow, by one member by default
    #[command(after_long_help = UP_STEPS)]
    Up(Up),
    /// Shrink, by one member by default
    #[command(after_long_help = DOWN_STEPS)]
    Down(Down),
    /// Rebuild a dead, corrupt or emptied member from the others
    #[command(after_long_help = REPLACE_STEPS)]
    Replace(Replace),
    /// Take back a scale-up that is half-way, or drop the record of one that somebody has finished or undone by hand
    #[command(after_long_help = ABORT_STEPS)]
    Abort(Abort),
    /// Bring a deferred rollout to the older members
    #[command(after_long_help = SETTLE_STEPS)]
    Settle(Settle),
    /// Make all checks of `up`, change nothing
    Check(Check),
    /// Show members, pods, volumes, the stage, and what to do next; with -A, one line for each etcd there is
    Status(Status),
    /// Prove health, membership and equal data; with --deep, find the keys that differ
    Verify(Verify),
    /// Save and verify a snapshot
    Snapshot(Snapshot),
    /// Run a cluster on loopback, to try, rehearse and test
    Sandbox(Sandbox),
    /// Print the script that has a shell complete what is typed, names in the cluster included
    #[command(after_long_help = COMPLETIONS)]
    Completions(Completions),
    /// Print the manual, or write a page for each verb
    #[command(after_long_help = MANUAL)]
    Man(Man),
}

impl Command {
    /// How the cluster is reached that it is about; none where it is about none.
    pub(super) fn access_mut(&mut self) -> Option<&mut ClusterAccess> {
        match self {
            Self::Up(Up { target, .. })
            | Self::Down(Down { target, .. })
            | Self::Replace(Replace { target, .. })
            | Self::Abort(Abort { target, .. })
            | Self::Settle(Settle { target, .. })
            | Self::Check(Check { target, .. })
            | Self::Verify(Verify { target, .. })
            | Self::Snapshot(Snapshot { target, .. }) => Some(&mut target.access),
            Self::Status(Status { access, .. }) => Some(access),
            Self::Sandbox(_) | Self::Completions(_) | Self::Man(_) => None,
        }
    }
}

const UP_STEPS: &str = "Steps: precheck, snapshot, then for each new member clear-claims, create-volume, add-learner, \
    patch-statefulset, wait-join, restore-command, promote, verify, and at last settle-rollout, verify.\nWith --gitops: \
    precheck, snapshot, clear-claims, create-volume, add-learner, guard, commit-patches, apply-overlay, wait-join, \
    promote, verify, await-command, settle-rollout, verify.\nEvery change is asked for first; --dry-run shows them all, \
    --yes agrees to them all.";

const DOWN_STEPS: &str = "Steps: precheck, snapshot, then for each member that goes, the highest ordinal first, \
    remove-member, patch-statefulset, wait-leave, verify, and at last clear-claims, settle-rollout, verify.\nA leader hands \
    over before it goes. Every change is asked for first; --dry-run shows them all, --yes agrees to them all.";

const REPLACE_STEPS: &str = "Steps: precheck, remove-member, snapshot, hold-pods, renew-pod, create-volume, add-learner, \
    wait-join, promote, verify, settle-rollout, verify.\nThe pod's claims are deleted: what the member held comes from the \
    others. Every change is asked for first; --dry-run shows them all, --yes agrees to them all.";

const ABORT_STEPS: &str = "Steps: precheck, remove-member, take-back, wait-leave, clear-claims, settle-rollout, verify.\n\
    Once the new member votes there is nothing to take back: shrink with `down`.";

const SETTLE_STEPS: &str = "Steps: precheck, settle-rollout, verify.";

const COMPLETIONS: &str = "To begin with it in every new shell:\n  \
    bash: echo 'source <(etcd-scale completions bash)' >> ~/.bashrc\n  \
    zsh:  echo 'source <(etcd-scale completions zsh)' >> ~/.zshrc, below compinit\n  \
    fish: echo 'etcd-scale completions fish | source' >> ~/.config/fish/config.fish\n\
    The script asks this program at every Tab. Contexts, namespaces, StatefulSets that run etcd, their pods and the steps \
    are completed as they are at that moment; what is not known within a second is left out.\nFor `kubectl etcd-scale`, \
    link this program as kubectl_complete-etcd_scale beside kubectl-etcd_scale: kubectl asks it.";

const MANUAL: &str = "To read it: etcd-scale man | man -l -\nTo install it, for `man etcd-scale-up` and the others: \
    etcd-scale man ~/.local/share/man/man1";

/// The name of a StatefulSet, also as kubectl prints and takes it: `sts/NAME`, `statefulset.apps/NAME`.
fn statefulset(text: &str) -> Result<String, String> {
    name_of(text, &["sts", "statefulset", "statefulsets", "statefulset.apps", "statefulsets.apps"], "a StatefulSet")
}

/// The name of a pod, also as kubectl prints and takes it: `pod/NAME`.
fn pod(text: &str) -> Result<String, String> {
    name_of(text, &["po", "pod", "pods"], "a pod")
}

fn name_of(text: &str, kinds: &[&str], what: &str) -> Result<String, String> {
    match text.split_once('/') {
        None => Ok(text.to_owned()),
        Some((kind, name)) if kinds.contains(&kind) && !name.contains('/') => Ok(name.to_owned()),
        Some(_) => Err(format!("expected the name of {what}; the namespace is given with -n")),
    }
}

/// The longest time that may be given: clocks can add it to what they show.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A time as kubectl takes it: `90s`, `10m`, `1h30m`, or a number of seconds.
fn time(text: &str) -> Result<Duration, String> {
    let time = if let Ok(seconds) = u64::from_str(text) {
        Duration::from_secs(seconds)
    } else {
        let time: jiff::SignedDuration = text.parse().map_err(|_| "expected a time such as 90s or 10m".to_owned())?;
        Duration::try_from(time).map_err(|_| "a time cannot be negative".to_owned())?
    };
    if time > LONGEST { Err("expected a time of at most a year".to_owned()) } else { Ok(time) }
}

/// How long a call may take.
fn time_of_a_call(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => Err("every call has a limit here; 15m is as good as none".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_are_taken_as_kubectl_prints_them() {
        for text in ["etcd", "sts/etcd", "statefulset.apps/etcd"] {
            assert_eq!(statefulset(text).as_deref(), Ok("etcd"));
        }
        assert_eq!(pod("pod/etcd-0").as_deref(), Ok("etcd-0"));
        for text in ["rok/etcd", "pod/etcd", "sts/rok/etcd"] {
            assert!(statefulset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_kubectls() {
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(time("soon").is_err());
        assert!(time("-3s").is_err());
        assert!(time("9999999999999999999").is_err());
        assert!(time_of_a_call("0s").is_err());
    }
}
