//! One turn of a set: which pods are created and deleted now, by the rules of kube-controller-manager.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::super::kinds;
use super::super::View;
use super::super::object::{condition, find, is_ready, is_terminating, moment, name, namespace, uid};
use super::super::plan::{Action, Step, Told};
use super::identity::{self, ordinal, range};
use super::revisions::{HASH_OF_POD, History};

/// What is looked at in one turn.
pub(super) struct Turn<'a> {
    pub(super) set: &'a Arc<Value>,
    pub(super) history: &'a History,
    claims: &'a [Arc<Value>],
    now: Timestamp,
}

/// What a look at a pod says about the turn.
enum Next {
    GoOn,
    /// Nothing more in this turn.
    Stop,
}

/// A pod that is there, or an ordinal that has none.
type Slot = (i64, Option<Arc<Value>>);

impl<'a> Turn<'a> {
    pub(super) fn new(set: &'a Arc<Value>, history: &'a History, view: &'a View) -> Self {
        Self { set, history, claims: view.of(kinds::CLAIMS), now: view.now }
    }

    /// What is to be done, and when to look again though nothing has changed.
    pub(super) fn steps(&self, pods: &[Arc<Value>]) -> (Vec<Step>, Option<Timestamp>) {
        let again = pods.iter().filter_map(|pod| self.available_from(pod)).filter(|at| *at > self.now).min();
        let mut steps = Vec::new();
        if !is_terminating(self.set) {
            self.scale(pods, &mut steps);
        }
        (steps, again)
    }

    fn scale(&self, pods: &[Arc<Value>], steps: &mut Vec<Step>) {
        let range = range(self.set);
        let of = |pod: &Arc<Value>| ordinal(self.set, pod).unwrap_or_default();
        let replicas: Vec<Slot> =
            range.clone().map(|ordinal| (ordinal, pods.iter().find(|pod| of(pod) == ordinal).cloned())).collect();
        let mut condemned: Vec<_> = pods.iter().filter(|pod| !range.contains(&of(pod))).collect();
        condemned.sort_by_key(|pod| std::cmp::Reverse(of(pod)));
        let in_order = self.set["spec"]["podManagementPolicy"] != "Parallel";

        let mut stopped = false;
        for slot in &replicas {
            if matches!(self.replica(slot, in_order, steps), Next::Stop) {
                stopped = true;
                // A set whose pods are independent looks at all of them.
                if in_order {
                    return;
                }
            }
        }
        if stopped {
            return;
        }
        // The first pod that is not healthy, replicas before those that are to go.
        let first_unhealthy = match replicas.iter().find(|(_, pod)| !pod.as_ref().is_some_and(is_healthy)) {
            Some((_, pod)) => pod.as_ref(),
            None => condemned.iter().rev().find(|pod| !is_healthy(pod)).copied(),
        };
        for pod in &condemned {
            if is_terminating(pod) {
                if in_order {
                    return;
                }
                continue;
            }
            let first = first_unhealthy.is_some_and(|first| uid(first) == uid(pod));
            if in_order && !self.is_available(pod) && !first {
                return;
            }
            steps.push(self.delete(pod));
            stopped = true;
            if in_order {
                return;
            }
        }
        if !stopped {
            self.update(&replicas, steps);
        }
    }

    /// Sees to one of the pods that should be there.
    fn replica(&self, (ordinal, pod): &Slot, in_order: bool, steps: &mut Vec<Step>) -> Next {
        let Some(pod) = pod else {
            self.create(*ordinal, steps);
            // The next turn sees what became of it.
            return if in_order { Next::Stop } else { Next::GoOn };
        };
        if let Some(phase @ ("Failed" | "Succeeded")) = pod["status"]["phase"].as_str() {
            if !is_terminating(pod) {
                let (reason, state) = if phase == "Failed" {
                    ("RecreatingFailedPod", "failed")
                } else {
                    ("RecreatingTerminatedPod", "terminated")
                };
                let (set, namespace) = (name(self.set), namespace(self.set));
                let message = format!("StatefulSet {namespace}/{set} is recreating {state} Pod {}", name(pod));
                steps.push(Step::tell(self.set, phase == "Failed", reason, message));
                steps.push(self.delete(pod));
            }
            return Next::Stop;
        }
        if pod["status"]["phase"] == "Pending" {
            self.claim(*ordinal, steps);
        }
        if in_order && (is_terminating(pod) || !self.is_available(pod)) {
            return Next::Stop;
        }
        if !identity::matches(pod) {
            steps.push(Step::whole(kinds::PODS, identity::restored(pod, *ordinal)));
        }
        Next::GoOn
    }

