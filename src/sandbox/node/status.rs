//! A pod's status, made from what its containers do, as kubelet makes it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::network::HOST;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Termination {
    pub(super) code: i32,
    pub(super) reason: &'static str,
    pub(super) message: Option<String>,
    pub(super) started: String,
    pub(super) finished: String,
    pub(super) id: String,
    pub(super) log: PathBuf,
}

/// What a container does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doing {
    Waiting { reason: &'static str, message: Option<String> },
    Running { since: String },
    Terminated(Termination),
}

/// All that a status says of a container.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) doing: Doing,
    pub(super) last: Option<Termination>,
    pub(super) restarts: u64,
    /// Of the present incarnation, or of the last one.
    pub(super) id: Option<String>,
    pub(super) log: Option<PathBuf>,
    pub(super) started: bool,
    pub(super) ready: bool,
}

impl State {
    pub(super) fn new(reason: &'static str) -> Self {
        let doing = Doing::Waiting { reason, message: None };
        Self { doing, last: None, restarts: 0, id: None, log: None, started: false, ready: false }
    }

    /// An end is told as the present state first, and as the last one when something follows it.
    pub(super) fn waits(&mut self, reason: &'static str, message: Option<String>) {
        if let Doing::Terminated(termination) = &self.doing {
            self.last = Some(termination.clone());
        }
        self.doing = Doing::Waiting { reason, message };
    }

    fn is_well_done(&self) -> bool {
        matches!(&self.doing, Doing::Terminated(termination) if termination.code == 0)
    }
}

/// A container's entry.
fn entry(container: &Value, state: &State, init: bool) -> Value {
    let terminated = |termination: &Termination| {
        let mut object = json!({
            "exitCode": termination.code, "reason": termination.reason, "startedAt": termination.started,
            "finishedAt": termination.finished, "containerID": termination.id,
        });
        if let Some(message) = &termination.message {
            object["message"] = json!(message);
        }
        json!({"terminated": object})
    };
    let doing = match &state.doing {
        Doing::Waiting { reason, message: None } => json!({"waiting": {"reason": reason}}),
        Doing::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        Doing::Running { since } => json!({"running": {"startedAt": since}}),
        Doing::Terminated(termination) => terminated(termination),
    };
    let image = container["image"].as_str().unwrap_or_default();
    let mut entry = json!({
        "name": container["name"], "image": image, "imageID": "", "state": doing,
        "lastState": state.last.as_ref().map_or(json!({}), terminated),
        "restartCount": state.restarts,
        "ready": if init { state.is_well_done() } else { state.ready },
    });
    if !init {
        entry["started"] = json!(state.started);
    }
    if let Some(id) = &state.id {
        entry["containerID"] = json!(id);
        let mut image_id = "sha256:".to_owned();
        for byte in Sha256::digest(image.as_bytes()) {
            // Writing to text does not fail.
            let _ = write!(image_id, "{byte:02x}");
        }
        entry["imageID"] = json!(image_id);
    }
    entry
}

/// What a pod's status is made from.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    pub(super) init: &'a [State],
    pub(super) main: &'a [State],
    pub(super) address: Option<Ipv4Addr>,
    /// When the node took the pod.
    pub(super) since: &'a str,
}

