//! Rollouts: which pods run which revision of the template, and the partition that guards the old ones.
//!
//! Rules of the StatefulSet controller (`pkg/controller/statefulset/stateful_set_control.go`): under RollingUpdate pods
//! at or above the partition are brought to the update revision, highest ordinal first, one at a time, the next only
//! when the last is available; a pod below the partition is recreated from the current revision. The partition counts
//! pods from the first, not ordinals: with `ordinals.start: 5` a partition of 2 guards pods 5 and 6. OnDelete restarts
//! nothing.

use serde_json::{Value, json};

use super::{Observation, Pod};

/// Where the rollout of the template stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Ordinals of pods that do not run the present template, highest first.
    pub behind: Vec<i32>,
    /// The first ordinal that the partition in force does not guard.
    pub first_freed: i32,
    /// Whether pods are replaced only when somebody deletes them.
    pub on_delete: bool,
}

impl Rollout {
    /// Reads it off an observation.
    pub fn of(observation: &Observation) -> Self {
        let set = &observation.statefulset;
        let mut behind: Vec<i32> =
            observation.pods.iter().filter(|pod| pod.revision != set.update_revision).map(|pod| pod.ordinal).collect();
        behind.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            behind,
            first_freed: set.start.saturating_add(partition_of(&set.strategy)),
            on_delete: strategy_is_on_delete(&set.strategy),
        }
    }

    /// Pods that the controller will replace without being asked again.
    pub fn freed(&self) -> impl Iterator<Item = i32> + '_ {
        let from = if self.on_delete { i32::MAX } else { self.first_freed };
        self.behind.iter().copied().filter(move |ordinal| *ordinal >= from)
    }

    /// Why the StatefulSet is not at rest, a sentence a reason. At rest means: generation observed, as many pods as
    /// asked for, none terminating or pending, all Ready, every pod at or above the partition on the update revision.
    pub fn unrest(observation: &Observation) -> Vec<String> {
        Self::unrest_but(observation, None)
    }

    /// The same, whatever the pod of one ordinal does.
    pub fn unrest_but(observation: &Observation, apart: Option<i32>) -> Vec<String> {
        let set = &observation.statefulset;
        let mut reasons = Vec::new();
        if set.observed_generation < set.generation {
            reasons.push(format!(
                "the controller has not acted on the last change yet (generation {}, observed {})",
                set.generation, set.observed_generation
            ));
        }
        for ordinal in set.ordinals(set.replicas).filter(|ordinal| Some(*ordinal) != apart) {
            match observation.pod(ordinal) {
                None => reasons.push(format!("pod {} does not exist", set.pod_name(ordinal))),
                Some(pod) if !pod.fully_ready() => reasons.push(format!("pod {} is {}", pod.name, pod.state())),
                Some(_) => {}
            }
        }
        let wanted = set.ordinals(set.replicas);
        for pod in observation.pods.iter().filter(|pod| !wanted.contains(&pod.ordinal)) {
            reasons.push(format!("pod {} is beyond the {} asked for", pod.name, set.replicas));
        }
        for ordinal in Self::of(observation).freed().filter(|ordinal| Some(*ordinal) != apart) {
            reasons.push(format!("pod {} is to be replaced by the rollout under way", set.pod_name(ordinal)));
        }
        reasons
    }

    /// Whether a pod runs the present template and is fully ready.
    pub fn is_settled(pod: &Pod, observation: &Observation) -> bool {
        pod.revision == observation.statefulset.update_revision && pod.fully_ready()
    }
}

/// The partition in an update strategy; 0 where none is set.
pub fn partition_of(strategy: &Value) -> i32 {
    strategy
        .pointer("/rollingUpdate/partition")
        .and_then(Value::as_i64)
        .and_then(|partition| i32::try_from(partition).ok())
        .unwrap_or(0)
}

/// Whether the strategy is `OnDelete`, under which `rollingUpdate` is rejected.
pub fn strategy_is_on_delete(strategy: &Value) -> bool {
    strategy.get("type").and_then(Value::as_str) == Some("OnDelete")
}

/// The strategy with the guard set: the partition that keeps pods below it as they are. Everything else, such as
/// `maxUnavailable`, stays. None under OnDelete, which is its own guard.
pub fn guarded_strategy(strategy: &Value, partition: i32) -> Option<Value> {
    if strategy_is_on_delete(strategy) {
        return None;
    }
    let mut guarded = strategy.as_object().cloned().unwrap_or_default();
    guarded.entry("type").or_insert_with(|| json!("RollingUpdate"));
    let mut rolling = guarded.get("rollingUpdate").and_then(Value::as_object).cloned().unwrap_or_default();
    rolling.insert("partition".to_owned(), json!(partition));
    guarded.insert("rollingUpdate".to_owned(), Value::Object(rolling));
    Some(Value::Object(guarded))
}

/// The strategy that guards the first `partition` pods and frees the next, on the way to `target`: once nothing above
/// the target's own partition is left guarded, it is the target itself, whole.
pub fn lowered_strategy(present: &Value, target: &Value, partition: i32) -> Value {
    if partition <= partition_of(target) {
        return target.clone();
    }
    guarded_strategy(present, partition).unwrap_or_else(|| target.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_keeps_the_rest_of_the_strategy() {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 0}});
        let guarded = guarded_strategy(&strategy, 3).unwrap();
        assert_eq!(guarded, json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 3}}));
        assert_eq!(lowered_strategy(&guarded, &strategy, 1)["rollingUpdate"]["partition"], 1);
        assert_eq!(lowered_strategy(&guarded, &strategy, 0), strategy);
    }

    #[test]
    fn absent_rolling_update_comes_back_absent() {
        let strategy = json!({"type": "RollingUpdate"});
        let guarded = guarded_strategy(&strategy, 2).unwrap();
        assert_eq!(partition_of(&guarded), 2);
        assert_eq!(lowered_strategy(&guarded, &strategy, 0), strategy);
    }

    #[test]
    fn never_below_the_users_own_partition() {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        let guarded = guarded_strategy(&strategy, 3).unwrap();
        assert_eq!(partition_of(&lowered_strategy(&guarded, &strategy, 2)), 2);
        assert_eq!(lowered_strategy(&guarded, &strategy, 1), strategy);
    }

    #[test]
    fn on_delete_is_its_own_guard() {
        assert_eq!(guarded_strategy(&json!({"type": "OnDelete"}), 2), None);
    }
}
