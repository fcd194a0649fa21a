//! Reading of objects: what several controllers look at in them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Empty for what belongs to no namespace.
pub(super) fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

pub(super) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

pub(super) fn is_terminating(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// The owner that controls an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    list(&object["metadata"]["ownerReferences"]).find(|owner| owner["controller"] == true)
}

/// The entries of what should be a list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(&object["metadata"]["finalizers"]).any(|other| other == finalizer)
}

/// The object without a finalizer.
pub(super) fn without_finalizer(object: &Value, finalizer: &str) -> Value {
    let mut after = object.clone();
    if let Some(list) = after["metadata"]["finalizers"].as_array_mut() {
        list.retain(|other| other != finalizer);
    }
    after
}

pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&object["status"]["conditions"]).find(|condition| condition["type"] == kind)
}

pub(super) fn is_ready(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
}

pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The names of the claims that a pod mounts.
pub(super) fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    list(&pod["spec"]["volumes"]).filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}

/// The object of a name among those of a namespace.
pub(super) fn find<'a>(objects: &'a [Arc<Value>], within: &str, called: &str) -> Option<&'a Arc<Value>> {
    objects.iter().find(|object| name(object) == called && namespace(object) == within)
}

/// An owner reference of the one that controls an object.
pub(super) fn owned_by(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    })
}

/// How an object is pointed at by others: an event's `involvedObject`, a volume's `claimRef`.
pub(super) fn reference(object: &Value) -> Value {
    let meta = &object["metadata"];
    let mut reference = json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": meta["name"], "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    });
    if !meta["namespace"].is_null() {
        reference["namespace"] = meta["namespace"].clone();
    }
    reference
}