/// The pod's new status. `pod` is the object as it stands: conditions of others stay.
pub(super) fn of(pod: &Value, sight: &Sight<'_>, now: &str) -> Value {
    let spec = &pod["spec"];
    let mut status = if pod["status"].is_object() { pod["status"].clone() } else { json!({}) };
    let entries = |field: &str, states: &[State], init: bool| -> Vec<Value> {
        let containers = spec[field].as_array().into_iter().flatten();
        containers.zip(states).map(|(container, state)| entry(container, state, init)).collect()
    };
    let phase = phase(spec["restartPolicy"].as_str().unwrap_or("Always"), sight);
    status["phase"] = json!(phase);
    status["hostIP"] = json!(HOST);
    status["startTime"] = json!(sight.since);
    if let Some(address) = sight.address {
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    if !sight.init.is_empty() {
        status["initContainerStatuses"] = json!(entries("initContainers", sight.init, true));
    }
    status["containerStatuses"] = json!(entries("containers", sight.main, false));
    if status["qosClass"].is_null() {
        status["qosClass"] = json!(quality(spec));
    }
    let uninitialized = names(spec, "initContainers", sight.init, State::is_well_done);
    let unready = names(spec, "containers", sight.main, |state| state.ready);
    let done = phase == "Succeeded";
    let initialized = if uninitialized.is_empty() || done {
        Ok(())
    } else {
        Err(("ContainersNotInitialized", format!("containers with incomplete status: [{}]", uninitialized.join(" "))))
    };
    let ready = if done {
        Err(("PodCompleted", String::new()))
    } else if unready.is_empty() {
        Ok(())
    } else {
        Err(("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))))
    };
    let gate = ready.clone().and_then(|()| gates(spec, &status));
    for (kind, state) in [("Initialized", initialized), ("Ready", gate), ("ContainersReady", ready)] {
        condition(&mut status, kind, state, now);
    }
    condition(&mut status, "PodScheduled", Ok(()), now);
    status
}

fn names<'a>(spec: &'a Value, field: &str, states: &[State], good: impl Fn(&State) -> bool) -> Vec<&'a str> {
    let containers = spec[field].as_array().into_iter().flatten();
    let bad = containers.zip(states).filter(|(_, state)| !good(state));
    bad.filter_map(|(container, _)| container["name"].as_str()).collect()
}

/// Others' conditions that a pod waits for.
fn gates(spec: &Value, status: &Value) -> Result<(), (&'static str, String)> {
    let conditions = || status["conditions"].as_array().into_iter().flatten();
    for gate in spec["readinessGates"].as_array().into_iter().flatten() {
        let kind = &gate["conditionType"];
        if !conditions().any(|condition| condition["type"] == *kind && condition["status"] == "True") {
            let name = kind.as_str().unwrap_or_default();
            let why = format!("corresponding condition of pod readiness gate \"{name}\" does not exist.");
            return Err(("ReadinessGatesNotReady", why));
        }
    }
    Ok(())
}

fn condition(status: &mut Value, kind: &str, state: Result<(), (&str, String)>, now: &str) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    let said = if state.is_ok() { "True" } else { "False" };
    let mut new = json!({"type": kind, "status": said, "lastProbeTime": null, "lastTransitionTime": now});
    if let Err((reason, message)) = state {
        new["reason"] = json!(reason);
        if !message.is_empty() {
            new["message"] = json!(message);
        }
    }
    match conditions.iter_mut().find(|condition| condition["type"] == kind) {
        Some(standing) => {
            if standing["status"] == said && standing["lastTransitionTime"].is_string() {
                new["lastTransitionTime"] = standing["lastTransitionTime"].clone();
            }
            *standing = new;
        }
        None => conditions.push(new),
    }
}

