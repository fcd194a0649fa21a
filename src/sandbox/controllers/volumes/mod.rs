//! Claims and volumes: which volume a claim gets, and what becomes of both in the end.

mod binding;
mod reclaim;

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds;
use super::super::quantity;
use super::View;
use super::events;
use super::object::{has_finalizer, is_terminating, list, name, namespace, uid};
use super::plan::{Plan, Step};
use super::selector::{selects, volume_fits};

/// Makes the volumes of the class that a cluster has from the start.
pub(super) const PROVISIONER: &str = "sandbox.etcd-scale.io/tmpfs";
/// Where the first pod of a claim will run.
pub(super) const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

pub(super) fn decide(view: &View) -> Vec<Plan> {
    let claims = view.of(kinds::CLAIMS).iter().map(|claim| {
        let steps: Vec<_> = binding::claim(view, claim).into_iter().collect();
        // What waits is told again from time to time.
        let again = (!is_bound(claim)).then(|| view.now + events::EVERY);
        Plan { again, ..Plan::new(claim, steps) }
    });
    let volumes = view.of(kinds::VOLUMES).iter().map(|volume| Plan::new(volume, reclaim::volume(view, volume)));
    claims.chain(volumes).collect()
}

/// Whether a claim has its volume.
pub(super) fn is_bound(claim: &Value) -> bool {
    !claim["metadata"]["annotations"][BIND_COMPLETED].is_null() && !text(&claim["spec"]["volumeName"]).is_empty()
}

/// Whether the class of a claim leaves it unbound until a pod needs it.
pub(super) fn waits_for_consumer(view: &View, claim: &Value) -> bool {
    class(view, claim).is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
}

fn class<'a>(view: &'a View, claim: &Value) -> Option<&'a Arc<Value>> {
    view.get(kinds::STORAGE_CLASSES, "", text(&claim["spec"]["storageClassName"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a volume is for a claim: by name, and by uid where it has one.
fn is_for(volume: &Value, claim: &Value) -> bool {
    let wanted = &volume["spec"]["claimRef"];
    wanted["name"] == name(claim)
        && wanted["namespace"] == namespace(claim)
        && (text(&wanted["uid"]).is_empty() || wanted["uid"] == uid(claim))
}

/// The volume for a claim: one that is for it, or else the smallest that is free and large enough.
pub(super) fn best_volume<'a>(view: &'a View, claim: &Value, node: Option<&Value>) -> Option<&'a Arc<Value>> {
    let size = |volume: &Value| quantity::thousandths(text(&volume["spec"]["capacity"]["storage"])).unwrap_or_default();
    let wanted = quantity::thousandths(text(&claim["spec"]["resources"]["requests"]["storage"])).unwrap_or_default();
    let suits = |volume: &Arc<Value>| {
        let (spec, claimed) = (&volume["spec"], &claim["spec"]);
        let mode = |spec: &Value| spec["volumeMode"].as_str().unwrap_or("Filesystem").to_owned();
        !is_terminating(volume)
            && size(volume) >= wanted
            && mode(spec) == mode(claimed)
            && list(&claimed["accessModes"]).all(|mode| list(&spec["accessModes"]).any(|other| other == mode))
    };
    let suiting = || view.of(kinds::VOLUMES).iter().filter(|volume| suits(volume));
    if let Some(reserved) = suiting().find(|volume| is_for(volume, claim)) {
        return Some(reserved);
    }
    // A claim that waits for its pod takes no volume before the pod's node is known.
    if node.is_none() && waits_for_consumer(view, claim) {
        return None;
    }
    let selector = &claim["spec"]["selector"];
    let free = suiting().filter(|volume| {
        volume["spec"]["claimRef"].is_null()
            && volume["status"]["phase"] == "Available"
            && text(&volume["spec"]["storageClassName"]) == text(&claim["spec"]["storageClassName"])
            && (selector.is_null() || selects(selector, volume))
            && node.is_none_or(|node| volume_fits(volume, node))
    });
    free.min_by_key(|volume| size(volume))
}

/// Whether trouble on demand holds a claim unbound.
fn is_held(view: &View, claim: &Value) -> bool {
    view.of(kinds::FAULTS).iter().any(|fault| {
        namespace(fault) == namespace(claim) && !is_terminating(fault) && fault["spec"]["hold"]["claim"] == name(claim)
    })
}

/// The object without the finalizer that protects it while it is in use.
fn unprotected(resource: &str, object: &Value, finalizer: &str) -> Option<Step> {
    has_finalizer(object, finalizer).then(|| Step::whole(resource, super::object::without_finalizer(object, finalizer)))
}

/// The object with another phase.
fn in_phase(object: &Value, phase: &str, message: &str) -> Value {
    let mut after = object.clone();
    if !after["status"].is_object() {
        after["status"] = json!({});
    }
    after["status"]["phase"] = json!(phase);
    if let Some(status) = after["status"].as_object_mut() {
        if message.is_empty() {
            status.remove("message");
        } else {
            status.insert("message".to_owned(), json!(message));
        }
    }
    after
}
