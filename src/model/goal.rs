//! The goal: the size asked for and the choices made, worked out from the command line and the cluster's own record.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Delivery, GitOps, JoinChoice, Observation, Record};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Grow.
    Up,
    /// Shrink.
    Down,
    /// Give a broken member a new life, with data from the others.
    Replace,
    /// Take back a scale-up that is half-way.
    Abort,
    /// Make the checks of `up`.
    Check,
    /// Prove that all is well.
    Verify,
    /// Bring the template to members that a deferred rollout left behind.
    Settle,
}

impl Verb {
    /// The verb as it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Replace => "replace",
            Self::Abort => "abort",
            Self::Check => "check",
            Self::Verify => "verify",
            Self::Settle => "settle",
        }
    }

    /// Whether it changes nothing in the cluster, a run's record included.
    pub fn only_looks(self) -> bool {
        matches!(self, Self::Check | Self::Verify)
    }
}

/// How old members get the new template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RolloutPolicy {
    /// One at a time, each proved before the next, and only while a quorum stays without it.
    Guarded,
    /// Not in this run.
    Defer,
    /// As guarded, also where a restart leaves no quorum for its length.
    Now,
}

/// Which members may be asked for a hash of all keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashPolicy {
    /// Every voter, the leader too, even where hashing it stops writes for a while.
    All,
    /// Followers; the leader only where that took them under 50 ms.
    Followers,
    /// None.
    None,
}

/// Which variable of the template follows the cluster's size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SizeEnv {
    /// The one that fits, where exactly one does.
    Auto,
    /// The named one.
    Name(String),
    /// No variable.
    None,
}

/// What becomes of claims that no pod uses any more, or that one must not start with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimPolicy {
    /// They stay, with the data in them.
    #[default]
    Keep,
    /// They are deleted, each by a change of its own, and so is a volume that was made for one by hand.
    Delete,
}

impl ClaimPolicy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form of serde's attribute")]
    pub(super) fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

/// What the command line says about the member to replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Its pod.
    pub pod: String,
    /// `--force`.
    pub victim: Victim,
}

/// Which member may be replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Victim {
    /// One that does not serve.
    #[default]
    Broken,
    /// Also one that does.
    Any,
}

/// Whether and where a snapshot is saved before the first change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotChoice {
    /// To a file named after cluster, revision and time, in this directory.
    In(PathBuf),
    /// To this file.
    File(PathBuf),
    /// Not at all.
    None,
}

/// What the command line asked for, before the cluster was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What for.
    pub verb: Verb,
    /// `--to`.
    pub to: Option<i32>,
    /// `--by`.
    pub by: Option<i32>,
    /// What `replace` names.
    pub replacement: Option<Replacement>,
    /// `--claim`, where it was given.
    pub claims: Option<ClaimPolicy>,
    /// `--rollout`, where it was given.
    pub rollout: Option<RolloutPolicy>,
    /// `--hash`, where it was given.
    pub hash: Option<HashPolicy>,
    /// `--deep`.
    pub deep: bool,
    /// `--size-env`, where it was given.
    pub size_env: Option<SizeEnv>,
    /// `--join`.
    pub join: JoinChoice,
    /// `--snapshot`, `--no-snapshot`.
    pub snapshot: SnapshotChoice,
    /// `--ignore-reconciler`.
    pub ignore_reconciler: bool,
    /// `--ignore-diskpools`.
    pub ignore_diskpools: bool,
    /// The object in the file of `--volume-template`.
    pub volume_template: Option<serde_json::Value>,
    /// `--gitops` and what goes with it.
    pub gitops: Option<GitOps>,
    /// `--timeout`: how long any one wait may last.
    pub timeout: Duration,
    /// `--pause-before`.
    pub pause_before: Option<String>,
    /// Id of this run.
    pub run: String,
    /// Who runs it: `user@host`.
    pub operator: String,
    /// When it was started, in RFC 3339, for people.
    pub started: String,
}

/// What a run is to reach, and how.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Goal {
    /// What for.
    pub verb: Verb,
    /// Pods before the run.
    pub from: i32,
    /// Pods to reach.
    pub to: i32,
    /// The ordinal to replace, where that is what for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<i32>,
    /// Whether a member that serves may go too.
    #[serde(skip)]
    pub victim: Victim,
    /// What becomes of claims that are left over.
    pub claims: ClaimPolicy,
    /// How old members get the new template.
    pub rollout: RolloutPolicy,
    /// Which members may be hashed.
    pub hash: HashPolicy,
    /// Whether keys are compared where hashes do not prove them equal.
    pub deep: bool,
    /// Which variable follows the size.
    pub size_env: SizeEnv,
    /// How the new member is to join.
    pub join: JoinChoice,
    /// Whether and where a snapshot is saved.
    pub snapshot: SnapshotChoice,
    /// Go on although Argo CD, Flux or an operator reconciles the StatefulSet.
    pub ignore_reconciler: bool,
    /// Go on although a DiskPool is not online.
    pub ignore_diskpools: bool,
    /// What the volume that a new member needs should look like, where the operator has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_template: Option<serde_json::Value>,
    /// The way through a deployment repository, where that is the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitops: Option<GitOps>,
    /// How long any one wait may last.
    #[serde(skip)]
    pub timeout: Duration,
    /// Stop before this step.
    pub pause_before: Option<String>,
    /// Id of this run.
    pub run: String,
    /// Who runs it.
    pub operator: String,
    /// When it was started, for people.
    pub started: String,
    /// Whether it finishes what another run began.
    pub resumed: Option<Record>,
    /// The unfinished run that it takes the place of: its rollout comes to its end in this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Box<Record>>,
    /// The update strategy to restore, where an earlier run has set a guard.
    pub strategy: Option<serde_json::Value>,
}

