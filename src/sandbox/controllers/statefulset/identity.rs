//! What makes a pod a set's own: its name, ordinal, labels, owner and claims.

use serde_json::{Value, json};

use super::super::object::{list, name, namespace, owned_by};
use super::revisions::HASH_OF_POD;

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// The ordinal of a pod, by its name; none where it is not one that the set would make.
pub(super) fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let digits = name(pod).strip_prefix(name(set))?.strip_prefix('-')?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The first ordinal, and the one after the last.
pub(super) fn range(set: &Value) -> std::ops::Range<i64> {
    let start = set["spec"]["ordinals"]["start"].as_i64().unwrap_or(0).max(0);
    start..start.saturating_add(set["spec"]["replicas"].as_i64().unwrap_or(1).max(0))
}

pub(super) fn pod_name(set: &Value, ordinal: i64) -> String {
    format!("{}-{ordinal}", name(set))
}

/// The pod of an ordinal, of a revision.
pub(super) fn pod(set: &Value, revision: &Value, ordinal: i64) -> Value {
    let template = &revision["data"]["spec"]["template"];
    let called = pod_name(set, ordinal);
    let mut metadata = json!({
        "name": called, "generateName": format!("{}-", name(set)), "namespace": namespace(set),
        "ownerReferences": [owned_by(set)], "labels": {},
    });
    for field in ["labels", "annotations", "finalizers"] {
        let said = &template["metadata"][field];
        // A revision may be of anybody's making.
        if said.is_object() || (said.is_array() && field == "finalizers") {
            metadata[field] = said.clone();
        }
    }
    metadata["labels"][POD_NAME] = json!(called);
    metadata["labels"][POD_INDEX] = json!(ordinal.to_string());
    metadata["labels"][HASH_OF_POD] = json!(name(revision));
    let mut spec = if template["spec"].is_object() { template["spec"].clone() } else { json!({}) };
    spec["hostname"] = json!(called);
    if let Some(service) = set["spec"]["serviceName"].as_str().filter(|service| !service.is_empty()) {
        spec["subdomain"] = json!(service);
    }
    let claimed: Vec<_> = list(&set["spec"]["volumeClaimTemplates"]).map(name).collect();
    let mounted = claimed.iter().map(
        |template| json!({"name": template, "persistentVolumeClaim": {"claimName": format!("{template}-{called}")}}),
    );
    // Volumes of the template give way to claims of the same name.
    let others = list(&template["spec"]["volumes"])
        .filter(|volume| volume["name"].as_str().is_none_or(|name| !claimed.contains(&name)));
    let volumes: Vec<_> = mounted.chain(others.cloned()).collect();
    if !volumes.is_empty() {
        spec["volumes"] = json!(volumes);
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// Whether a pod still has the labels that say who it is.
pub(super) fn matches(pod: &Value) -> bool {
    pod["metadata"]["labels"][POD_NAME] == name(pod)
}

/// The pod with its name's labels put back.
pub(super) fn restored(pod: &Value, ordinal: i64) -> Value {
    let mut after = pod.clone();
    after["metadata"]["labels"][POD_NAME] = json!(name(pod));
    after["metadata"]["labels"][POD_INDEX] = json!(ordinal.to_string());
    after
}

/// The claims of a pod.
pub(super) fn claims(set: &Value, ordinal: i64) -> impl Iterator<Item = Value> {
    list(&set["spec"]["volumeClaimTemplates"]).map(move |template| {
        let mut metadata = json!({
            "name": format!("{}-{}", name(template), pod_name(set, ordinal)), "namespace": namespace(set),
            "labels": {},
        });
        for field in ["labels", "annotations", "finalizers"] {
            if !template["metadata"][field].is_null() {
                metadata[field] = template["metadata"][field].clone();
            }
        }
        for (key, value) in set["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten() {
            metadata["labels"][key] = value.clone();
        }
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"],
        })
    })
}
