//! `settle-rollout`: bring the new template to the old members, one at a time, each proved before the next.

use super::hand_over::{hand_over, handed_over};
use super::verify::first_shortfall;
use crate::model::{
    Change, DataDir, Goal, MemberId, Observation, Record, Rollout, RolloutPolicy, Verb, lowered_strategy,
    mend_or_replace, partition_of, quorum_after_losing_one, strategy_is_on_delete,
};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict, Wait, Wake};

/// Brings the template to the old members, or notes that it is left for later.
pub struct SettleRollout;

impl Step for SettleRollout {
    fn name(&self) -> &'static str {
        "settle-rollout"
    }

    fn purpose(&self) -> &'static str {
        "bring the new template to the old members, one at a time"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let record = set.readable_record().filter(|record| record.run == goal.run);
        if record.as_ref().is_some_and(|record| record.deferred) {
            return Verdict::done("left for later; the old members keep running as they are");
        }
        let target = goal.strategy_to_restore(observation);
        let rollout = Rollout::of(observation);
        // What the operator's own partition holds back stays, also where OnDelete is only our guard.
        let held_back = if strategy_is_on_delete(&target) { 0 } else { partition_of(&target) };
        let floor = set.start.saturating_add(held_back);
        let behind: Vec<i32> = rollout.behind.iter().copied().filter(|ordinal| *ordinal >= floor).collect();
        if !behind.is_empty()
            && let Some(verdict) = leave_for_later(observation, goal, record)
        {
            return verdict;
        }
        if let Some((seen, wake)) = first_shortfall(observation, goal) {
            return wait(observation, goal, seen, wake);
        }
        let Some(next) = behind.first().copied() else {
            if set.strategy == target {
                return Verdict::done("every member runs the present template; the update strategy is as it was");
            }
            return Verdict::Change(Proposal {
                change: Change::LowerPartition { frees: None, from: set.strategy.clone(), to: target },
                reason: "no pod is left to guard".to_owned(),
            });
        };
        if let Some(verdict) = leadership(observation, goal, trail, &behind) {
            return verdict;
        }
        let pod = set.pod_name(next);
        let reason = if quorum_after_losing_one(voters(observation)) {
            "the others are healthy and keep a quorum while it restarts".to_owned()
        } else {
            format!("WHILE {pod} RESTARTS THE CLUSTER HAS NO QUORUM and serves nobody")
        };
        if rollout.on_delete {
            let uid = observation.pod(next).map(|pod| pod.uid.clone()).unwrap_or_default();
            return Verdict::Change(Proposal { change: Change::DeletePod { pod, uid }, reason });
        }
        Verdict::Change(Proposal {
            change: Change::LowerPartition {
                frees: Some(pod),
                from: set.strategy.clone(),
                to: lowered_strategy(&set.strategy, &target, next - set.start),
            },
            reason,
        })
    }
}

fn voters(observation: &Observation) -> usize {
    observation.members.known().map_or(0, |members| members.voters().count())
}

/// What to do instead of restarting anything, where nothing may be restarted now.
fn leave_for_later(observation: &Observation, goal: &Goal, record: Option<Record>) -> Option<Verdict> {
    let set = &observation.statefulset;
    if let Some((_, container)) = set.template.etcd()
        && let DataDir::NotOnClaim(place) = set.template.data_dir(container, &set.claim_templates)
        && goal.rollout != RolloutPolicy::Defer
    {
        return Some(Verdict::Refuse(Refusal::because(
            format!("{place}, so a restarted member would come back without its data"),
            "leave the old members alone with --rollout defer",
        )));
    }
    let reason = match goal.rollout {
        RolloutPolicy::Now => return None,
        RolloutPolicy::Defer => "as asked (--rollout defer)".to_owned(),
        // The size that is aimed at decides, so that a member which is away for a moment does not.
        RolloutPolicy::Guarded if quorum_after_losing_one(usize::try_from(goal.to).unwrap_or_default()) => {
            return None;
        }
        RolloutPolicy::Guarded if goal.verb == Verb::Settle => {
            return Some(Verdict::Refuse(Refusal::because(
                format!("with {} voters no quorum is left while one of them restarts", goal.to),
                format!(
                    "grow to three first (etcd-scale up --to 3 --sts {} -n {}), or accept the gap with --rollout now",
                    set.name, set.namespace
                ),
            )));
        }
        RolloutPolicy::Guarded => format!("with {} voters no quorum is left while one of them restarts", goal.to),
    };
    // Without a record of ours the loop writes one first and judges again.
    let mut record = record.unwrap_or_else(|| Record::opening(goal, observation, None));
    record.deferred = true;
    Some(Verdict::Change(Proposal { change: Change::DeferRollout { record: Box::new(record) }, reason }))
}

/// Leadership goes once, before the first restart, to the newest member that runs the new template already.
fn leadership(observation: &Observation, goal: &Goal, trail: &Trail, behind: &[i32]) -> Option<Verdict> {
    let leader = observation.leader_status()?;
    let members = observation.members.known()?;
    let pod = observation.pod_of(members.by_id(leader.member)?)?;
    if !behind.contains(&pod.ordinal) {
        return None;
    }
    let mut others: Vec<(bool, i32, MemberId, String)> = members
        .voters()
        .filter(|voter| voter.id != leader.member)
        .filter_map(|voter| {
            let pod = observation.pod_of(voter)?;
            Some((Rollout::is_settled(pod, observation), pod.ordinal, voter.id, pod.name.clone()))
        })
        .collect();
    others.sort_unstable();
    let (settled, _, id, name) = others.pop()?;
    if !settled && behind.first() != Some(&pod.ordinal) {
        // One that will not have to give leadership away again comes with the next restart.
        return None;
    }
    if handed_over(trail) {
        return Some(wait(
            observation,
            goal,
            format!("leadership is on its way from {} to {name}", pod.name),
            Wake::Members,
        ));
    }
    Some(hand_over((leader.member, &pod.name), (id, &name), "the leader's pod is to be restarted"))
}

fn wait(observation: &Observation, goal: &Goal, seen: String, wake: Wake) -> Verdict {
    Verdict::Wait(Wait {
        until: "every member to be healthy before the next one restarts".to_owned(),
        seen,
        progress: None,
        limit: goal.timeout,
        wake,
        way_out: mend_or_replace(
            observation,
            "no other member is restarted meanwhile; mend what is named and run the same command again",
        ),
    })
}
