//! The verbs about one etcd, or about all.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::access::{ClusterAccess, Target};
use super::by_commit::ByCommit;
use super::choices::{
    Claims, Hash, JoinHow, OnFailure, Proofs, Running, SettleRollout, SizeEnvName, Storage, UpRollout, size,
};
use super::{pod, statefulset, time};

#[derive(Debug, Args)]
pub(in crate::cli) struct Up {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    #[command(flatten)]
    pub(in crate::cli) running: Running,

    /// The number of members to reach; where there are as many already, nothing is done
    #[arg(long, value_name = "N", conflicts_with = "by", value_parser = size())]
    pub(in crate::cli) to: Option<i32>,

    /// How many members to add [default: 1]
    #[arg(long, value_name = "K", value_parser = size())]
    pub(in crate::cli) by: Option<i32>,

    #[command(flatten)]
    pub(in crate::cli) proofs: Proofs,

    /// The template's variable that is the cluster's size, or `none` [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) size_env: Option<SizeEnvName>,

    /// What becomes of a claim that an earlier member has left where the new one would start [default: keep, which
    /// refuses]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(in crate::cli) claim: Option<Claims>,

    /// What to do where the run fails half-way before the new member votes; `rollback` is `abort` at once
    #[arg(long, value_enum, value_name = "WHAT", default_value = "stop")]
    pub(in crate::cli) on_failure: OnFailure,

    /// How the new member joins where its image adds its own pod to the cluster [default: as a learner where that can be
    /// done]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(in crate::cli) join: Option<JoinHow>,

    #[command(flatten)]
    pub(in crate::cli) storage: Storage,

    #[command(flatten)]
    pub(in crate::cli) gitops: ByCommit,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Down {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    #[command(flatten)]
    pub(in crate::cli) running: Running,

    /// The number of members to reach; where there are as many already, nothing is done. Going below three requires it
    #[arg(long, value_name = "N", conflicts_with = "by", value_parser = size())]
    pub(in crate::cli) to: Option<i32>,

    /// How many members to remove [default: 1]
    #[arg(long, value_name = "K", value_parser = size())]
    pub(in crate::cli) by: Option<i32>,

    /// What becomes of the claims of the pods that go [default: keep; the next scale-up to that size asks for them to be
    /// deleted first]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(in crate::cli) claim: Option<Claims>,

    #[command(flatten)]
    pub(in crate::cli) proofs: Proofs,

    /// The template's variable that is the cluster's size, or `none` [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) size_env: Option<SizeEnvName>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Replace {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    #[command(flatten)]
    pub(in crate::cli) running: Running,

    /// The pod whose member is dead, corrupt or has lost its data
    #[arg(value_parser = pod)]
    pub(in crate::cli) pod: String,

    /// Replace a healthy member too
    #[arg(long)]
    pub(in crate::cli) force: bool,

    #[command(flatten)]
    pub(in crate::cli) proofs: Proofs,

    #[command(flatten)]
    pub(in crate::cli) storage: Storage,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Abort {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    #[command(flatten)]
    pub(in crate::cli) running: Running,

    /// What becomes of the new pod's claims, and of a volume that the run made [default: keep]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(in crate::cli) claim: Option<Claims>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Settle {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    #[command(flatten)]
    pub(in crate::cli) running: Running,

    /// Whether to restart members where that leaves no quorum for its length [default: guarded]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(in crate::cli) rollout: Option<SettleRollout>,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(in crate::cli) hash: Option<Hash>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(in crate::cli) hash: Option<Hash>,

    /// How the older members would get the new template [default: guarded]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(in crate::cli) rollout: Option<UpRollout>,

    /// The template's variable that is the cluster's size, or `none` [default: the one that fits]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) size_env: Option<SizeEnvName>,

    /// How the new member joins where its image adds its own pod to the cluster [default: as a learner where that can be
    /// done]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(in crate::cli) join: Option<JoinHow>,

    /// As with `up --no-snapshot`
    #[arg(long)]
    pub(in crate::cli) no_snapshot: bool,

    /// Count Argo CD or Flux as advice
    #[arg(long)]
    pub(in crate::cli) ignore_reconciler: bool,

    #[command(flatten)]
    pub(in crate::cli) storage: Storage,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// The StatefulSet that runs etcd [default: all in the namespace that do, in one line each]
    #[arg(long, value_name = "NAME", value_parser = statefulset)]
    pub(in crate::cli) sts: Option<String>,

    /// All StatefulSets that run etcd, whatever their namespace, in one line each
    #[arg(short = 'A', long, conflicts_with_all = ["sts", "namespace"])]
    pub(in crate::cli) all_namespaces: bool,

    #[command(flatten)]
    pub(in crate::cli) access: ClusterAccess,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    /// Which members to ask for a hash of all keys [default: followers]
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(in crate::cli) hash: Option<Hash>,

    /// Where hashes do not prove that members hold the same data, compare their keys and name the first that differ
    #[arg(
        long,
        long_help = "Where hashes do not prove that members hold the same data, compare their keys and name the first \
            that differ.\n\nOf voters whose hashes differ, one of each other hash is compared with one of those that \
            most agree on; so are voters that were not hashed, and with --hash none all. Both sides are read from the \
            members themselves at one revision, in pages of about 1 MB and 2000 keys at most: every value goes over the \
            network, none is shown. The first ten keys that differ or are missing are named, and all are counted. Where \
            the hashes of all voters are equal, nothing is left to compare."
    )]
    pub(in crate::cli) deep: bool,

    /// How long to wait for members and pods that are not healthy yet
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub(in crate::cli) timeout: Duration,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Snapshot {
    #[command(flatten)]
    pub(in crate::cli) target: Target,

    /// The file to save it to; it must not exist
    pub(in crate::cli) file: PathBuf,
}
