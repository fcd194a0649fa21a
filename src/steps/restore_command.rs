//! `restore-command`: where the new pod was started past its script, start it once more with its own command.
//!
//! While its member is a learner still: newer scripts of Bitnami's wipe data that they do not recognise and add the pod
//! anew, which must not happen to a voter. It counts as done when the same member is back under that command.

use super::members_to_answer;
use super::wait_join::{Coming, judge_pod};
use crate::model::{Change, Goal, Join, Observation, strategy_is_on_delete};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict, Wake};

/// What is waited for.
const UNTIL: &str = "the new member to come back with its pod's own command";

/// Gives the new pod its own command back.
pub struct RestoreCommand;

impl Step for RestoreCommand {
    fn name(&self) -> &'static str {
        "restore-command"
    }

    fn purpose(&self) -> &'static str {
        "start its pod with its own command, where it began with another"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, trail: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let edit = match Join::of(observation, goal) {
            Err(fact) => return Verdict::Refuse(Refusal::because(fact.fact, fact.advice)),
            Ok(Join::Learner | Join::Itself) => return Verdict::done("it began with its own command"),
            Ok(Join::Bypass { edit }) => Box::new(edit.reversed()),
        };
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return members_to_answer(observation, goal);
        };
        let ordinal = goal.ordinal(set.start);
        let coming = Coming { observation, goal, trail, until: UNTIL };
        let name = set.pod_name(ordinal);
        let member = observation.peer_url(ordinal).and_then(|url| members.by_peer_url(&url));
        let written = set.readable_record().or_else(|| goal.resumed.clone());
        // That of an earlier round votes by now.
        let earlier = |id| members.voters().any(|voter| voter.id == id) && member.is_none_or(|member| member.id != id);
        let restored = written.as_ref().and_then(|record| record.restored).filter(|id| !earlier(*id));
        let Some(member) = member.filter(|member| restored.is_none_or(|id| id == member.id)) else {
            let (fact, advice) = match restored {
                Some(id) => (
                    format!("with its own command {name} did not come back as member {id}"),
                    "its script makes a member of its own; when that has joined, accept it with --join self",
                ),
                None => (
                    format!("the member for {name} is no longer in the member list"),
                    "somebody removed it; scale the StatefulSet back, clear the new claim and start again",
                ),
            };
            return Verdict::Refuse(Refusal::because(fact, advice));
        };
        let Some(pod) = observation.pod(ordinal) else {
            return coming.wait(&format!("pod {name} is not created yet"), Wake::Kubernetes);
        };
        if restored.is_none() {
            // A data directory that was never written would be taken for a first start.
            if observation.status_of(member.id).is_none() {
                return judge_pod(coming, Some(member), pod);
            }
            // Without a record of ours the loop writes one first and judges again.
            let Some(mut record) = written.map(Box::new) else {
                return Verdict::Refuse(Refusal::because(
                    "the run's record is gone",
                    "somebody removed it; set the command of the template back by hand",
                ));
            };
            record.restored = Some(member.id);
            if let Some(patched) = &mut record.patched {
                // It is taken back right now.
                patched.command = None;
            }
            return Verdict::Change(Proposal {
                change: Change::RestoreCommand { pod: name, edit, record },
                reason: "its data is there, so the script adds nothing; a learner's restart costs no quorum".to_owned(),
            });
        }
        if set.observed_generation < set.generation {
            return coming.wait("the controller has not acted on the template yet", Wake::Kubernetes);
        }
        if pod.revision != set.update_revision {
            if (set.ordered_ready || strategy_is_on_delete(&set.strategy)) && !pod.terminating {
                return Verdict::Change(Proposal {
                    change: Change::DeletePod { pod: name, uid: pod.uid.clone() },
                    reason: "the controller does not replace it by itself; its member is a learner still".to_owned(),
                });
            }
            return coming.wait(&format!("pod {name} is to be replaced"), Wake::Kubernetes);
        }
        match observation.status_of_pod(&name) {
            Some(status) if status.member == member.id => {
                Verdict::done(format!("{name} is back as member {} with its own command", member.id))
            }
            _ => judge_pod(coming, Some(member), pod),
        }
    }
}
