//! Binding: a claim and a volume that point at each other, one write at a time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::super::kinds;
use super::super::View;
use super::super::object::{claims, is_terminating, name, namespace, reference, uid};
use super::super::plan::{Action, Step, Told};
use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, NO_PROVISIONER, PROVISIONED_BY, SELECTED_NODE, best_volume, class, in_phase,
    is_bound, is_for, is_held, text, unprotected, waits_for_consumer,
};

const IN_USE: &str = "kubernetes.io/pvc-protection";

/// The next thing to do for a claim.
pub(super) fn claim(view: &View, claim: &Arc<Value>) -> Option<Step> {
    if is_terminating(claim) {
        // A pod that is on no node does not hold it: the node would not start it.
        let used = view.of(kinds::PODS).iter().any(|pod| {
            namespace(pod) == namespace(claim)
                && !pod["spec"]["nodeName"].is_null()
                && claims(pod).any(|used| used == name(claim))
        });
        return if used { None } else { unprotected(kinds::CLAIMS, claim, IN_USE) };
    }
    if is_bound(claim) {
        return kept(view, claim);
    }
    if is_held(view, claim) {
        return None;
    }
    let wanted = text(&claim["spec"]["volumeName"]);
    if wanted.is_empty() { Some(unbound(view, claim)) } else { asked_for(view, claim, wanted) }
}

/// A claim that has a volume: whether it still has it.
fn kept(view: &View, claim: &Arc<Value>) -> Option<Step> {
    let lost = |reason, message: &str| {
        if claim["status"]["phase"] == "Lost" {
            return None;
        }
        let told = Told { about: Arc::clone(claim), warning: true, reason, message: message.to_owned() };
        Some(Step { on_success: Some(told), ..Step::status(kinds::CLAIMS, in_phase(claim, "Lost", "")) })
    };
    match view.get(kinds::VOLUMES, "", text(&claim["spec"]["volumeName"])) {
        None => lost("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
        Some(volume) if volume["spec"]["claimRef"].is_null() => claimed(volume, claim),
        Some(volume) if is_for(volume, claim) => {
            let spec = &volume["spec"];
            let status = json!({"phase": "Bound", "accessModes": spec["accessModes"], "capacity": spec["capacity"]});
            if claim["status"] == status {
                return None;
            }
            let mut after = Value::clone(claim);
            after["status"] = status;
            Some(Step::status(kinds::CLAIMS, after))
        }
        Some(_) => lost("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"),
    }
}

/// A claim that asks for one volume by name.
fn asked_for(view: &View, claim: &Arc<Value>, wanted: &str) -> Option<Step> {
    let volume = view.get(kinds::VOLUMES, "", wanted)?;
    if volume["spec"]["claimRef"].is_null() || is_for(volume, claim) {
        return Some(bind(volume, claim));
    }
    let message = format!("volume \"{wanted}\" already bound to a different claim.");
    Some(Step::tell(claim, true, "FailedBinding", message))
}

fn unbound(view: &View, claim: &Arc<Value>) -> Step {
    let waits = waits_for_consumer(view, claim);
    let selected = text(&claim["metadata"]["annotations"][SELECTED_NODE]);
    let node = view.get(kinds::NODES, "", selected);
    if let Some(volume) = best_volume(view, claim, node.map(AsRef::as_ref)) {
        return bind(volume, claim);
    }
    if waits && selected.is_empty() {
        let message = "waiting for first consumer to be created before binding";
        return Step::tell(claim, false, "WaitForFirstConsumer", message);
    }
    let wanted = text(&claim["spec"]["storageClassName"]);
    if wanted.is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        return Step::tell(claim, false, "FailedBinding", message);
    }
    let Some(class) = class(view, claim) else {
        let message = format!("storageclass.storage.k8s.io \"{wanted}\" not found");
        return Step::tell(claim, true, "ProvisioningFailed", message);
    };
    if class["provisioner"] == NO_PROVISIONER {
        let message = format!("no volume plugin matched name: {NO_PROVISIONER}");
        return Step::tell(claim, true, "ProvisioningFailed", message);
    }
    provision(claim, class)
}

/// Points a volume at a claim, or the claim at a volume that points at it.
fn bind(volume: &Arc<Value>, claim: &Arc<Value>) -> Step {
    if let Some(step) = claimed(volume, claim) {
        return step;
    }
    let mut after = Value::clone(claim);
    if text(&claim["spec"]["volumeName"]).is_empty() {
        after["spec"]["volumeName"] = json!(name(volume));
        after["metadata"]["annotations"][BOUND_BY_CONTROLLER] = json!("yes");
    }
    after["metadata"]["annotations"][BIND_COMPLETED] = json!("yes");
    Step::whole(kinds::CLAIMS, after)
}

/// Points a volume at a claim; none where it does.
fn claimed(volume: &Value, claim: &Value) -> Option<Step> {
    let standing = &volume["spec"]["claimRef"];
    if standing["uid"] == uid(claim) {
        return None;
    }
    let mut after = volume.clone();
    if standing.is_null() {
        after["metadata"]["annotations"][BOUND_BY_CONTROLLER] = json!("yes");
    }
    after["spec"]["claimRef"] = reference(claim);
    Some(Step::whole(kinds::VOLUMES, after))
}

/// A new volume, as a driver's provisioner would make it.
fn provision(claim: &Arc<Value>, class: &Value) -> Step {
    let volume = format!("pvc-{}", uid(claim));
    let provisioner = text(&class["provisioner"]);
    let spec = &claim["spec"];
    let object = json!({
        "metadata": {"name": volume, "annotations": {PROVISIONED_BY: provisioner}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"], "volumeMode": spec["volumeMode"],
            "claimRef": reference(claim), "storageClassName": name(class),
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"],
            "csi": {"driver": provisioner, "volumeHandle": volume},
        },
    });
    let about = || Arc::clone(claim);
    let message = format!("Successfully provisioned volume {volume}");
    let wrong = format!("failed to provision volume with StorageClass \"{}\": ", name(class));
    Step {
        action: Action::Create { resource: kinds::VOLUMES, namespace: String::new(), object },
        on_success: Some(Told { about: about(), warning: false, reason: "ProvisioningSucceeded", message }),
        on_failure: vec![Told { about: about(), warning: true, reason: "ProvisioningFailed", message: wrong }],
    }
}
