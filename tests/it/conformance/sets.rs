//! Sets of small pods, and what is to be said of one at rest.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::room::Room;
use crate::harness::{eventually, is_up, setting};

/// A set of pods that do nothing, and end when they are told to.
pub(super) struct Set {
    name: &'static str,
    replicas: usize,
    parallel: bool,
    strategy: Value,
    probe: Value,
    claim: Option<String>,
}

/// What a set has come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) pods: usize,
    /// Pods of the present template.
    pub(super) updated: usize,
    /// Whether no other template is in use.
    pub(super) settled: bool,
}

impl Rest {
    /// All pods are there and of one template.
    pub(super) fn all(pods: usize) -> Self {
        Self { pods, updated: pods, settled: true }
    }

    /// Some are of the present template.
    pub(super) fn some(pods: usize, updated: usize) -> Self {
        Self { pods, updated, settled: false }
    }
}

impl Set {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, replicas: 2, parallel: true, strategy: Value::Null, probe: Value::Null, claim: None }
    }

    pub(super) fn replicas(self, replicas: usize) -> Self {
        Self { replicas, ..self }
    }

    pub(super) fn ordered(self) -> Self {
        Self { parallel: false, ..self }
    }

    pub(super) fn strategy(self, strategy: Value) -> Self {
        Self { strategy, ..self }
    }

    pub(super) fn partition(self, partition: usize) -> Self {
        self.strategy(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}))
    }

    pub(super) fn probe(self, probe: Value) -> Self {
        Self { probe, ..self }
    }

    /// Every pod has a claim of a storage class.
    pub(super) fn claim(self, class: &str) -> Self {
        Self { claim: Some(class.to_owned()), ..self }
    }

    pub(super) fn object(&self) -> Value {
        let mut container = container("one", "trap exit TERM; while :; do sleep 1000 & wait; done");
        if !self.probe.is_null() {
            container["readinessProbe"] = self.probe.clone();
        }
        if self.claim.is_some() {
            container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
        }
        let mut set = json!({
            "metadata": {"name": self.name},
            "spec": {
                "replicas": self.replicas,
                "serviceName": self.name,
                "podManagementPolicy": if self.parallel { "Parallel" } else { "OrderedReady" },
                "selector": {"matchLabels": {"app": self.name}},
                "template": {
                    "metadata": {"labels": {"app": self.name}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false, "containers": [container],
                    },
                },
            },
        });
        if !self.strategy.is_null() {
            set["spec"]["updateStrategy"] = self.strategy.clone();
        }
        if let Some(class) = &self.claim {
            set["spec"]["volumeClaimTemplates"] = json!([{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": class,
                    "resources": {"requests": {"storage": "1Mi"}},
                },
            }]);
        }
        set
    }

    /// Creates it and waits for its pods.
    pub(super) fn start(self, room: &Room) -> Self {
        room.make("statefulsets", &self.object());
        wait(room, self.name, Rest::all(self.replicas));
        self
    }
}

/// A container that runs a script.
pub(super) fn container(name: &str, script: &str) -> Value {
    json!({
        "name": name, "image": setting("E2E_IMAGE", "docker.io/local/etcd:3.4"),
        "imagePullPolicy": setting("E2E_PULL_POLICY", "Never"), "command": ["sh", "-c", script],
    })
}

/// A pod that runs a script.
pub(super) fn pod(name: &str, script: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false,
            "containers": [container("one", script)],
        },
    })
}

/// Changes the template so that it means the same.
pub(super) fn change_template(room: &Room, set: &str, round: &str) {
    let template = json!({"metadata": {"annotations": {"conf.test/round": round}}});
    room.change(&format!("statefulsets/{set}"), &json!({"spec": {"template": template}}));
}

/// Names the revisions of sets by their numbers.
pub(super) fn learn_revisions(room: &Room) {
    let list = room.look("controllerrevisions");
    let mut revisions: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    revisions.sort_by_key(|revision| revision["revision"].as_u64());
    for revision in revisions {
        let name = revision["metadata"]["name"].as_str().unwrap_or_default();
        let number = &revision["revision"];
        room.learn(name, &format!("REVISION-{number}"));
        if let Some((_, hash)) = name.rsplit_once('-') {
            room.learn(hash, &format!("HASH-{number}"));
        }
    }
}

/// Waits until a set is what it is to be, and its status says so.
pub(super) fn wait(room: &Room, name: &str, rest: Rest) -> (Value, Vec<Value>) {
    let found = eventually(&format!("{name} to rest with {rest:?}"), || {
        let set = room.look(&format!("statefulsets/{name}"));
        let pods = room.look(&format!("pods?labelSelector=app%3D{name}"))["items"].clone();
        let pods = pods.as_array().cloned().unwrap_or_default();
        let status = &set["status"];
        let count = |field: &str| status[field].as_u64().unwrap_or_default();
        let of = |revision: &Value| {
            let own = |pod: &&Value| pod["metadata"]["labels"]["controller-revision-hash"] == *revision;
            pods.iter().filter(own).count() as u64
        };
        let size = rest.pods as u64;
        let quiet = status["observedGeneration"] == set["metadata"]["generation"]
            && count("replicas") == size
            && count("readyReplicas") == size
            && pods.len() == rest.pods
            && pods.iter().all(is_up)
            && of(&status["updateRevision"]) == rest.updated as u64
            && count("updatedReplicas") == rest.updated as u64
            && (status["currentRevision"] == status["updateRevision"]) == rest.settled
            && count("currentReplicas") == of(&status["currentRevision"]);
        if quiet { Ok((set.clone(), pods.clone())) } else { Err(format!("{status}, {} pods", pods.len())) }
    });
    learn_revisions(room);
    found
}

/// Waits until a set rests, and writes down what it has come to.
pub(super) fn rests(room: &Room, name: &str, rest: Rest) {
    let (set, pods) = wait(room, name, rest);
    show(room, &set, &pods);
}

/// Writes down a set's status, and its pods.
pub(super) fn show(room: &Room, set: &Value, pods: &[Value]) {
    let status = &set["status"];
    let fields =
        ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "currentRevision", "updateRevision"];
    let said: Vec<_> = fields.iter().map(|field| format!("{field} {}", status[*field])).collect();
    room.note(format!("  status: {}", said.join(", ")));
    for pod in pods {
        let (meta, revision) = (&pod["metadata"], &pod["metadata"]["labels"]["controller-revision-hash"]);
        room.note(format!("  pod {} of {revision}, {}", meta["name"], pod["status"]["phase"]));
    }
}

/// Writes down numbers of the revisions that are kept.
pub(super) fn revisions(room: &Room) {
    let list = room.look("controllerrevisions");
    let mut numbers: Vec<_> =
        list["items"].as_array().into_iter().flatten().map(|revision| revision["revision"].as_u64()).collect();
    numbers.sort_unstable();
    room.note(format!("  revisions: {:?}", numbers.into_iter().flatten().collect::<Vec<_>>()));
}

/// Writes down what was said about an object in Events: each once, as their order and number are free.
pub(super) fn events(room: &Room, name: &str) {
    let list = room.look(&format!("events?fieldSelector=involvedObject.name%3D{name}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let said: BTreeSet<_> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| {
            let source = text(&event["source"]["component"]);
            format!("{} {} from {source}: {}", text(&event["type"]), text(&event["reason"]), text(&event["message"]))
        })
        // A controller that is too early for a pod's successor says so and tries again: a matter of luck.
        .filter(|line| !line.contains("could not be completed at this time, please try again"))
        .collect();
    for line in said {
        room.note(format!("  event {line}"));
    }
}
