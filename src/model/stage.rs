//! Where an observation stands on the way: at rest, or the name of a half-done state.

use serde::Serialize;

use super::{Join, Observation, Record, Rollout, Verb};

/// A named place on the way from one size to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing is under way that etcd-scale knows of.
    AtRest,
    /// A run wrote its goal and has added no member; a volume for one may have been made.
    Opened,
    /// The learner is in the member list; its pod was not asked for yet.
    LearnerAdded,
    /// The pod was asked for; its etcd has not joined yet.
    Joining,
    /// The learner runs and catches up.
    Joined,
    /// The new member votes; older members have not got the new template.
    Promoted,
    /// As promoted, and the rollout was left for later on purpose.
    Deferred,
    /// A deferred rollout is being brought to the older members.
    Settling,
    /// Everything is done but the removal of the record.
    Settled,
    /// The record and the cluster contradict each other.
    Overtaken,
    /// Too little could be read to tell.
    Unknown,
}

impl Stage {
    /// The stage of an observation, going by the run's own record on the StatefulSet.
    pub fn of(observation: &Observation) -> Self {
        let set = &observation.statefulset;
        let Ok(record) = set.record() else { return Self::Unknown };
        let Some(record) = record else { return Self::AtRest };
        let settled = || Rollout::of(observation).behind.is_empty() && set.strategy == record.strategy;
        if record.deferred {
            return Self::Deferred;
        }
        if record.from == record.to {
            return if settled() { Self::Settled } else { Self::Settling };
        }
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return Self::Unknown;
        };
        let ordinal = set.start + record.to - 1;
        let Some(url) = observation.peer_url(ordinal) else { return Self::Unknown };
        let grown = match set.replicas {
            replicas if replicas == record.from => false,
            replicas if replicas == record.to => true,
            _ => return Self::Overtaken,
        };
        let itself = record.join == Join::Itself;
        match (members.by_peer_url(&url), grown) {
            (None, true) if itself => Self::Joining,
            (Some(member), true) if itself && !member.started() => Self::Joining,
            (None, false) => Self::Opened,
            (None, true) | (Some(super::Member { learner: false, .. }), false) => Self::Overtaken,
            (Some(_), false) => Self::LearnerAdded,
            (Some(member), true) if !member.learner => {
                if settled() {
                    Self::Settled
                } else {
                    Self::Promoted
                }
            }
            (Some(member), true) if member.started() => Self::Joined,
            (Some(_), true) => Self::Joining,
        }
    }

    /// Whether the learner of the record's goal has been added, so that the point for a first snapshot has passed.
    pub fn has_learner(self) -> bool {
        !matches!(self, Self::AtRest | Self::Opened | Self::Unknown)
    }

    /// A sentence on it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AtRest => "nothing is under way",
            Self::Opened => "a run wrote down its goal, and no member was added yet",
            Self::LearnerAdded => "a learner was added, its pod has not been asked for",
            Self::Joining => "the new pod was asked for, its member has not joined",
            Self::Joined => "the learner runs and catches up",
            Self::Promoted => "the new member votes, the rollout to the older members is unfinished",
            Self::Deferred => "the rollout to the older members was left for later",
            Self::Settling => "a deferred rollout is under way",
            Self::Settled => "all is done but the removal of the run's record",
            Self::Overtaken => "a run is unfinished and the cluster was changed by hand meanwhile",
            Self::Unknown => "the stage cannot be told from what could be read",
        }
    }

    /// The verb that goes on from here, where `record` is what the run wrote down.
    pub fn verb(self, record: Option<&Record>) -> Option<Verb> {
        match self {
            Self::AtRest | Self::Overtaken | Self::Unknown => None,
            Self::Deferred => Some(Verb::Settle),
            _ => record.map(|record| record.verb),
        }
    }
}
