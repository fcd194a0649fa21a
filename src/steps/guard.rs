//! `guard`: keep the old pods as they are, before somebody else's manifest changes the template.

use super::deployment::{STRATEGY, has_voted, told};
use super::members_to_answer;
use crate::model::{Change, Goal, Observation, all_differences, guarded_strategy, partition_of, strategy_is_on_delete};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Sets the guard by itself.
pub struct Guard;

impl Step for Guard {
    fn name(&self) -> &'static str {
        "guard"
    }

    fn purpose(&self) -> &'static str {
        "keep the old pods as they are"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        if !observation.members.is_known_and(|members| members.by_quorum) {
            return members_to_answer(observation, goal);
        }
        if has_voted(observation, goal) {
            return Verdict::done("the new member votes already");
        }
        if strategy_is_on_delete(&set.strategy) {
            return Verdict::done("under OnDelete the old pods stay as they are");
        }
        match set_guard(observation, goal, "the template is about to change, and the old pods are to stay as they are")
        {
            Some(verdict) => verdict,
            None => Verdict::done(format!("the partition keeps the first {} pods as they are", goal.from)),
        }
    }
}

/// Sets the guard where it is missing and needed.
fn set_guard(observation: &Observation, goal: &Goal, reason: &str) -> Option<Verdict> {
    let set = &observation.statefulset;
    let guard = guarded_strategy(&set.strategy, goal.from)?;
    if partition_of(&set.strategy) == goal.from || has_voted(observation, goal) {
        return None;
    }
    Some(Verdict::Change(Proposal {
        change: Change::PatchStatefulSet {
            from: set.replicas,
            to: set.replicas,
            env: Vec::new(),
            words: Vec::new(),
            command: None,
            strategy: Some((set.strategy.clone(), guard)),
        },
        reason: reason.to_owned(),
    }))
}

/// What must come first while somebody else's manifest may still arrive: the run's own record must stand, and the guard,
/// which an apply can take away. While the learner is not ready the controller restarts nothing, so setting the guard
/// again is in time. Nothing where the run goes through no deployment repository.
pub(super) fn watch(observation: &Observation, goal: &Goal) -> Option<Verdict> {
    goal.gitops.as_ref()?;
    let set = &observation.statefulset;
    if set.run_annotation().is_none() {
        return Some(Verdict::Refuse(Refusal::because(
            format!("the run's own annotation has vanished from StatefulSet {}", set.name),
            format!(
                "what was applied replaces the object instead of merging with it, and took the guard along; use an apply \
                 that merges, as kubectl apply does, and see what stands with: etcd-scale status --sts {} -n {}",
                set.name, set.namespace
            ),
        )));
    }
    set_guard(observation, goal, "what was applied took the guard away; until the new member votes it is still in time")
}

/// What the apply of this run has changed in the StatefulSet besides what the commit says. The command may still be at
/// work when the commit has arrived, so this is asked again before anything rests on the template.
pub(super) fn changed_besides(observation: &Observation, trail: &Trail) -> Option<Refusal> {
    let (before, raise) = trail.before_apply.as_ref()?;
    let others: Vec<_> = all_differences(&observation.statefulset.spec, &raise.applied_to(before))
        .iter()
        // The guard is looked after by itself.
        .filter(|difference| !difference.path.starts_with(STRATEGY))
        .map(ToString::to_string)
        .collect();
    (!others.is_empty()).then(|| besides(&others))
}

/// Refuses to go on with a template that has something else in it.
pub(super) fn besides(others: &[String]) -> Refusal {
    Refusal::because(
        format!("what was applied has also changed {}", told(others)),
        "the guard keeps the old pods on their own template; bring repository and StatefulSet to the same state, and run \
         the same command again",
    )
}
