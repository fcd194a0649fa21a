//! `take-back`: the StatefulSet as it was before this run's last patch.

use super::members_to_answer;
use crate::model::{Change, Goal, Observation, Record};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Takes the patch back.
pub struct TakeBack;

impl Step for TakeBack {
    fn name(&self) -> &'static str {
        "take-back"
    }

    fn purpose(&self) -> &'static str {
        "put the StatefulSet back as it was"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let record = Record::of_run(goal, observation);
        if let Some(overlay) = record.as_ref().and_then(|record| record.overlay.as_ref())
            && set.replicas != goal.to
        {
            return Verdict::Refuse(Refusal::because(
                format!("the StatefulSet asks for {} pods by a commit to {overlay}", set.replicas),
                "revert that commit and apply it, then run the same command again",
            ));
        }
        let Some(mut patched) = record.and_then(|record| record.patched) else {
            if set.replicas == goal.to {
                return Verdict::done(format!("the StatefulSet asks for {} pods, as before this round", set.replicas));
            }
            return Verdict::Refuse(Refusal::because(
                format!("the StatefulSet asks for {} pods, and the record does not say what was patched", set.replicas),
                format!("set replicas back to {} by hand, and the template with it", goal.to),
            ));
        };
        let by_hand = patched.from != patched.to && patched.from == set.replicas;
        if by_hand && !patched.stands_in(&set.template) {
            return Verdict::done(format!(
                "the StatefulSet asks for {} pods, and its template was changed",
                set.replicas
            ));
        }
        if by_hand {
            // Somebody has set back the number of pods alone.
            patched.to = patched.from;
        }
        if patched.to != set.replicas {
            return Verdict::Refuse(Refusal::because(
                format!("the run asked for {} pods, and the StatefulSet asks for {}", patched.to, set.replicas),
                "somebody changed replicas meanwhile; look with `etcd-scale status`",
            ));
        }
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return members_to_answer(observation, goal);
        };
        let url = observation.peer_url(goal.ordinal(set.start));
        if patched.from != patched.to && url.is_some_and(|url| members.by_peer_url(&url).is_some()) {
            return Verdict::Refuse(Refusal::because(
                format!("the member of {} is in the member list again", set.pod_name(goal.ordinal(set.start))),
                "its script adds it; run the same command again",
            ));
        }
        Verdict::Change(Proposal {
            change: Change::TakeBack { patched: Box::new(patched) },
            reason: "the new member is out of the member list, so its pod serves nobody".to_owned(),
        })
    }
}
