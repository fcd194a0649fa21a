//! Kubernetes' objects as the model's.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSetStatus;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::{
    AntiAffinity, Claim, ClaimTemplate, ConfigMap, Container, ContainerState, DiskPool, EnvFrom, EnvSource, EnvVar,
    LATEST_START, MOST_MEMBERS, Mount, Node, NodeDemand, Owner, Pod, Service, StatefulSet, StorageClass, Taint,
    Template, Toleration, Volume, VolumeKind, Waiting,
};
use crate::runbook::{Trouble, TroubleKind};

const HOST_NAME: &str = "kubernetes.io/hostname";

/// What a provisioner writes on a volume that it has made.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// A StatefulSet, read without types where a whole part must survive as it stands.
pub(super) fn statefulset(object: DynamicObject) -> Result<StatefulSet, Trouble> {
    let metadata = object.metadata;
    let spec = object.data.get("spec").cloned().unwrap_or_default();
    let status: StatefulSetStatus = part(&object.data, "/status")?.unwrap_or_default();
    let template: core::PodTemplateSpec = part(&spec, "/template")?.unwrap_or_default();
    let claims: Vec<core::PersistentVolumeClaim> = part(&spec, "/volumeClaimTemplates")?.unwrap_or_default();
    let selector: LabelSelector = part(&spec, "/selector")?.unwrap_or_default();
    let number = |pointer: &str, default: i32, most: i32| {
        let Some(number) = part::<i32>(&spec, pointer)? else { return Ok(default) };
        let fits = (0..=most).contains(&number);
        fits.then_some(number).ok_or_else(|| malformed(pointer, &format!("{number} is out of range")))
    };
    let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    let managers = metadata.managed_fields.iter().flatten().filter_map(|field| field.manager.clone()).collect();
    Ok(StatefulSet {
        namespace: metadata.namespace.unwrap_or_default(),
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        observed_generation: status.observed_generation.unwrap_or_default(),
        replicas: number("/replicas", 1, MOST_MEMBERS)?,
        start: number("/ordinals/start", 0, LATEST_START)?,
        service_name: text("/serviceName"),
        ordered_ready: text("/podManagementPolicy") != "Parallel",
        strategy: spec.get("updateStrategy").cloned().unwrap_or_default(),
        current_revision: status.current_revision.unwrap_or_default(),
        update_revision: status.update_revision.unwrap_or_default(),
        selector: selector_query(&selector),
        labels: metadata.labels.unwrap_or_default(),
        annotations: metadata.annotations.unwrap_or_default(),
        owner: owner.map(|owner| Owner { kind: owner.kind.clone(), name: owner.name.clone() }),
        managers,
        template: pod_template(template),
        claim_templates: claims
            .into_iter()
            .map(|claim| ClaimTemplate {
                name: claim.metadata.name.unwrap_or_default(),
                storage_class: claim.spec.and_then(|spec| spec.storage_class_name),
            })
            .collect(),
        spec,
    })
}

fn part<T: DeserializeOwned>(value: &Value, pointer: &str) -> Result<Option<T>, Trouble> {
    let Some(part) = value.pointer(pointer).filter(|part| !part.is_null()) else { return Ok(None) };
    T::deserialize(part).map(Some).map_err(|error| malformed(pointer, &error.to_string()))
}

fn malformed(pointer: &str, why: &str) -> Trouble {
    Trouble::new(TroubleKind::Refused, format!("cannot read the StatefulSet: its {pointer} is malformed: {why}"))
}

fn selector_query(selector: &LabelSelector) -> String {
    let equal = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        let values = expression.values.clone().unwrap_or_default().join(",");
        match expression.operator.as_str() {
            "In" => format!("{} in ({values})", expression.key),
            "NotIn" => format!("{} notin ({values})", expression.key),
            "DoesNotExist" => format!("!{}", expression.key),
            _ => expression.key.clone(),
        }
    });
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}

