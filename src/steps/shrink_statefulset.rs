//! `patch-statefulset` on the way down: ask for one pod less once its member is gone, tell the template, and guard the
//! pods that stay, in one patch.

use super::edits::template_edits;
use super::members_to_answer;
use crate::model::{Change, Goal, Observation, guarded_strategy};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Lowers the StatefulSet by one pod.
pub struct ShrinkStatefulSet;

impl Step for ShrinkStatefulSet {
    fn name(&self) -> &'static str {
        "patch-statefulset"
    }

    fn purpose(&self) -> &'static str {
        "ask for one pod less, and keep the others as they are"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        if !observation.members.is_known_and(|members| members.by_quorum) {
            return members_to_answer(observation, goal);
        }
        if set.replicas == goal.from && observation.member_of_ordinal(ordinal).is_some() {
            return Verdict::Refuse(Refusal::because(
                format!("the member of {} is in the member list again", set.pod_name(ordinal)),
                "somebody added it; look with `etcd-scale status`",
            ));
        }
        let edits = match template_edits(observation, goal) {
            Ok(edits) => edits,
            Err(obstacle) => return obstacle.verdict(observation, goal),
        };
        if set.replicas == goal.from {
            let changes = !(edits.env.is_empty() && edits.words.is_empty());
            // The partition counts pods: as many as stay are kept as they are.
            let guard = guarded_strategy(&set.strategy, goal.to).filter(|guard| changes && *guard != set.strategy);
            let kept = if guard.is_some() { "; the partition keeps the others from restarting" } else { "" };
            return Verdict::Change(Proposal {
                change: Change::PatchStatefulSet {
                    from: goal.from,
                    to: goal.to,
                    env: edits.env,
                    words: edits.words,
                    command: None,
                    strategy: guard.map(|guard| (set.strategy.clone(), guard)),
                },
                reason: format!("its member is gone, so its pod serves nobody{kept}"),
            });
        }
        if set.replicas != goal.to {
            return Verdict::Refuse(Refusal::because(
                format!("the StatefulSet asks for {} pods, and not by this run's patch", set.replicas),
                format!("somebody changed replicas meanwhile; set them to {}, and run the same command again", goal.to),
            ));
        }
        if let Some((name, data)) = edits.config_map {
            return Verdict::Change(Proposal {
                change: Change::PatchConfigMap { name, data, version: edits.version },
                reason: "a member that starts anew must not look for the one that is gone".to_owned(),
            });
        }
        Verdict::done(format!("the StatefulSet asks for {} pods", set.replicas))
    }
}
