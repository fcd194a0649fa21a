//! `hold-pods`: tell the template that a pod which starts anew joins, and let no other pod start anew meanwhile.
//!
//! A pod below the partition is made from the old template, and one at or above it drags every pod above it along. Under
//! OnDelete every pod stays as it is, and one that is deleted comes from the present template
//! (`newVersionedStatefulSetPod`, `pkg/controller/statefulset/stateful_set_utils.go`). So that is the guard here.

use serde_json::json;

use super::edits::template_edits;
use super::members_to_answer;
use crate::model::{Change, Goal, Observation, partition_of, strategy_is_on_delete};
use crate::runbook::{Proposal, Step, Trail, Verdict};

/// Prepares the template for one pod.
pub struct HoldPods;

impl Step for HoldPods {
    fn name(&self) -> &'static str {
        "hold-pods"
    }

    fn purpose(&self) -> &'static str {
        "tell the template to join, and keep the other pods as they are"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        if !observation.members.is_known_and(|members| members.by_quorum) {
            return members_to_answer(observation, goal);
        }
        let edits = match template_edits(observation, goal) {
            Ok(edits) => edits,
            Err(obstacle) => return obstacle.verdict(observation, goal),
        };
        let held = strategy_is_on_delete(&set.strategy);
        // Where all run the present template and no partition stands before it, it comes from that anyway.
        let plain = edits.is_empty()
            && partition_of(&set.strategy) <= ordinal - set.start
            && observation.pods.iter().all(|pod| pod.ordinal == ordinal || pod.revision == set.update_revision);
        if edits.is_empty() && (held || plain) {
            return Verdict::done("a pod that starts anew joins, and no other is restarted");
        }
        let strategy = (!held).then(|| (set.strategy.clone(), json!({"type": "OnDelete"})));
        if let Some((name, data)) = edits.config_map {
            if let Some(strategy) = strategy {
                return patch(set.replicas, Vec::new(), Vec::new(), Some(strategy));
            }
            return Verdict::Change(Proposal {
                change: Change::PatchConfigMap { name, data, version: edits.version },
                reason: "its pod reads from there whom to join; the pods that run do not read it again".to_owned(),
            });
        }
        patch(set.replicas, edits.env, edits.words, strategy)
    }
}

fn patch(
    replicas: i32,
    env: Vec<crate::model::EnvEdit>,
    words: Vec<crate::model::WordEdit>,
    strategy: Option<(serde_json::Value, serde_json::Value)>,
) -> Verdict {
    Verdict::Change(Proposal {
        change: Change::PatchStatefulSet { from: replicas, to: replicas, env, words, command: None, strategy },
        reason:
            "a pod that starts anew has to join the others, not to found a cluster of its own; under OnDelete only \
                 a pod that is deleted starts anew"
                .to_owned(),
    })
}
