//! What the API server sees to when an object is created or changed: defaults, and what is not valid.

use serde_json::{Value, json};

use super::kinds::{self, Kind};
use super::registry::Registry;
use super::status::Status;

/// Defaults and checks for a new object.
///
/// # Errors
/// When it is not valid, or a quota has no room for it.
pub(super) fn creating(_registry: &Registry, kind: &Kind, object: &mut Value) -> Result<(), Status> {
    if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        let why = "Required value: name or generateName is required";
        return Err(Status::invalid(&kind.qualified(), "", "metadata.name", why));
    }
    if kind.resource() == kinds::NAMESPACES {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
    }
    Ok(())
}

/// Checks a change of an object.
///
/// # Errors
/// When it would not be valid, or may not be changed.
pub(super) fn updating(_registry: &Registry, _kind: &Kind, _before: &Value, _after: &mut Value) -> Result<(), Status> {
    Ok(())
}

/// Seconds that a pod gets to end: what was asked for, or its own; none where it runs nowhere.
pub(super) fn grace(pod: &Value, asked: Option<u64>) -> u64 {
    if pod["spec"]["nodeName"].is_null() {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    let standing = pod["metadata"]["deletionGracePeriodSeconds"].as_u64();
    // A second deletion may only shorten what the first has given.
    let asked = asked.unwrap_or(standing.unwrap_or(own));
    standing.map_or(asked, |standing| asked.min(standing))
}
