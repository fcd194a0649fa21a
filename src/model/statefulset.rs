//! The StatefulSet and its pods, as Kubernetes shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClaimTemplate, RUN_ANNOTATION, Record, Template};

/// Far more members than any etcd has. A size that is read or asked for and is larger is refused: each member is a
/// round of the plan.
pub const MOST_MEMBERS: i32 = 1000;

/// Ordinals do not begin later in anything that is read, so that counting on from there never overflows.
pub const LATEST_START: i32 = 1_000_000;

/// The StatefulSet that carries the etcd cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatefulSet {
    /// Its namespace.
    pub namespace: String,
    /// Its name; pods are `<name>-<ordinal>`.
    pub name: String,
    /// Its uid, which tells it from a later one of the same name.
    pub uid: String,
    /// Changes with every write to the object.
    pub resource_version: String,
    /// Counts changes to the spec.
    pub generation: i64,
    /// The generation that the controller has acted on.
    pub observed_generation: i64,
    /// How many pods are asked for.
    pub replicas: i32,
    /// The first ordinal (`spec.ordinals.start`), 0 unless set.
    pub start: i32,
    /// The headless Service that names the pods.
    pub service_name: String,
    /// Whether a pod is created only when all before it are Ready (`OrderedReady`).
    pub ordered_ready: bool,
    /// The whole `updateStrategy`, as it stands; null where it is absent.
    pub strategy: Value,
    /// The revision of pods below the partition.
    pub current_revision: String,
    /// The revision of the present template.
    pub update_revision: String,
    /// The pod selector in the form of a label query.
    pub selector: String,
    /// Labels of the object itself.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object itself.
    pub annotations: BTreeMap<String, String>,
    /// The controller that owns the object, where there is one.
    pub owner: Option<Owner>,
    /// Who has written fields of the object, by field manager.
    pub managers: Vec<String>,
    /// The pod template.
    pub template: Template,
    /// The templates of each pod's claims.
    pub claim_templates: Vec<ClaimTemplate>,
    /// The whole `spec` as it stands, for comparing it with a manifest; null where it was not kept.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub spec: Value,
}

/// A controlling owner reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Such as `EtcdCluster`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl StatefulSet {
    /// The pod of an ordinal.
    pub fn pod_name(&self, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.name)
    }

    /// The command of a verb about it, as people are advised it.
    pub fn command(&self, verb: &str) -> String {
        format!("etcd-scale {verb} --sts {} -n {}", self.name, self.namespace)
    }

    /// The ordinals that `replicas` pods have.
    pub fn ordinals(&self, replicas: i32) -> std::ops::Range<i32> {
        self.start..self.start.saturating_add(replicas)
    }

    /// The run annotation exactly as it stands, for `test` operations.
    pub fn run_annotation(&self) -> Option<&str> {
        self.annotations.get(RUN_ANNOTATION).map(String::as_str)
    }

    /// The record that a run left.
    ///
    /// # Errors
    /// When there is an annotation that this version cannot read; it must not be taken for no annotation.
    pub fn record(&self) -> Result<Option<Record>, String> {
        self.run_annotation().map(Record::parse).transpose()
    }

    /// The record, where one can be read.
    pub fn readable_record(&self) -> Option<Record> {
        self.record().ok().flatten()
    }
}

/// One pod of the StatefulSet.
#[derive(Debug, Clone, Default, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its uid: a recreated pod has another.
    pub uid: String,
    /// The number at the end of its name.
    pub ordinal: i32,
    /// The template revision it was made from.
    pub revision: String,
    /// `Pending`, `Running`, ...
    pub phase: String,
    /// The Ready condition.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// The node it is bound to.
    pub node: Option<String>,
    /// Its address in the cluster's network.
    #[serde(default)]
    pub address: Option<String>,
    /// Why the scheduler could not place it.
    pub unschedulable: Option<String>,
    /// Its containers' states, in the order of the template.
    pub containers: Vec<ContainerState>,
}

/// The state of one container of a pod.
#[derive(Debug, Clone, Default, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerState {
    /// The container's name.
    pub name: String,
    /// Whether its process runs.
    pub running: bool,
    /// Whether it counts as ready.
    pub ready: bool,
    /// How often it was restarted.
    pub restarts: i32,
    /// Why it does not run.
    pub waiting: Option<Waiting>,
    /// How its last process ended, such as `Error, exit code 1`.
    pub last_exit: Option<String>,
}

/// Why a container does not run.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Kubernetes' word, such as `ImagePullBackOff`.
    pub reason: String,
    /// What it adds.
    pub message: String,
}

impl Pod {
    /// How many of its containers are ready, as kubectl's READY column shows it.
    pub fn ready_column(&self) -> String {
        let ready = self.containers.iter().filter(|container| container.ready).count();
        format!("{ready}/{}", self.containers.len())
    }

    /// Whether every container is ready and the pod says so too.
    pub fn fully_ready(&self) -> bool {
        self.ready && !self.terminating && self.containers.iter().all(|container| container.ready)
    }

    /// The state of a container.
    pub fn container(&self, name: &str) -> Option<&ContainerState> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// One phrase on what the pod is doing.
    pub fn state(&self) -> String {
        if self.terminating {
            return "terminating".to_owned();
        }
        if let Some(reason) = &self.unschedulable {
            return format!("not scheduled: {reason}");
        }
        if let Some((container, waiting)) =
            self.containers.iter().find_map(|container| Some((container, container.waiting.as_ref()?)))
        {
            let detail = if waiting.message.is_empty() { String::new() } else { format!(": {}", waiting.message) };
            return format!("waiting, container {}: {}{detail}", container.name, waiting.reason);
        }
        if self.phase == "Running" && !self.ready {
            return format!("running, {} ready", self.ready_column());
        }
        if self.ready { "ready".to_owned() } else { self.phase.to_lowercase() }
    }
}
