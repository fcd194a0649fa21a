//! What kubelet tells about a pod: Events, counted where they say the same again.

use serde_json::{Value, json};

use crate::sandbox::kinds;
use crate::sandbox::registry::{Part, Registry, now};

/// Tells what happened to a pod, or to the container at `path`, such as `spec.containers{etcd}`.
pub(super) fn tell(registry: &Registry, pod: &Value, path: Option<&str>, warning: bool, reason: &str, message: &str) {
    let meta = &pod["metadata"];
    let (namespace, name) = (meta["namespace"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap_or_default());
    let mut about = json!({
        "apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": name, "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    });
    if let Some(path) = path {
        about["fieldPath"] = json!(path);
    }
    let (events, _) = registry.list(kinds::EVENTS, Some(namespace));
    let same = events.iter().find(|event| {
        event["involvedObject"]["uid"] == about["uid"]
            && event["involvedObject"]["fieldPath"] == about["fieldPath"]
            && event["reason"] == reason
            && event["message"] == message
    });
    if let Some(same) = same.and_then(|event| event["metadata"]["name"].as_str()) {
        let counted = registry.update(kinds::EVENTS, namespace, same, Part::Whole, false, |event| {
            event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
            event["lastTimestamp"] = json!(now());
            Ok(())
        });
        if counted.is_ok() {
            return;
        }
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let event = json!({
        "metadata": {"name": format!("{name}.{}", &id[..16]), "namespace": namespace},
        "involvedObject": about,
        "type": if warning { "Warning" } else { "Normal" },
        "reason": reason,
        "message": message,
        "count": 1,
        "eventTime": null,
        "firstTimestamp": now(),
        "lastTimestamp": now(),
        "source": {"component": "kubelet", "host": super::NAME},
        "reportingComponent": "",
        "reportingInstance": "",
    });
    // A namespace that ends takes no more of them, in a real cluster neither.
    if let Err(error) = registry.create(kinds::EVENTS, namespace, event, false) {
        tracing::debug!(pod = name, reason, error = error.message, "an event was not taken");
    }
}
