//! Claims, volumes and storage classes.

use serde_json::{Value, json};

use super::super::kinds;
use super::super::quantity;
use super::super::registry::Registry;
use super::super::status::{Cause, Status};
use super::defaults::drop_nulls;

const MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

fn protect(object: &mut Value, finalizer: &str) {
    let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    if !finalizers.iter().any(|other| other == finalizer) {
        finalizers.push(json!(finalizer));
    }
    object["metadata"]["finalizers"] = json!(finalizers);
}

pub(super) fn begin_claim(registry: &Registry, claim: &mut Value) {
    claim["status"] = json!({"phase": "Pending"});
    protect(claim, "kubernetes.io/pvc-protection");
    if !claim["spec"]["storageClassName"].is_null() {
        return;
    }
    let (classes, _) = registry.list(kinds::STORAGE_CLASSES, None);
    let default = classes
        .iter()
        .filter(|class| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true");
    // Of several, the newest.
    if let Some(class) = default.max_by_key(|class| class["metadata"]["creationTimestamp"].as_str().unwrap_or_default())
    {
        claim["spec"]["storageClassName"] = class["metadata"]["name"].clone();
    }
}

pub(super) fn begin_volume(volume: &mut Value) {
    volume["status"] = json!({"phase": "Pending"});
    protect(volume, "kubernetes.io/pv-protection");
}

fn check_modes(modes: &Value, field: &str, why: &str, causes: &mut Vec<Cause>) {
    let modes = modes.as_array().map(Vec::as_slice).unwrap_or_default();
    if modes.is_empty() {
        causes.push(Cause::required(field, why));
    }
    for mode in modes.iter().filter_map(Value::as_str).filter(|mode| !MODES.contains(mode)) {
        causes.push(Cause::unsupported(field, mode, MODES));
    }
}

fn check_size(size: &Value, field: &str, causes: &mut Vec<Cause>) {
    let shown = size.as_str().map_or_else(|| size.to_string(), str::to_owned);
    if quantity::thousandths(&shown).is_none_or(|size| size <= 0) {
        causes.push(Cause::invalid(field, format!("\"{shown}\""), "must be greater than zero"));
    }
}

pub(super) fn check_claim(spec: &Value, at: &str, causes: &mut Vec<Cause>) {
    check_modes(&spec["accessModes"], &format!("{at}.accessModes"), "at least 1 access mode is required", causes);
    let size = &spec["resources"]["requests"]["storage"];
    if size.is_null() {
        causes.push(Cause::required(format!("{at}.resources[storage]"), ""));
    } else {
        check_size(size, &format!("{at}.resources[storage]"), causes);
    }
    let mode = spec["volumeMode"].as_str().unwrap_or_default();
    if !matches!(mode, "Block" | "Filesystem") {
        causes.push(Cause::unsupported(format!("{at}.volumeMode"), mode, &["Block", "Filesystem"]));
    }
}

/// The volume of a claim that has none may be set, by whoever binds it; and nothing else.
pub(super) fn check_claim_change(before: &Value, after: &Value, causes: &mut Vec<Cause>) -> Result<(), Status> {
    let standing = &before["spec"];
    let mut wanted = after["spec"].clone();
    if standing["volumeName"].as_str().is_none_or(str::is_empty) {
        wanted["volumeName"] = standing["volumeName"].clone();
    }
    let resized = wanted["resources"] != standing["resources"];
    wanted["resources"] = standing["resources"].clone();
    drop_nulls(&mut wanted);
    let mut same = standing.clone();
    drop_nulls(&mut same);
    let bound = before["status"]["phase"] == "Bound";
    if wanted != same || (resized && !bound) {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests for bound claims",
        ));
    } else if resized {
        let size = |claim: &Value| {
            let size = claim["spec"]["resources"]["requests"]["storage"].as_str();
            size.and_then(quantity::thousandths).unwrap_or_default()
        };
        if size(after) < size(before) {
            let why = "field can not be less than previous value";
            causes.push(Cause::forbidden("spec.resources.requests.storage", why));
            return Ok(());
        }
        let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must \
                   support resize";
        let name = after["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Status::forbidden(kinds::CLAIMS, name, why));
    }
    Ok(())
}

pub(super) fn check_volume(spec: &Value, causes: &mut Vec<Cause>) {
    /// What else a volume's spec has than its source.
    const OTHERS: &[&str] = &[
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    check_modes(&spec["accessModes"], "spec.accessModes", "", causes);
    let size = &spec["capacity"]["storage"];
    if size.is_null() {
        causes.push(Cause::required("spec.capacity", ""));
    } else {
        check_size(size, "spec.capacity[storage]", causes);
    }
    let fields = || spec.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    match fields().filter(|(field, _)| !OTHERS.contains(&field.as_str())).count() {
        0 => causes.push(Cause::required("spec", "must specify a volume type")),
        1 => {}
        _ => causes.push(Cause::forbidden("spec", "may not specify more than 1 volume type")),
    }
    for source in ["hostPath", "local"] {
        let path = spec[source]["path"].as_str().unwrap_or_default();
        if spec[source].is_null() {
            continue;
        }
        if path.is_empty() {
            causes.push(Cause::required(format!("spec.{source}.path"), ""));
        } else if path.split('/').any(|part| part == "..") {
            let field = format!("spec.{source}.path");
            causes.push(Cause::invalid(field, format!("\"{path}\""), "must not contain '..'"));
        }
    }
    if !spec["local"].is_null() && spec["nodeAffinity"]["required"].is_null() {
        causes.push(Cause::required("spec.nodeAffinity", "Local volume requires node affinity"));
    }
    let policies = ["Delete", "Recycle", "Retain"];
    let policy = spec["persistentVolumeReclaimPolicy"].as_str().unwrap_or_default();
    if !policies.contains(&policy) {
        causes.push(Cause::unsupported("spec.persistentVolumeReclaimPolicy", policy, &policies));
    }
}

pub(super) fn check_volume_change(before: &Value, after: &Value, causes: &mut Vec<Cause>) {
    for source in ["hostPath", "local", "csi", "nfs"] {
        if before["spec"][source] != after["spec"][source] {
            let why = "spec.persistentvolumesource is immutable after creation";
            causes.push(Cause::forbidden("spec.persistentvolumesource", why));
            return;
        }
    }
}

pub(super) fn check_class(class: &Value, causes: &mut Vec<Cause>) {
    if class["provisioner"].as_str().is_none_or(str::is_empty) {
        causes.push(Cause::required("provisioner", ""));
    }
    let words = [
        ("reclaimPolicy", ["Delete", "Retain"].as_slice()),
        ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"].as_slice()),
    ];
    for (field, words) in words {
        let word = class[field].as_str().unwrap_or_default();
        if !words.contains(&word) {
            causes.push(Cause::unsupported(field, word, words));
        }
    }
}

pub(super) fn check_class_change(before: &Value, after: &Value, causes: &mut Vec<Cause>) {
    for field in ["parameters", "provisioner", "volumeBindingMode"] {
        if before[field] != after[field] {
            causes.push(Cause::forbidden(field, &format!("updates to {field} are forbidden.")));
        }
    }
    if before["reclaimPolicy"] != after["reclaimPolicy"] {
        causes.push(Cause::forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."));
    }
}
