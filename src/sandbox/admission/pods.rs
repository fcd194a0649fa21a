//! Pods: what they begin with, and what of them may change.

use serde_json::{Value, json};

use super::super::kinds;
use super::super::registry::Registry;
use super::super::status::{Cause, Status};

/// What a pod has before anybody has seen it.
pub(super) fn begin(pod: &mut Value) {
    let spec = &mut pod["spec"];
    if spec["serviceAccountName"].as_str().is_none_or(str::is_empty) {
        let older = spec["serviceAccount"].as_str().filter(|name| !name.is_empty()).unwrap_or("default").to_owned();
        spec["serviceAccountName"] = json!(older);
    }
    spec["serviceAccount"] = spec["serviceAccountName"].clone();
    for (field, value) in [("priority", json!(0)), ("preemptionPolicy", json!("PreemptLowerPriority"))] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
    // A pod stays for five minutes on a node that is lost.
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
        let said = tolerations.iter().any(|one| {
            let effect = one["effect"].as_str().unwrap_or_default();
            (one["key"] == key || one["key"].is_null()) && (effect.is_empty() || effect == "NoExecute")
        });
        if !said {
            tolerations
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
        spec["tolerations"] = json!(tolerations);
    }
    let class = quality(spec);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
}

/// The quality of service: how surely a pod has what it needs.
fn quality(spec: &Value) -> &'static str {
    let containers = || ["initContainers", "containers"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
    let amount = |container: &Value, of: &str, which: &str| container["resources"][of][which].clone();
    let computing = ["cpu", "memory"];
    let none = containers().all(|container| {
        let said = |of| computing.iter().any(|which| !amount(container, of, which).is_null());
        !said("requests") && !said("limits")
    });
    let all = containers().all(|container| {
        computing.iter().all(|which| {
            let (limit, asked) = (amount(container, "limits", which), amount(container, "requests", which));
            !limit.is_null() && (asked.is_null() || asked == limit)
        })
    });
    match (none, all) {
        (true, _) => "BestEffort",
        (_, true) => "Guaranteed",
        _ => "Burstable",
    }
}

/// Whether a pod's service account is there. `default` is not looked for: every namespace gets it, if a moment later.
pub(super) fn check_account(registry: &Registry, pod: &Value) -> Result<(), Status> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    let account = text(&pod["spec"]["serviceAccountName"]);
    if account == "default" || registry.get(kinds::SERVICE_ACCOUNTS, &namespace, &account).is_ok() {
        return Ok(());
    }
    let why = format!("error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found");
    Err(Status::forbidden(kinds::PODS, &name, &why))
}

pub(super) fn check_change(before: &Value, after: &Value, causes: &mut Vec<Cause>) {
    let mut wanted = after["spec"].clone();
    let standing = &before["spec"];
    for list in ["containers", "initContainers"] {
        let images = standing[list].as_array().map(Vec::as_slice).unwrap_or_default();
        for (container, before) in wanted[list].as_array_mut().into_iter().flatten().zip(images) {
            container["image"] = before["image"].clone();
        }
    }
    // The scheduler gives a pod its node, once.
    let mut free = vec!["activeDeadlineSeconds"];
    if standing["nodeName"].is_null() {
        free.push("nodeName");
    }
    let added = |before: &Value, after: &Value| {
        let after = after.as_array().map(Vec::as_slice).unwrap_or_default();
        before.as_array().into_iter().flatten().all(|one| after.contains(one))
    };
    if added(&standing["tolerations"], &after["spec"]["tolerations"]) {
        free.push("tolerations");
    }
    for field in free {
        wanted[field] = standing[field].clone();
    }
    super::defaults::drop_nulls(&mut wanted);
    if wanted != *standing {
        let why = "pod updates may not change fields other than `spec.containers[*].image`, \
                   `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` (only additions \
                   to existing tolerations)";
        causes.push(Cause::forbidden("spec", why));
    }
}
