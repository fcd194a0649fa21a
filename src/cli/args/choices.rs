//! What verbs that change something have in common: how the run goes, and what may be chosen about it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::time;
use crate::model::{
    ClaimPolicy, HashPolicy, JoinChoice, MOST_MEMBERS, Request, RolloutPolicy, SizeEnv, SnapshotChoice,
};
use crate::report::ReportFile;

/// Options of verbs that change something.
#[derive(Debug, Args)]
pub(in crate::cli) struct Running {
    /// Agree to every change beforehand, deletions included
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,

    /// Change nothing, show what would be done; `server` also has the API server check the patch
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub(in crate::cli) dry_run: Option<DryRun>,

    /// How long any one wait may last
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub(in crate::cli) timeout: Duration,

    /// Stop before this step
    #[arg(long, value_name = "STEP")]
    pub(in crate::cli) pause_before: Option<String>,

    /// Go on although Argo CD or Flux reconciles the StatefulSet
    #[arg(long)]
    pub(in crate::cli) ignore_reconciler: bool,

    /// Write a report of the run, however it ends: a page (.html), text for a ticket (.md) or data (.json). A file of that
    /// name is replaced; may be repeated
    #[arg(long, value_name = "FILE", value_parser = report_file, value_hint = ValueHint::FilePath)]
    pub(in crate::cli) report: Vec<ReportFile>,
}

fn report_file(name: &str) -> Result<ReportFile, String> {
    ReportFile::named(name)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DryRun {
    /// Only look
    Client,
    /// Also send the patch with dryRun=All
    Server,
}

/// What is kept, compared and restarted beside the change itself.
#[derive(Debug, Args)]
pub(in crate::cli) struct Proofs {
    /// Where to save the snapshot [default: a file named after cluster, revision and time, here]
    #[arg(long, value_name = "FILE", conflicts_with = "no_snapshot")]
    pub(in crate::cli) snapshot: Option<PathBuf>,

    /// Take no snapshot
    #[arg(long)]
    pub(in crate::cli) no_snapshot: bool,

    /// How the other members get the new template [default: guarded]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(in crate::cli) rollout: Option<UpRollout>,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(in crate::cli) hash: Option<Hash>,
}

impl Proofs {
    /// Adds them to a request.
    pub(in crate::cli) fn ask_for(self, request: &mut Request) {
        request.rollout = self.rollout.map(Into::into);
        request.hash = self.hash.map(Into::into);
        if self.no_snapshot {
            request.snapshot = SnapshotChoice::None;
        } else if let Some(file) = self.snapshot {
            request.snapshot = SnapshotChoice::File(std::path::absolute(&file).unwrap_or(file));
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Hash {
    /// Every voter, also where hashing the leader stops writes for a while
    All,
    /// Followers, and the leader where that took them under 50 ms
    Followers,
    /// None
    None,
}

impl From<Hash> for HashPolicy {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::All => Self::All,
            Hash::Followers => Self::Followers,
            Hash::None => Self::None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Claims {
    /// They stay, with the data in them
    Keep,
    /// They are deleted, each after a question of its own
    Delete,
}

impl From<Claims> for ClaimPolicy {
    fn from(claims: Claims) -> Self {
        match claims {
            Claims::Keep => Self::Keep,
            Claims::Delete => Self::Delete,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnFailure {
    /// Stop, and say how to go on
    Stop,
    /// Take back what was done
    Rollback,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum JoinHow {
    /// As a learner that gets a vote when it has caught up; the image's script is bypassed at its first start
    Learner,
    /// As the image does it by itself: as a voter from the start
    #[value(name = "self")]
    Itself,
}

impl From<JoinHow> for JoinChoice {
    fn from(how: JoinHow) -> Self {
        match how {
            JoinHow::Learner => Self::Learner,
            JoinHow::Itself => Self::Itself,
        }
    }
}

/// Options about what the new member's data lies on.
#[derive(Debug, Args)]
pub(in crate::cli) struct Storage {
    /// A PersistentVolume in YAML or JSON, for the new member's claim where no provisioner makes one; `{ordinal}` in it
    /// stands for the new ordinal [default: modelled on the neighbour's]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) volume_template: Option<PathBuf>,

    /// Go on although a DiskPool is not Online
    #[arg(long)]
    pub(in crate::cli) ignore_diskpools: bool,
}

/// A variable's name, or `none`.
#[derive(Debug, Clone)]
pub(in crate::cli) struct SizeEnvName(String);

impl From<String> for SizeEnvName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl From<SizeEnvName> for SizeEnv {
    fn from(name: SizeEnvName) -> Self {
        match name.0.as_str() {
            "none" => Self::None,
            _ => Self::Name(name.0),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum UpRollout {
    /// One at a time, each proved before the next, and only while a quorum stays
    Guarded,
    /// Not now; `settle` does it later
    Defer,
    /// As guarded, also where a restart leaves no quorum for its length
    Now,
}

impl From<UpRollout> for RolloutPolicy {
    fn from(rollout: UpRollout) -> Self {
        match rollout {
            UpRollout::Guarded => Self::Guarded,
            UpRollout::Defer => Self::Defer,
            UpRollout::Now => Self::Now,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum SettleRollout {
    /// Only while a quorum stays
    Guarded,
    /// Also where it does not
    Now,
}

impl From<SettleRollout> for RolloutPolicy {
    fn from(rollout: SettleRollout) -> Self {
        match rollout {
            SettleRollout::Guarded => Self::Guarded,
            SettleRollout::Now => Self::Now,
        }
    }
}

/// A number of members, asked for or to add or remove.
pub(super) fn size() -> clap::builder::RangedI64ValueParser<i32> {
    clap::value_parser!(i32).range(1..=i64::from(MOST_MEMBERS))
}