fn pod_template(template: core::PodTemplateSpec) -> Template {
    let labels = template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default();
    let Some(spec) = template.spec else { return Template { labels, ..Template::default() } };
    let affinity = spec.affinity.unwrap_or_default();
    let node_affinity = affinity
        .node_affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution)
        // A type of the API's own always serialises.
        .map(|selector| NodeDemand::terms(&serde_json::to_value(selector).unwrap_or_default()));
    let tolerations = spec.tolerations.unwrap_or_default().into_iter().map(|toleration| Toleration {
        key: toleration.key.unwrap_or_default(),
        operator: toleration.operator.unwrap_or_default(),
        value: toleration.value.unwrap_or_default(),
        effect: toleration.effect.unwrap_or_default(),
    });
    let anti_affinity = affinity
        .pod_anti_affinity
        .and_then(|anti| anti.required_during_scheduling_ignored_during_execution)
        .unwrap_or_default()
        .into_iter()
        .filter(|term| term.label_selector.as_ref().is_some_and(|selector| matches(selector, &labels)))
        .map(|term| AntiAffinity { topology_key: term.topology_key })
        .collect();
    let volumes = spec.volumes.unwrap_or_default().into_iter().map(|volume| (volume.name.clone(), volume_kind(volume)));
    Template {
        named: None,
        volumes: volumes.collect(),
        anti_affinity,
        containers: spec.containers.into_iter().map(container).collect(),
        node_selector: spec.node_selector.unwrap_or_default(),
        node_affinity,
        tolerations: tolerations.collect(),
        labels,
    }
}

