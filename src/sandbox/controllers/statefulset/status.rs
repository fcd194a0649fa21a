//! The status of a set: how many pods are how far.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::kinds;
use super::super::object::{is_ready, is_terminating, name};
use super::super::plan::Step;
use super::rollout::{Turn, revision};

impl Turn<'_> {
    /// Writes the status that follows from pods, where it is another than the set has.
    pub(super) fn status(&self, pods: &[Arc<Value>]) -> Option<Step> {
        let (current, update) = (name(&self.history.current), name(&self.history.update));
        let of = |wanted: &str| pods.iter().filter(|pod| !is_terminating(pod) && revision(pod) == wanted).count();
        let replicas = pods.len();
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        let available = pods.iter().filter(|pod| self.is_available(pod)).count();
        let updated = of(update);
        let (mut current, mut on_current) = (current, of(current));
        // A rollout is through when all pods that are wanted are there, ready and as the template says. Under OnDelete
        // nobody ever says so.
        let spec = &self.set["spec"];
        let wanted = usize::try_from(spec["replicas"].as_u64().unwrap_or(1)).unwrap_or(usize::MAX);
        let rolling = spec["updateStrategy"]["type"] != "OnDelete";
        if rolling && updated == wanted && ready == wanted && replicas == wanted {
            (current, on_current) = (update, updated);
        }
        let mut status = json!({
            "observedGeneration": self.set["metadata"]["generation"], "replicas": replicas,
            "availableReplicas": available, "currentRevision": current, "updateRevision": update,
            "collisionCount": self.history.collisions,
        });
        // Kubernetes leaves these out where they are none.
        for (field, count) in [("readyReplicas", ready), ("currentReplicas", on_current), ("updatedReplicas", updated)]
        {
            if count > 0 {
                status[field] = json!(count);
            }
        }
        if self.set["status"] == status {
            return None;
        }
        let mut after = Value::clone(self.set);
        after["status"] = status;
        Some(Step::status(kinds::STATEFUL_SETS, after))
    }
}
