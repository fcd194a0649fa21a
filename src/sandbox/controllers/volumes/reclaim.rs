//! What a volume is to its claim, and what becomes of it without one.

use std::sync::Arc;

use serde_json::Value;

use super::super::super::kinds;
use super::super::View;
use super::super::object::{is_terminating, name, uid};
use super::super::plan::{Step, Told};
use super::{PROVISIONED_BY, in_phase, text, unprotected};

const IN_USE: &str = "kubernetes.io/pv-protection";

/// The next thing to do for a volume: at most one write.
pub(super) fn volume(view: &View, volume: &Arc<Value>) -> Vec<Step> {
    let wanted = &volume["spec"]["claimRef"];
    let claim = view
        .get(kinds::CLAIMS, text(&wanted["namespace"]), text(&wanted["name"]))
        .filter(|claim| wanted["uid"] == uid(claim));
    let phase = |phase: &str| -> Vec<Step> {
        if volume["status"]["phase"] == phase {
            return Vec::new();
        }
        vec![Step::status(kinds::VOLUMES, in_phase(volume, phase, ""))]
    };
    if is_terminating(volume) && claim.is_none() {
        return unprotected(kinds::VOLUMES, volume, IN_USE).into_iter().collect();
    }
    // Reserved for a claim of a name is still free.
    if wanted.is_null() || text(&wanted["uid"]).is_empty() {
        return phase("Available");
    }
    if let Some(claim) = claim {
        let taken = text(&claim["spec"]["volumeName"]);
        if taken.is_empty() || taken == name(volume) {
            return phase("Bound");
        }
        // The claim took another volume meanwhile.
        if volume["metadata"]["annotations"][PROVISIONED_BY].is_null() {
            let mut after = Value::clone(volume);
            if let Some(spec) = after["spec"].as_object_mut() {
                spec.remove("claimRef");
            }
            return vec![Step::whole(kinds::VOLUMES, after)];
        }
    }
    if volume["status"]["phase"] != "Released" && volume["status"]["phase"] != "Failed" {
        return phase("Released");
    }
    if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete" { delete(volume) } else { phase("Released") }
}

/// Deletes a released volume, or says why that cannot be done.
fn delete(volume: &Arc<Value>) -> Vec<Step> {
    let spec = &volume["spec"];
    let path = text(&spec["hostPath"]["path"]);
    let why = if !volume["metadata"]["annotations"][PROVISIONED_BY].is_null() {
        None
    } else if spec["hostPath"].is_object() {
        // Anything else might be the node's own.
        let is_ours = path.strip_prefix("/tmp/").is_some_and(|rest| !rest.is_empty());
        (!is_ours).then(|| format!("host_path deleter only supports /tmp/.+ but received provided {path}"))
    } else if spec["csi"].is_object() {
        // Its driver's provisioner would see to it, and there is none here.
        return Vec::new();
    } else {
        let (volume, matched) = (name(volume), "no deletable volume plugin matched");
        Some(format!("error getting deleter volume plugin for volume \"{volume}\": {matched}"))
    };
    let Some(why) = why else { return vec![Step::delete(kinds::VOLUMES, volume)] };
    if volume["status"]["phase"] == "Failed" {
        return Vec::new();
    }
    let told = Told { about: Arc::clone(volume), warning: true, reason: "VolumeFailedDelete", message: why.clone() };
    vec![Step { on_success: Some(told), ..Step::status(kinds::VOLUMES, in_phase(volume, "Failed", &why)) }]
}