fn phase(policy: &str, sight: &Sight<'_>) -> &'static str {
    let failed = |state: &State| matches!(&state.doing, Doing::Terminated(termination) if termination.code != 0);
    if policy == "Never" && sight.init.iter().any(failed) {
        return "Failed";
    }
    let fresh = |state: &State| matches!(state.doing, Doing::Waiting { .. }) && state.last.is_none();
    if !sight.init.iter().all(State::is_well_done) || sight.main.iter().any(fresh) {
        return "Pending";
    }
    let running = sight.main.iter().any(|state| matches!(state.doing, Doing::Running { .. }));
    if running || policy == "Always" {
        return "Running";
    }
    if sight.main.iter().all(State::is_well_done) {
        return "Succeeded";
    }
    if policy == "Never" { "Failed" } else { "Running" }
}

fn quality(spec: &Value) -> &'static str {
    let containers = || spec["containers"].as_array().into_iter().flatten();
    let some = |value: &Value| value.as_object().is_some_and(|map| !map.is_empty());
    if !containers().any(|it| some(&it["resources"]["limits"]) || some(&it["resources"]["requests"])) {
        return "BestEffort";
    }
    let guaranteed = containers().all(|it| {
        let (limits, requests) = (&it["resources"]["limits"], &it["resources"]["requests"]);
        ["cpu", "memory"]
            .iter()
            .all(|name| !limits[*name].is_null() && (requests[*name].is_null() || requests[*name] == limits[*name]))
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn pod() -> Value {
        json!({
            "spec": {"containers": [{"name": "etcd", "image": "e:1"}, {"name": "metrics", "image": "e:1"}]},
            "status": {"conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"},
            ]},
        })
    }

    fn running(ready: bool) -> State {
        let doing = Doing::Running { since: NOW.to_owned() };
        State { doing, id: Some("containerd://1".to_owned()), started: true, ready, ..State::new("") }
    }

    fn ended(code: i32) -> State {
        let termination = Termination {
            code,
            reason: if code == 0 { "Completed" } else { "Error" },
            message: None,
            started: NOW.to_owned(),
            finished: NOW.to_owned(),
            id: "containerd://1".to_owned(),
            log: PathBuf::new(),
        };
        State { doing: Doing::Terminated(termination), ..State::new("") }
    }

    fn sight(main: &[State]) -> Sight<'_> {
        Sight { init: &[], main, address: Some(Ipv4Addr::new(10, 244, 0, 2)), since: NOW }
    }

    #[test]
    fn a_pod_is_ready_when_all_its_containers_are() {
        let status = of(&pod(), &sight(&[running(true), running(false)]), NOW);
        let ready = |status: &Value, kind: &str| {
            let conditions = status["conditions"].as_array().unwrap().clone();
            conditions.into_iter().find(|condition| condition["type"] == kind).unwrap()
        };
        assert_eq!(status["phase"], "Running");
        assert_eq!(ready(&status, "Ready")["message"], "containers with unready status: [metrics]");
        assert_eq!(ready(&status, "PodScheduled")["lastTransitionTime"], "2025-01-01T00:00:00Z");
        assert_eq!(status["podIP"], "10.244.0.2");
        let mut next = pod();
        next["status"] = status;
        let status = of(&next, &sight(&[running(true), running(true)]), "2026-01-01T00:00:09Z");
        assert_eq!(ready(&status, "Ready")["lastTransitionTime"], "2026-01-01T00:00:09Z");
        assert_eq!(ready(&status, "Initialized")["lastTransitionTime"], NOW);
    }

    #[test]
    fn phases_follow_containers_and_policy() {
        let cases: [(&str, &[State], &str); 7] = [
            ("Always", &[State::new("ContainerCreating"), running(true)], "Pending"),
            ("Always", &[ended(1), running(true)], "Running"),
            ("Always", &[ended(0), ended(0)], "Running"),
            ("OnFailure", &[ended(0), ended(0)], "Succeeded"),
            ("OnFailure", &[ended(1), ended(0)], "Running"),
            ("Never", &[ended(1), ended(0)], "Failed"),
            ("Never", &[ended(0), ended(0)], "Succeeded"),
        ];
        for (policy, states, expected) in cases {
            assert_eq!(phase(policy, &sight(states)), expected, "{policy}");
        }
    }

    #[test]
    fn an_end_becomes_the_last_state_when_the_container_waits_again() {
        let mut state = ended(3);
        state.waits("CrashLoopBackOff", Some("back-off 10s".to_owned()));
        let entry = entry(&json!({"name": "etcd"}), &state, false);
        assert_eq!(entry["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(entry["lastState"]["terminated"]["exitCode"], 3);
    }
}
