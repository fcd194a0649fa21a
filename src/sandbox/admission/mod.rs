//! What the API server sees to when an object is created or changed: defaults, and what is not valid.

mod defaults;
mod leases;
mod metadata;
mod pods;
mod services;
mod shape;
mod statefulsets;
mod storage;
mod template;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::controllers;
use super::kinds::{self, Kind};
use super::registry::{Registry, now};
use super::status::{Cause, Status};

/// Defaults and checks for a new object.
///
/// # Errors
/// When it is not valid, or a quota has no room for it.
pub(super) fn creating(registry: &Registry, kind: &Kind, object: &mut Value) -> Result<(), Status> {
    let resource = kind.resource();
    shape::check(kind, object)?;
    match resource.as_str() {
        kinds::NAMESPACES => {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        kinds::STATEFUL_SETS => object["status"] = json!({"replicas": 0, "availableReplicas": 0}),
        kinds::PODS => pods::begin(object),
        kinds::CLAIMS => storage::begin_claim(registry, object),
        kinds::VOLUMES => storage::begin_volume(object),
        kinds::SERVICES => object["status"] = json!({"loadBalancer": {}}),
        kinds::CUSTOM_KINDS => establish(object),
        _ => {}
    }
    defaults::fill(&resource, object);
    if resource == kinds::SERVICES {
        services::give_address(registry, object);
    }
    let mut causes = Vec::new();
    metadata::check(&resource, object, &mut causes);
    valid(&resource, object, &mut causes);
    refuse(kind, object, &causes)?;
    if resource == kinds::PODS {
        pods::check_account(registry, object)?;
    }
    controllers::check_quotas(registry, &resource, object)
}

/// Checks a change of an object. The store is locked meanwhile, so other objects cannot be looked at.
///
/// # Errors
/// When it would not be valid, or may not be changed.
pub(super) fn updating(kind: &Kind, before: &Value, after: &mut Value) -> Result<(), Status> {
    let resource = kind.resource();
    shape::check(kind, after)?;
    match resource.as_str() {
        // A namespace's own finalizers go when it has been emptied, not by who leaves them out.
        kinds::NAMESPACES if after["metadata"]["deletionTimestamp"].is_null() => {
            after["spec"] = before["spec"].clone();
        }
        kinds::SERVICES => services::keep_address(before, after),
        _ => {}
    }
    defaults::fill(&resource, after);
    let mut causes = Vec::new();
    metadata::check(&resource, after, &mut causes);
    valid(&resource, after, &mut causes);
    metadata::check_finalizers(before, after, &mut causes);
    match resource.as_str() {
        kinds::STATEFUL_SETS => statefulsets::check_change(before, after, &mut causes),
        kinds::PODS => pods::check_change(before, after, &mut causes),
        kinds::CLAIMS => storage::check_claim_change(before, after, &mut causes)?,
        kinds::VOLUMES => storage::check_volume_change(before, after, &mut causes),
        kinds::STORAGE_CLASSES => storage::check_class_change(before, after, &mut causes),
        kinds::SERVICES => services::check_change(before, after, &mut causes),
        _ => {}
    }
    refuse(kind, after, &causes)
}

/// Checks a change of an object's status.
///
/// # Errors
/// When a field has a value of another kind than it should.
pub(super) fn updating_status(kind: &Kind, after: &Value) -> Result<(), Status> {
    shape::check(kind, after)
}

fn valid(resource: &str, object: &Value, causes: &mut Vec<Cause>) {
    match resource {
        kinds::STATEFUL_SETS => statefulsets::check(object, causes),
        kinds::PODS => template::check(&object["spec"], "spec", causes),
        kinds::CLAIMS => storage::check_claim(&object["spec"], "spec", causes),
        kinds::VOLUMES => storage::check_volume(&object["spec"], causes),
        kinds::STORAGE_CLASSES => storage::check_class(object, causes),
        kinds::SERVICES => services::check(object, causes),
        kinds::LEASES => leases::check(&object["spec"], causes),
        kinds::FAULTS => check_fault(object, causes),
        kinds::CONFIG_MAPS | kinds::SECRETS => metadata::check_data(object, causes),
        _ => {}
    }
}

fn refuse(kind: &Kind, object: &Value, causes: &[Cause]) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::invalid_for(&kind.qualified(), name, causes))
}

/// Trouble on demand is of one sort at a time, and for somebody.
fn check_fault(fault: &Value, causes: &mut Vec<Cause>) {
    const SORTS: &[(&str, &[&str])] = &[
        ("freeze", &["pod"]),
        ("kill", &["pod"]),
        ("cut", &["pod"]),
        ("drop", &["pod"]),
        ("hold", &["claim"]),
        ("answer", &["verbs", "resource"]),
    ];
    let spec = &fault["spec"];
    let said: Vec<_> = SORTS.iter().filter(|(sort, _)| !spec[*sort].is_null()).collect();
    let [(sort, needed)] = said.as_slice() else {
        let names: Vec<_> = SORTS.iter().map(|(sort, _)| *sort).collect();
        causes.push(Cause::required("spec", &format!("must have exactly one of {}", names.join(", "))));
        return;
    };
    for field in *needed {
        let value = &spec[*sort][*field];
        if value.is_null() || *value == json!("") || *value == json!([]) {
            causes.push(Cause::required(format!("spec.{sort}.{field}"), ""));
        }
    }
}

/// A definition of a kind is served at once.
fn establish(definition: &mut Value) {
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now(),
        })
    };
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let stored: Vec<_> =
        versions.filter(|version| version["storage"] == true).map(|version| &version["name"]).collect();
    definition["status"] = json!({
        "acceptedNames": definition["spec"]["names"], "storedVersions": stored,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    });
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
