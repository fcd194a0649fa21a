//! A step in one round of a run that adds or removes several members, one after another.

use crate::model::{Goal, Observation};
use crate::runbook::{Step, Trail, Verdict};

/// A step that judges one round, as if it were the whole goal.
pub(super) struct Round {
    /// The size that the round reaches.
    pub(super) to: i32,
    pub(super) step: Box<dyn Step>,
}

impl Step for Round {
    fn name(&self) -> &'static str {
        self.step.name()
    }

    fn purpose(&self) -> &'static str {
        self.step.purpose()
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        if next_has_begun(observation, goal, self.to) {
            return Verdict::done(format!("{} members were reached before", self.to));
        }
        self.step.judge(observation, &goal.round(self.to), trail)
    }
}

/// Whether the round after the one that reaches a size has changed anything: then this one is over.
fn next_has_begun(observation: &Observation, goal: &Goal, to: i32) -> bool {
    let set = &observation.statefulset;
    if to == goal.to {
        return false;
    }
    if goal.to > goal.from {
        set.replicas > to || (set.replicas == to && observation.member_of_ordinal(set.start + to).is_some())
    } else {
        let next = set.start + to - 1;
        let gone = observation.members.is_known_and(|members| members.by_quorum)
            && observation.peer_url(next).is_some()
            && observation.member_of_ordinal(next).is_none();
        set.replicas < to || (set.replicas == to && gone)
    }
}