/// Whether a selector matches labels, by the rules of Kubernetes' label selectors.
fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector.match_expressions.iter().flatten().all(|expression| {
        let value = labels.get(&expression.key);
        let among = || value.is_some_and(|value| expression.values.iter().flatten().any(|one| one == value));
        match expression.operator.as_str() {
            "In" => among(),
            "NotIn" => !among(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    equal && expressions
}

fn volume_kind(volume: core::Volume) -> VolumeKind {
    if volume.empty_dir.is_some() {
        VolumeKind::EmptyDir
    } else if let Some(host) = volume.host_path {
        VolumeKind::HostPath(host.path)
    } else if let Some(claim) = volume.persistent_volume_claim {
        VolumeKind::Claim(claim.claim_name)
    } else if let Some(map) = volume.config_map {
        let items = map.items.unwrap_or_default().into_iter().map(|item| (item.key, item.path));
        VolumeKind::ConfigMap { name: map.name, items: items.collect() }
    } else if let Some(secret) = volume.secret {
        let items = secret.items.unwrap_or_default().into_iter().map(|item| (item.key, item.path));
        VolumeKind::Secret { name: secret.secret_name.unwrap_or_default(), items: items.collect() }
    } else {
        // The field that says its kind is the one beside its name.
        let fields = serde_json::to_value(&volume).unwrap_or_default();
        let kind = fields.as_object().into_iter().flatten().map(|(field, _)| field).find(|field| *field != "name");
        VolumeKind::Other(kind.cloned().unwrap_or_else(|| "unknown".to_owned()))
    }
}

fn container(container: core::Container) -> Container {
    let readiness = container.readiness_probe.unwrap_or_default();
    let from = container.env_from.unwrap_or_default().into_iter().filter_map(|source| {
        let prefix = source.prefix.unwrap_or_default();
        let map = source.config_map_ref.map(|map| (false, map.name));
        let (secret, name) = map.or(source.secret_ref.map(|secret| (true, secret.name)))?;
        Some(EnvFrom { secret, name, prefix })
    });
    Container {
        name: container.name,
        image: container.image.unwrap_or_default(),
        command: container.command.unwrap_or_default(),
        args: container.args.unwrap_or_default(),
        env: container.env.unwrap_or_default().into_iter().map(env_var).collect(),
        env_from: from.collect(),
        mounts: container
            .volume_mounts
            .unwrap_or_default()
            .into_iter()
            .map(|mount| Mount {
                volume: mount.name,
                path: mount.mount_path,
                sub_path: mount.sub_path_expr.or(mount.sub_path).filter(|part| !part.is_empty()),
            })
            .collect(),
        ports: container
            .ports
            .unwrap_or_default()
            .into_iter()
            .filter_map(|port| Some((port.name, u16::try_from(port.container_port).ok()?)))
            .collect(),
        readiness_path: readiness.http_get.map(|get| get.path.unwrap_or_else(|| "/".to_owned())),
        readiness_command: readiness.exec.and_then(|exec| exec.command),
        pre_stop: container.lifecycle.is_some_and(|lifecycle| lifecycle.pre_stop.is_some()),
    }
}

fn env_var(var: core::EnvVar) -> EnvVar {
    let source = match var.value_from {
        None => EnvSource::Literal(var.value.unwrap_or_default()),
        Some(core::EnvVarSource { config_map_key_ref: Some(map), .. }) => {
            EnvSource::ConfigMap { name: map.name, key: map.key }
        }
        Some(from) => EnvSource::From(if let Some(secret) = from.secret_key_ref {
            format!("Secret {}, key {}", secret.name, secret.key)
        } else if let Some(field) = from.field_ref {
            format!("field {}", field.field_path)
        } else {
            "elsewhere".to_owned()
        }),
    };
    EnvVar { name: var.name, source }
}

/// A pod, where it belongs to the StatefulSet.
pub(super) fn pod(pod: core::Pod, set: &StatefulSet) -> Option<Pod> {
    let metadata = pod.metadata;
    let name = metadata.name.unwrap_or_default();
    let ordinal = name.strip_prefix(&set.name)?.strip_prefix('-')?.parse().ok()?;
    if !metadata.owner_references.iter().flatten().any(|owner| owner.uid == set.uid) {
        return None;
    }
    let status = pod.status.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let condition = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let unscheduled = condition("PodScheduled").filter(|condition| condition.status == "False");
    let reported = status.container_statuses.unwrap_or_default();
    let spec = pod.spec.unwrap_or_default();
    let containers = spec
        .containers
        .iter()
        .map(|container| {
            let state = reported.iter().find(|state| state.name == container.name);
            container_state(&container.name, state)
        })
        .collect();
    let label = |key: &str| metadata.labels.iter().flatten().find(|(name, _)| *name == key).map(|(_, v)| v.clone());
    Some(Pod {
        uid: metadata.uid.unwrap_or_default(),
        ordinal,
        revision: label("controller-revision-hash").unwrap_or_default(),
        phase: status.phase.unwrap_or_default(),
        ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
        terminating: metadata.deletion_timestamp.is_some(),
        node: spec.node_name,
        address: status.pod_ip.filter(|address| !address.is_empty()),
        unschedulable: unscheduled
            .map(|condition| condition.message.clone().or(condition.reason.clone()).unwrap_or_default()),
        containers,
        name,
    })
}

fn container_state(name: &str, status: Option<&core::ContainerStatus>) -> ContainerState {
    let Some(status) = status else {
        return ContainerState { name: name.to_owned(), ..ContainerState::default() };
    };
    let state = status.state.clone().unwrap_or_default();
    let ended = status.last_state.clone().and_then(|last| last.terminated).or(state.terminated.clone());
    ContainerState {
        name: name.to_owned(),
        running: state.running.is_some(),
        ready: status.ready,
        restarts: status.restart_count,
        waiting: state.waiting.map(|waiting| Waiting {
            reason: waiting.reason.unwrap_or_default(),
            message: waiting.message.unwrap_or_default(),
        }),
        last_exit: ended.map(|ended| {
            format!("{}, exit code {}", ended.reason.unwrap_or_else(|| "ended".to_owned()), ended.exit_code)
        }),
    }
}

pub(super) fn claim(claim: core::PersistentVolumeClaim) -> Claim {
    let spec = claim.spec.unwrap_or_default();
    Claim {
        created: created(&claim.metadata),
        terminating: claim.metadata.deletion_timestamp.is_some(),
        name: claim.metadata.name.unwrap_or_default(),
        uid: claim.metadata.uid.unwrap_or_default(),
        phase: claim.status.and_then(|status| status.phase).unwrap_or_default(),
        volume: spec.volume_name,
        storage_class: spec.storage_class_name,
    }
}

fn created(metadata: &ObjectMeta) -> String {
    metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default()
}

pub(super) fn volume(volume: core::PersistentVolume) -> Volume {
    let annotations = volume.metadata.annotations.unwrap_or_default();
    let spec = volume.spec.unwrap_or_default();
    let capacity = spec.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    Volume {
        name: volume.metadata.name.unwrap_or_default(),
        uid: volume.metadata.uid.unwrap_or_default(),
        phase: volume.status.and_then(|status| status.phase).unwrap_or_default(),
        capacity: capacity.map(|quantity| quantity.0.clone()).unwrap_or_default(),
        claim: spec.claim_ref.as_ref().and_then(|claim| Some((claim.namespace.clone()?, claim.name.clone()?))),
        provisioner: annotations.get(PROVISIONED_BY).cloned(),
        labels: volume.metadata.labels.unwrap_or_default(),
        // A type of the API's own always serialises.
        spec: serde_json::to_value(&spec).unwrap_or_default(),
        annotations,
    }
}

/// What else a ConfigMap says than its content.
pub(super) fn config_map(map: core::ConfigMap, keys: &[String]) -> ConfigMap {
    let owner = map.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    ConfigMap {
        version: map.metadata.resource_version.unwrap_or_default(),
        immutable: map.immutable.unwrap_or(false),
        owner: owner.map(|owner| format!("{} {}", owner.kind, owner.name)),
        data: map.data.unwrap_or_default().into_iter().filter(|(key, _)| keys.contains(key)).collect(),
    }
}

/// A DiskPool, of whatever version of its resource.
pub(super) fn disk_pool(object: DynamicObject) -> DiskPool {
    let text = |pointer: &str| object.data.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    DiskPool {
        node: text("/spec/node").unwrap_or_default(),
        status: text("/status/pool_status").or_else(|| text("/status/status")).unwrap_or_default(),
        name: object.metadata.name.unwrap_or_default(),
    }
}

pub(super) fn storage_class(class: storage::StorageClass) -> StorageClass {
    let default = class
        .metadata
        .annotations
        .iter()
        .flatten()
        .any(|(key, value)| key == "storageclass.kubernetes.io/is-default-class" && value == "true");
    StorageClass { name: class.metadata.name.unwrap_or_default(), provisioner: class.provisioner, default }
}

pub(super) fn service(service: core::Service) -> Service {
    let spec = service.spec.unwrap_or_default();
    Service {
        name: service.metadata.name.unwrap_or_default(),
        headless: spec.cluster_ip.as_deref() == Some("None"),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        selector: spec.selector.unwrap_or_default(),
    }
}

pub(super) fn node(node: core::Node) -> Node {
    let name = node.metadata.name.unwrap_or_default();
    let mut labels = node.metadata.labels.unwrap_or_default();
    labels.entry(HOST_NAME.to_owned()).or_insert_with(|| name.clone());
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let spec = node.spec.unwrap_or_default();
    let cordoned = spec.unschedulable.unwrap_or(false);
    let taints = spec.taints.unwrap_or_default().into_iter();
    let repelling = taints.filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    let taints = repelling
        .map(|taint| Taint { key: taint.key, value: taint.value.unwrap_or_default(), effect: taint.effect })
        .collect();
    Node { schedulable: ready && !cordoned, taints, labels, name }
}

/// Whether a selector of another object matches the pods of the StatefulSet.
pub(super) fn selects(selector: Option<&LabelSelector>, set: &StatefulSet) -> bool {
    selector.is_some_and(|selector| matches(selector, &set.template.labels))
}

/// Reads a text as objects, and what is derived from them.
#[cfg(fuzzing)]
pub(in crate::cluster) fn fuzz(text: &str) {
    let _ = serde_json::from_str(text).map(pod_template);
    if let Ok(Ok(set)) = serde_json::from_str(text).map(statefulset) {
        derive_all(&set);
    }
}

/// Derives whatever is derived from a StatefulSet, which nothing in it may stop.
#[cfg(any(test, fuzzing))]
fn derive_all(set: &StatefulSet) {
    let (template, pod) = (&set.template, set.pod_name(set.replicas));
    let Some((_, container)) = template.etcd() else { return };
    let _ = template.data_dir(container, &set.claim_templates);
    let _ = template.size_variable(container, set.replicas);
    let _ = (template.state_variable(container), template.peer_list(container));
    let _ = template.config_file(container, &pod);
    let _ = (template.client_tls(container), template.peer_tls(container), container.joins_by_itself());
    let _ = (set.sources(), set.record(), crate::model::client_ports(container));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::mangled::mangling;

    /// A StatefulSet with something in every field that is read.
    fn object() -> Value {
        let probe = json!({"exec": {"command": ["etcdctl", "endpoint", "health"]}});
        let reference = json!({"configMapKeyRef": {"name": "peers", "key": "list"}});
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {
                "name": "etcd", "namespace": "x", "uid": "u", "resourceVersion": "7", "generation": 3,
                "labels": {"app": "etcd"}, "annotations": {"etcd-scale.io/run": "{}"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Release", "name": "r", "uid": "o", "controller": true}],
                "managedFields": [{"manager": "argocd-controller", "operation": "Apply"}],
            },
            "spec": {
                "replicas": 2, "serviceName": "etcd-peers", "podManagementPolicy": "Parallel", "ordinals": {"start": 1},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "selector": {"matchLabels": {"app": "etcd"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
                "template": {
                    "metadata": {"labels": {"app": "etcd"}},
                    "spec": {
                        "nodeSelector": {"disk": "fast"},
                        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
                        "affinity": {
                            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "etcd"}}}]},
                            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}},
                        },
                        "containers": [{
                            "name": "etcd", "image": "etcd:3.5",
                            "command": ["sh", "-c"],
                            "args": ["exec etcd --data-dir /data/etcd --initial-cluster=$LIST --config-file /etc/etcd/$POD.yaml --cert-file=/certs/tls.crt --listen-client-urls https://0.0.0.0:2379"],
                            "env": [
                                {"name": "SIZE", "value": "2"},
                                {"name": "LIST", "valueFrom": reference},
                                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                            ],
                            "envFrom": [{"configMapRef": {"name": "more"}, "prefix": "ETCD_"}],
                            "ports": [{"name": "client", "containerPort": 2379}],
                            "readinessProbe": probe,
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "certs", "mountPath": "/certs"},
                                {"name": "conf", "mountPath": "/etc/etcd", "subPathExpr": "$(POD)"}],
                        }],
                        "volumes": [
                            {"name": "certs", "secret": {"secretName": "tls", "items": [{"key": "tls.crt", "path": "tls.crt"}]}},
                            {"name": "conf", "configMap": {"name": "conf"}}],
                    },
                },
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}],
            },
            "status": {"observedGeneration": 3, "replicas": 2, "currentRevision": "a", "updateRevision": "b"},
        })
    }

    proptest! {
        #[test]
        fn any_statefulset_is_survived(mangling in mangling()) {
            let Ok(object) = serde_json::from_value::<DynamicObject>(mangling.of(&object())) else { return Ok(()) };
            if let Ok(set) = statefulset(object) {
                derive_all(&set);
            }
        }
    }
}