/// Why there is no goal to work for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoalRefusal {
    /// The cluster is there already.
    NothingToDo(String),
    /// The request cannot be served; nothing was changed.
    Refused {
        /// What stands in the way.
        fact: String,
        /// What to do.
        advice: String,
    },
    /// An unfinished run had another goal, or its goal was overtaken by hand.
    Contradiction {
        /// What contradicts what.
        fact: String,
        /// What to do.
        advice: String,
    },
}

impl Goal {
    pub(super) fn of(
        request: &Request,
        from: i32,
        to: i32,
        resumed: Option<Record>,
        strategy: Option<serde_json::Value>,
    ) -> Self {
        let kept = resumed.as_ref();
        // Growing may delete what an earlier member left; that is no leave to delete what the new one has.
        let inherits = |record: &&Record| request.verb != Verb::Abort || record.verb == Verb::Abort;
        let claims = request.claims.or(kept.filter(inherits).map(|record| record.claims));
        Self {
            verb: request.verb,
            from,
            to,
            replaces: kept.and_then(|record| record.replaced.as_ref()).map(|replaced| replaced.ordinal),
            victim: request.replacement.as_ref().map_or(Victim::Broken, |replacement| replacement.victim),
            claims: claims.unwrap_or_default(),
            rollout: request.rollout.or(kept.map(|record| record.rollout)).unwrap_or(RolloutPolicy::Guarded),
            hash: request.hash.or(kept.map(|record| record.hash)).unwrap_or(HashPolicy::Followers),
            deep: request.deep,
            // The variable decides what the patch was: a later choice must not change it half-way.
            size_env: kept.map(|record| record.size_env.clone()).or(request.size_env.clone()).unwrap_or(SizeEnv::Auto),
            join: request.join,
            snapshot: request.snapshot.clone(),
            ignore_reconciler: request.ignore_reconciler || kept.is_some_and(|record| record.ignore_reconciler),
            ignore_diskpools: request.ignore_diskpools || kept.is_some_and(|record| record.ignore_diskpools),
            // As the size variable: what was begun with one volume is not finished with another.
            volume_template: match kept {
                Some(record) => record.volume_template.clone(),
                None => request.volume_template.clone(),
            },
            gitops: request.gitops.clone(),
            timeout: request.timeout,
            pause_before: request.pause_before.clone(),
            run: request.run.clone(),
            operator: request.operator.clone(),
            started: request.started.clone(),
            resumed,
            supersedes: None,
            strategy,
        }
    }

    /// Whether what this step waits for is the operator's own to do, so that the run stops there.
    pub fn leaves_to_operator(&self, step: &str) -> bool {
        step == "apply-overlay" && self.gitops.as_ref().is_some_and(|gitops| gitops.delivery == Delivery::Operator)
    }

    /// The ordinal of the member that the goal, or this round of it, is about: the one that comes, goes or is replaced.
    pub fn ordinal(&self, start: i32) -> i32 {
        let last = self.from.max(self.to);
        self.replaces.unwrap_or_else(|| start.saturating_add(last).saturating_sub(1))
    }

    /// Whether a member comes in this run that is not there at its start.
    pub fn adds(&self) -> bool {
        matches!(self.verb, Verb::Up | Verb::Check | Verb::Replace)
    }

    /// The rounds to the goal, one member each, in order.
    pub fn rounds(&self) -> Vec<Self> {
        let sizes: Vec<i32> = match self.verb {
            Verb::Up | Verb::Check => (self.from + 1..=self.to).collect(),
            Verb::Down | Verb::Abort => (self.to..self.from).rev().collect(),
            Verb::Replace | Verb::Verify | Verb::Settle => return vec![self.clone()],
        };
        sizes.into_iter().map(|size| self.round(size)).collect()
    }

    /// The round that reaches a size.
    #[must_use]
    pub fn round(&self, size: i32) -> Self {
        let from = if self.to > self.from { size - 1 } else { size + 1 };
        Self { from, to: size, ..self.clone() }
    }

    /// How many voters there have to be before the member comes or goes.
    pub fn voters_before(&self) -> i32 {
        // The member to replace is removed first.
        if self.verb == Verb::Replace { self.from - 1 } else { self.from }
    }

    /// The update strategy as it was before any guard of etcd-scale: what an earlier run wrote down, else what this one
    /// did, else what stands.
    pub fn strategy_to_restore(&self, observation: &Observation) -> serde_json::Value {
        let set = &observation.statefulset;
        let recorded = || set.readable_record().map(|record| record.strategy);
        self.strategy.clone().or_else(recorded).unwrap_or_else(|| set.strategy.clone())
    }
}
