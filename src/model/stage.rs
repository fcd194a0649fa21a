//! Where an observation stands on the way: at rest, or the name of a half-done state.

use serde::Serialize;

use super::{Join, Member, Observation, Record, Rollout, Verb};

/// A named place on the way from one size to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing is under way that etcd-scale knows of.
    AtRest,
    /// A run wrote its goal, and no member has come or gone; a volume for one may have been made.
    Opened,
    /// One round of several is over, and the next has not begun.
    BetweenRounds,
    /// The learner is in the member list; its pod was not asked for yet.
    LearnerAdded,
    /// The pod was asked for; its etcd has not joined yet.
    Joining,
    /// The learner runs and catches up.
    Joined,
    /// The new member votes; older members have not got the new template.
    Promoted,
    /// A member was removed; its pod or its data still stand.
    MemberRemoved,
    /// The StatefulSet has fewer pods; older members have not got the new template.
    Shrunk,
    /// A scale-up is being taken back.
    TakingBack,
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
        if let Some(replaced) = &record.replaced {
            let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
                return Self::Unknown;
            };
            let member = observation.member_of_ordinal(replaced.ordinal);
            return match member {
                _ if replaced.member.is_some_and(|id| members.by_id(id).is_some()) => Self::Opened,
                None => Self::MemberRemoved,
                Some(member) if member.learner && member.started() => Self::Joined,
                Some(member) if member.learner => Self::Joining,
                Some(_) if settled() => Self::Settled,
                Some(_) => Self::Promoted,
            };
        }
        if record.from == record.to {
            return if settled() { Self::Settled } else { Self::Settling };
        }
        if record.verb == Verb::Abort {
            return Self::TakingBack;
        }
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return Self::Unknown;
        };
        let Some((from, to)) = round_of(observation, &record) else { return Self::Overtaken };
        let Some(url) = observation.peer_url(set.start + from.max(to) - 1) else { return Self::Unknown };
        let member = members.by_peer_url(&url);
        let done = set.replicas == to;
        if record.verb == Verb::Down {
            return match (member, done) {
                (Some(_), false) if from == record.from => Self::Opened,
                (Some(_), false) => Self::BetweenRounds,
                (None, false) => Self::MemberRemoved,
                (Some(_), true) => Self::Overtaken,
                (None, true) if settled() => Self::Settled,
                (None, true) => Self::Shrunk,
            };
        }
        let itself = record.join == Join::Itself;
        match (member, done) {
            (None, true) if itself => Self::Joining,
            (Some(member), true) if itself && !member.started() => Self::Joining,
            (None, false) if from == record.from => Self::Opened,
            (None, false) => Self::BetweenRounds,
            (None, true) | (Some(Member { learner: false, .. }), false) => Self::Overtaken,
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

    /// Whether a member has come or gone, so that the point for a first snapshot has passed.
    pub fn is_past_first_change(self) -> bool {
        !matches!(self, Self::AtRest | Self::Opened | Self::Unknown)
    }

    /// Whether no member is on its way in or out: what is left of a run is its rollout, or further rounds. A member that
    /// is lost then can be replaced first, or the run would wait for it for good.
    pub fn is_between_members(self) -> bool {
        matches!(
            self,
            Self::AtRest
                | Self::BetweenRounds
                | Self::Promoted
                | Self::Shrunk
                | Self::Deferred
                | Self::Settling
                | Self::Settled
        )
    }

    /// Whether a scale-up can still be taken back.
    pub fn is_before_vote(self) -> bool {
        matches!(self, Self::Opened | Self::LearnerAdded | Self::Joining | Self::Joined)
    }

    /// A sentence on it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AtRest => "nothing is under way",
            Self::Opened => "a run wrote down its goal, and no member has come or gone yet",
            Self::BetweenRounds => "a member has come or gone, and the next is to follow",
            Self::LearnerAdded => "a learner was added, its pod has not been asked for",
            Self::Joining => "the new pod was asked for, its member has not joined",
            Self::Joined => "the learner runs and catches up",
            Self::Promoted => "the new member votes, the rollout to the older members is unfinished",
            Self::MemberRemoved => "a member was removed, and its pod is still to go",
            Self::Shrunk => "the pods are fewer, the rollout to the other members is unfinished",
            Self::TakingBack => "a scale-up is being taken back",
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
            Self::AtRest | Self::Unknown => None,
            Self::Overtaken => Some(Verb::Abort),
            Self::Deferred => Some(Verb::Settle),
            _ => record.map(|record| record.verb),
        }
    }
}

/// The round that a run of several is in, as its sizes before and after; none where the StatefulSet asks for a number
/// of pods that is not on the way. A round is over when its member votes, or is gone, and its pods are asked for.
pub fn round_of(observation: &Observation, record: &Record) -> Option<(i32, i32)> {
    let set = &observation.statefulset;
    let size = set.replicas;
    if !(record.from.min(record.to)..=record.from.max(record.to)).contains(&size) {
        return None;
    }
    if record.from > record.to {
        return Some(if size == record.to { (size + 1, size) } else { (size, size - 1) });
    }
    let votes = observation.member_of_ordinal(set.start + size - 1).is_some_and(Member::is_started_voter);
    let over = size == record.from || (votes && size < record.to);
    Some(if over { (size, size + 1) } else { (size - 1, size) })
}
