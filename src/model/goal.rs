//! The goal: the size asked for and the choices made, worked out from the command line and the cluster's own record.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Delivery, GitOps, JoinChoice, Observation, Record, Stage};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Grow.
    Up,
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
            Self::Check => "check",
            Self::Verify => "verify",
            Self::Settle => "settle",
        }
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
    /// The update strategy to restore, where an earlier deferred run has set a guard.
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
    /// Works out the goal of a request against the cluster as it is.
    ///
    /// # Errors
    /// When there is nothing to do, or the request does not fit the cluster or its record.
    pub fn resolve(request: &Request, observation: &Observation) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let record = set.record().map_err(|why| GoalRefusal::Refused {
            fact: format!("the annotation {} cannot be understood: {why}", super::RUN_ANNOTATION),
            advice: "finish the run with the version of etcd-scale that began it".to_owned(),
        })?;
        match request.verb {
            Verb::Up | Verb::Check => Self::resolve_up(request, observation, record),
            Verb::Settle => Self::resolve_settle(request, observation, record),
            Verb::Verify => Ok(Self::as_it_stands(request, observation)),
        }
    }

    /// The goal of looking at the cluster as it stands, without a wish to change it.
    pub fn as_it_stands(request: &Request, observation: &Observation) -> Self {
        let replicas = observation.statefulset.replicas;
        Self::of(request, replicas, replicas, None, None)
    }

    fn resolve_up(request: &Request, observation: &Observation, record: Option<Record>) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let size = set.replicas;
        let command = |verb: &str| format!("etcd-scale {verb} --sts {} -n {}", set.name, set.namespace);
        if let Some(record) = record.clone().filter(|record| !record.deferred) {
            if record.verb != Verb::Up {
                return Err(GoalRefusal::Contradiction {
                    fact: format!("an unfinished `{}` stands on the StatefulSet", record.verb.word()),
                    advice: format!("finish it first: {}", command(record.verb.word())),
                });
            }
            if let Some(to) = request.to.filter(|to| *to != record.to) {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run of {} takes the cluster from {} to {}, and --to {to} was asked for",
                        record.by, record.from, record.to
                    ),
                    advice: format!("finish it first: {} --to {}", command("up"), record.to),
                });
            }
            if let Some(refusal) = Self::another_way(request, &record) {
                return Err(refusal);
            }
            if size != record.from && size != record.to {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run takes the cluster from {} to {}, but the StatefulSet now asks for {size} pods",
                        record.from, record.to
                    ),
                    advice: format!("somebody changed replicas meanwhile; look with: {}", command("status")),
                });
            }
            if Stage::of(observation) == Stage::Overtaken {
                return Err(GoalRefusal::Contradiction {
                    fact: format!(
                        "an unfinished run takes the cluster from {} to {}, but pods and members no longer fit each other: \
                         the StatefulSet asks for {size} pods, and the new member was removed or promoted by hand",
                        record.from, record.to
                    ),
                    advice: format!(
                        "finish by hand what was begun by hand, then remove the annotation {}; look with: {}",
                        super::RUN_ANNOTATION,
                        command("status")
                    ),
                });
            }
            return Ok(Self::of(request, record.from, record.to, Some(record.clone()), Some(record.strategy)));
        }
        let to = match (request.to, request.by) {
            (Some(to), _) => to,
            (None, by) => size.saturating_add(by.unwrap_or(1)),
        };
        if size < 1 {
            return Err(GoalRefusal::Refused {
                fact: "the StatefulSet asks for 0 pods, so there is no cluster to grow".to_owned(),
                advice: "start its first member before anything else".to_owned(),
            });
        }
        if to < size {
            return Err(GoalRefusal::Refused {
                fact: format!("the cluster has {size} pods, and {to} is fewer"),
                advice: "`up` only grows; this version cannot shrink a cluster".to_owned(),
            });
        }
        if to == size {
            return Err(Self::already_there(observation, to, record.is_some_and(|record| record.deferred)));
        }
        if to > size + 1 {
            return Err(GoalRefusal::Refused {
                fact: format!("from {size} to {to} is more than one step, and this version takes one step a run"),
                advice: format!("go there one at a time: {} --to {}", command("up"), size + 1),
            });
        }
        Ok(Self::of(request, size, to, None, record.map(|record| record.strategy)))
    }

    /// What was begun by a commit is not finished by a patch, nor the other way round: the two would undo each other.
    fn another_way(request: &Request, record: &Record) -> Option<GoalRefusal> {
        let begun =
            format!("an unfinished run of {} takes the cluster from {} to {}", record.by, record.from, record.to);
        let (fact, advice) = match (&record.overlay, &request.gitops) {
            (Some(overlay), None) => (
                format!("{begun} by a commit to {overlay} of a deployment repository"),
                "finish it the same way: name a clone of that repository with --gitops DIR".to_owned(),
            ),
            (None, Some(_)) => {
                (format!("{begun} by patches, not by a commit"), "finish it the same way: without --gitops".to_owned())
            }
            (Some(overlay), Some(gitops)) if *overlay != gitops.overlay => (
                format!("{begun} by a commit to {overlay}, and {} was named", gitops.overlay),
                format!("finish it the same way: --overlay {overlay}"),
            ),
            _ => return None,
        };
        (request.verb == Verb::Up).then_some(GoalRefusal::Contradiction { fact, advice })
    }

    /// What to say when the StatefulSet has the size asked for. Only a known, whole membership is "nothing to do".
    fn already_there(observation: &Observation, to: i32, deferred: bool) -> GoalRefusal {
        let set = &observation.statefulset;
        let members = match observation.members.known() {
            Some(members) if members.by_quorum => members,
            Some(_) => {
                return GoalRefusal::Refused {
                    fact: "the member list could be read from one member only, without a quorum".to_owned(),
                    advice: "see which members are missing with `etcd-scale status`".to_owned(),
                };
            }
            None => {
                return GoalRefusal::Refused {
                    fact: format!(
                        "the member list could not be read: {}",
                        observation.members.reason().unwrap_or_default()
                    ),
                    advice: "see which members answer with `etcd-scale status`".to_owned(),
                };
            }
        };
        let voters = members.voters().count();
        if voters == usize::try_from(to).unwrap_or_default() && members.learners().next().is_none() {
            let note = if deferred {
                format!(
                    "; the rollout to the older members is deferred: etcd-scale settle --sts {} -n {}",
                    set.name, set.namespace
                )
            } else {
                String::new()
            };
            return GoalRefusal::NothingToDo(format!("{} has {to} pods and {voters} voters already{note}", set.name));
        }
        GoalRefusal::Refused {
            fact: format!(
                "the StatefulSet asks for {to} pods, but etcd has {voters} voters and {} learners, and no run of \
                 etcd-scale left this behind",
                members.learners().count()
            ),
            advice: "see what is half-done with `etcd-scale status`, and finish it the way it was begun".to_owned(),
        }
    }

    fn resolve_settle(
        request: &Request,
        observation: &Observation,
        record: Option<Record>,
    ) -> Result<Self, GoalRefusal> {
        let set = &observation.statefulset;
        let Some(record) = record else {
            return Err(GoalRefusal::NothingToDo(format!("{} has no deferred rollout of etcd-scale", set.name)));
        };
        if record.verb == Verb::Up && !record.deferred {
            return Err(GoalRefusal::Contradiction {
                fact: format!("an unfinished run takes the cluster from {} to {}", record.from, record.to),
                advice: format!("finish it first: etcd-scale up --sts {} -n {}", set.name, set.namespace),
            });
        }
        if request.rollout == Some(RolloutPolicy::Defer) {
            return Err(GoalRefusal::NothingToDo("the rollout is deferred already".to_owned()));
        }
        let strategy = record.strategy.clone();
        let resumed = (record.verb == Verb::Settle && !record.deferred).then_some(record.clone());
        let mut goal = Self::of(request, set.replicas, set.replicas, resumed, Some(strategy));
        if goal.rollout == RolloutPolicy::Defer {
            goal.rollout = request.rollout.unwrap_or(RolloutPolicy::Guarded);
        }
        Ok(goal)
    }

    fn of(request: &Request, from: i32, to: i32, resumed: Option<Record>, strategy: Option<serde_json::Value>) -> Self {
        let kept = resumed.as_ref();
        Self {
            verb: request.verb,
            from,
            to,
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
            strategy,
        }
    }

    /// Whether what this step waits for is the operator's own to do, so that the run stops there.
    pub fn leaves_to_operator(&self, step: &str) -> bool {
        step == "apply-overlay" && self.gitops.as_ref().is_some_and(|gitops| gitops.delivery == Delivery::Operator)
    }

    /// The ordinal of the member to add.
    pub fn new_ordinal(&self, start: i32) -> i32 {
        start.saturating_add(self.to).saturating_sub(1)
    }

    /// The update strategy as it was before any guard of etcd-scale: what an earlier run wrote down, else what this one
    /// did, else what stands.
    pub fn strategy_to_restore(&self, observation: &Observation) -> serde_json::Value {
        let set = &observation.statefulset;
        let recorded = || set.readable_record().map(|record| record.strategy);
        self.strategy.clone().or_else(recorded).unwrap_or_else(|| set.strategy.clone())
    }
}
