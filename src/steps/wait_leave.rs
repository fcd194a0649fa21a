//! `wait-leave`: until the pods beyond those asked for are gone.

use crate::model::{Goal, Observation};
use crate::runbook::{Step, Trail, Verdict, Wait, Wake};

/// Waits for a pod to go.
pub struct WaitLeave;

impl Step for WaitLeave {
    fn name(&self) -> &'static str {
        "wait-leave"
    }

    fn purpose(&self) -> &'static str {
        "wait for the pod to go"
    }

    fn judge(&self, observation: &Observation, goal: &Goal, _: &Trail) -> Verdict {
        let set = &observation.statefulset;
        let wanted = set.ordinals(set.replicas);
        let seen = match observation.pods.iter().find(|pod| !wanted.contains(&pod.ordinal)) {
            Some(pod) => format!("pod {} is {}", pod.name, pod.state()),
            None if set.observed_generation < set.generation => {
                "the controller has not acted on the last change yet".to_owned()
            }
            None => return Verdict::done(format!("no pod beyond the {} asked for", set.replicas)),
        };
        Verdict::Wait(Wait {
            until: "the pod to go".to_owned(),
            seen,
            progress: None,
            limit: goal.timeout,
            wake: Wake::Kubernetes,
            way_out: format!(
                "see what holds it with `kubectl describe pod -n {}`, and run the same command again; its member is gone",
                set.namespace
            ),
        })
    }
}
