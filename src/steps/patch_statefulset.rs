//! `patch-statefulset`: ask for one more pod, tell the template, and guard the old pods, in one patch.

use super::edits::template_edits;
use super::{members_to_answer, voters_to_be_healthy};
use crate::model::{Change, Goal, Join, Observation, StatefulSet, guarded_strategy};
use crate::runbook::{Proposal, Refusal, Step, Trail, Verdict};

/// Raises the StatefulSet by one pod.
pub struct PatchStatefulSet;

impl Step for PatchStatefulSet {
    fn name(&self) -> &'static str {
        "patch-statefulset"
    }

    fn purpose(&self) -> &'static str {
        "ask for its pod, and keep the old pods as they are"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let edits = match template_edits(observation, goal) {
            Ok(edits) => edits,
            Err(obstacle) => return obstacle.verdict(observation, goal),
        };
        if set.replicas == goal.to && edits.is_empty() {
            return Verdict::done(format!("the StatefulSet asks for {} pods", set.replicas));
        }
        if set.replicas != goal.from {
            return Verdict::Refuse(Refusal::because(
                format!("the StatefulSet asks for {} pods, and not by this run's patch", set.replicas),
                format!(
                    "somebody changed replicas meanwhile; set them back to {}, and run the same command again",
                    goal.from
                ),
            ));
        }
        let Some(members) = observation.members.known().filter(|members| members.by_quorum) else {
            return members_to_answer(observation, goal);
        };
        let url = observation.peer_url(goal.ordinal(set.start));
        if edits.join == Join::Itself {
            // Its pod changes the membership as soon as it starts.
            if let Some(wait) = voters_to_be_healthy(observation, goal) {
                return wait;
            }
        } else if url.and_then(|url| members.by_peer_url(&url)).is_none() {
            return Verdict::Refuse(Refusal::because(
                "the new member is no longer in the member list, so its pod could not join",
                "somebody removed it; run the same command again to begin anew",
            ));
        }
        let guard = guarded_strategy(&set.strategy, goal.from);
        let strategy = guard.map(|guard| (set.strategy.clone(), guard));
        if let Some((name, data)) = edits.config_map {
            // Something that restarts pods when a ConfigMap changes must find the guard set.
            if let Some(strategy) = strategy.filter(|(from, to)| from != to) {
                return Verdict::Change(Proposal {
                    change: Change::PatchStatefulSet {
                        from: goal.from,
                        to: goal.from,
                        env: Vec::new(),
                        words: Vec::new(),
                        command: None,
                        strategy: Some(strategy),
                    },
                    reason: "the list of peers is in a ConfigMap, and a change of it must restart no pod".to_owned(),
                });
            }
            return Verdict::Change(Proposal {
                change: Change::PatchConfigMap { name, data, version: edits.version },
                reason: "its pod reads from there whom to join; the pods that run do not read it again".to_owned(),
            });
        }
        let guard = if strategy.is_some() {
            "the partition keeps the old pods from restarting"
        } else {
            "under OnDelete the old pods stay as they are"
        };
        let reason = match &edits.join {
            Join::Learner => format!("its pod starts from the new template; {guard}"),
            Join::Bypass { edit } => format!(
                "its pod starts {} itself, past the script that would add it once more; {guard}",
                edit.to.command.join(" ")
            ),
            Join::Itself => format!("its pod adds itself as a voter when it starts; {guard}"),
        };
        Verdict::Change(Proposal {
            change: Change::PatchStatefulSet {
                from: goal.from,
                to: goal.to,
                env: edits.env,
                words: edits.words,
                command: edits.command.map(Box::new),
                strategy,
            },
            reason,
        })
    }
}

/// Says that no container runs etcd, and what there is instead.
pub fn not_etcd(set: &StatefulSet) -> String {
    let containers = set.template.containers.iter();
    let containers: Vec<_> = containers.map(|container| format!("{} ({})", container.name, container.image)).collect();
    let what = match &set.template.named {
        Some(name) => format!("has no container {name}"),
        None => "does not run etcd".to_owned(),
    };
    format!("StatefulSet {}/{} {what}; its containers are {}", set.namespace, set.name, containers.join(", "))
}
