//! `renew-pod`: what the removed member left behind goes, and its pod starts anew, empty.

use super::clear_claims::clear;
use crate::model::{Change, Goal, Observation, Record};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict, Wait, Wake};

/// Gives a pod an empty start.
pub struct RenewPod;

impl Step for RenewPod {
    fn name(&self) -> &'static str {
        "renew-pod"
    }

    fn purpose(&self) -> &'static str {
        "clear away what the old member left, and let its pod start anew"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        let name = set.pod_name(ordinal);
        let Some(replaced) = Record::replaced(goal, observation) else {
            return Verdict::Refuse(Refusal::because(
                "the run's record does not say what is replaced",
                "somebody changed it; look with `etcd-scale status`",
            ));
        };
        if observation.member_of_ordinal(ordinal).is_some_and(|member| Some(member.id) != replaced.member) {
            return Verdict::done(format!("the new member of {name} has been added, so what it writes is its own"));
        }
        let names = observation.claim_names(ordinal);
        let old = |uid: &str| replaced.claims.iter().any(|known| known == uid);
        let going = observation.claims.known().is_some_and(|claims| {
            let mut left = claims.iter().filter(|claim| names.contains(&claim.name) && old(&claim.uid)).peekable();
            left.peek().is_some() && left.all(|claim| claim.terminating)
        });
        let pod = observation.pod(ordinal);
        let delete = |uid: &str, why: &str| {
            Verdict::Change(Proposal {
                change: Change::DeletePod { pod: name.clone(), uid: uid.to_owned() },
                reason: why.to_owned(),
            })
        };
        // A claim that is being deleted waits for the pod that uses it, whichever that is by now.
        if let Some(pod) = pod.filter(|pod| going && !pod.terminating) {
            return delete(&pod.uid, "it comes back from the present template, with nothing of the old member's");
        }
        if let Some(verdict) = clear(observation, goal, &names, |claim| old(&claim.uid)) {
            return verdict;
        }
        if let Some(pod) =
            pod.filter(|pod| replaced.pod.as_ref() == Some(&pod.uid) || pod.revision != set.update_revision)
        {
            if !pod.terminating {
                return delete(&pod.uid, "it has to start anew, from the present template");
            }
            return Verdict::Wait(Wait {
                until: "the old pod to go".to_owned(),
                seen: format!("pod {name} is {}", pod.state()),
                progress: None,
                limit: goal.timeout,
                wake: Wake::Kubernetes,
                way_out: "see what holds it with `kubectl describe pod`, and run the same command again".to_owned(),
            });
        }
        Verdict::done(format!("nothing of the old member of {name} is left"))
    }
}