    /// Replaces the last pod that is not as the template says; one at a time, and none while one after it is unhealthy.
    /// `maxUnavailable` counts in a real cluster only with a feature gate, which is off unless somebody turns it on.
    fn update(&self, replicas: &[Slot], steps: &mut Vec<Step>) {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            return;
        }
        // The partition counts pods, not ordinals: the two differ where ordinals do not begin at 0.
        let partition = strategy["rollingUpdate"]["partition"].as_u64().unwrap_or_default();
        let partition = usize::try_from(partition).unwrap_or(usize::MAX);
        for (_, pod) in replicas.iter().skip(partition).rev() {
            let Some(pod) = pod else { return };
            if revision(pod) != name(&self.history.update) && !is_terminating(pod) {
                steps.push(self.delete(pod));
                return;
            }
            if !is_healthy(pod) {
                return;
            }
        }
    }

    /// Whether a pod that is made anew is made of the current revision, not of the one to be rolled out.
    fn is_held_back(&self, ordinal: i64) -> bool {
        let strategy = &self.set["spec"]["updateStrategy"];
        let partition = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or_default();
        strategy["type"] != "OnDelete" && ordinal < range(self.set).start.saturating_add(partition)
    }

    fn create(&self, ordinal: i64, steps: &mut Vec<Step>) {
        self.claim(ordinal, steps);
        let revision = if self.is_held_back(ordinal) { &self.history.current } else { &self.history.update };
        let object = identity::pod(self.set, revision, ordinal);
        let words = format!("create Pod {} in StatefulSet {}", name(&object), name(self.set));
        let namespace = namespace(self.set).to_owned();
        steps.push(Step {
            action: Action::Create { resource: kinds::PODS, namespace, object },
            on_success: Some(self.told(false, "SuccessfulCreate", format!("{words} successful"))),
            on_failure: vec![self.told(true, "FailedCreate", format!("{words} failed error: "))],
        });
    }

    /// Creates what claims of a pod are missing.
    fn claim(&self, ordinal: i64, steps: &mut Vec<Step>) {
        let pod = identity::pod_name(self.set, ordinal);
        let set = name(self.set);
        let failed = |also: &str| {
            self.told(true, "FailedCreate", format!("create Pod {pod} in StatefulSet {set} failed error: {also}"))
        };
        for object in identity::claims(self.set, ordinal) {
            let claim = name(&object).to_owned();
            match find(self.claims, namespace(self.set), &claim) {
                Some(standing) if is_terminating(standing) => steps.push(Step {
                    action: Action::Fail(format!("pvc {claim} is being deleted")),
                    on_success: None,
                    on_failure: vec![failed("")],
                }),
                Some(_) => {}
                None => {
                    let words = format!("create Claim {claim} Pod {pod} in StatefulSet {set} success");
                    let wrong = format!("create Claim {claim} for Pod {pod} in StatefulSet {set} failed error: ");
                    let namespace = namespace(self.set).to_owned();
                    let also = failed(&format!("failed to create PVC {claim}: "));
                    steps.push(Step {
                        action: Action::Create { resource: kinds::CLAIMS, namespace, object },
                        on_success: Some(self.told(false, "SuccessfulCreate", words)),
                        on_failure: vec![self.told(true, "FailedCreate", wrong), also],
                    });
                }
            }
        }
    }

    fn delete(&self, pod: &Arc<Value>) -> Step {
        let words = format!("delete Pod {} in StatefulSet {}", name(pod), name(self.set));
        let mut step = Step::delete(kinds::PODS, pod);
        step.on_success = Some(self.told(false, "SuccessfulDelete", format!("{words} successful")));
        step.on_failure = vec![self.told(true, "FailedDelete", format!("{words} failed error: "))];
        step
    }

    fn told(&self, warning: bool, reason: &'static str, message: String) -> Told {
        Told { about: Arc::clone(self.set), warning, reason, message }
    }

    /// When a pod that is ready counts as available.
    fn available_from(&self, pod: &Value) -> Option<Timestamp> {
        if !is_ready(pod) {
            return None;
        }
        let seconds = self.set["spec"]["minReadySeconds"].as_i64().unwrap_or_default();
        if seconds == 0 {
            return Some(self.now);
        }
        let since = moment(&condition(pod, "Ready")?["lastTransitionTime"])?;
        since.checked_add(SignedDuration::from_secs(seconds)).ok()
    }

    pub(super) fn is_available(&self, pod: &Value) -> bool {
        self.available_from(pod).is_some_and(|at| at <= self.now)
    }
}

fn is_healthy(pod: &Arc<Value>) -> bool {
    is_ready(pod) && !is_terminating(pod)
}

/// The name of the revision that a pod is made of.
pub(super) fn revision(pod: &Value) -> &str {
    pod["metadata"]["labels"][HASH_OF_POD].as_str().unwrap_or_default()
}

/// The pods as they are once the steps are done: the status counts what a turn has done.
pub(super) fn after(pods: &[Arc<Value>], steps: &[Step]) -> Vec<Arc<Value>> {
    let mut after = pods.to_vec();
    for step in steps {
        match &step.action {
            Action::Create { resource, object, .. } if *resource == kinds::PODS => after.push(Arc::new(object.clone())),
            Action::Delete { object, .. } => {
                for pod in after.iter_mut().filter(|pod| uid(pod) == uid(object)) {
                    Arc::make_mut(pod)["metadata"]["deletionTimestamp"] = json!("now");
                }
            }
            _ => {}
        }
    }
    after
}
