//! What the API server fills in where an object says nothing.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::super::kinds;

pub(super) fn fill(resource: &str, object: &mut Value) {
    match resource {
        kinds::STATEFUL_SETS => stateful_set(&mut object["spec"]),
        kinds::PODS => {
            let spec = &mut object["spec"];
            pod(spec);
            ask_for_limits(spec);
            set(spec, "enableServiceLinks", json!(true));
        }
        kinds::CLAIMS => set(&mut object["spec"], "volumeMode", json!("Filesystem")),
        kinds::VOLUMES => {
            let spec = &mut object["spec"];
            set(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            set(spec, "volumeMode", json!("Filesystem"));
            if spec["hostPath"].is_object() {
                set(&mut spec["hostPath"], "type", json!(""));
            }
        }
        kinds::STORAGE_CLASSES => {
            set(object, "reclaimPolicy", json!("Delete"));
            set(object, "volumeBindingMode", json!("Immediate"));
        }
        kinds::SERVICES => service(&mut object["spec"]),
        kinds::SECRETS => {
            set(object, "type", json!("Opaque"));
            encode(object);
        }
        _ => {}
    }
}

/// Sets a field that is not there.
fn set(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}

/// What a secret is given as text is kept as all of its data is.
fn encode(secret: &mut Value) {
    let text = secret.as_object_mut().and_then(|fields| fields.remove("stringData"));
    for (key, value) in text.as_ref().and_then(Value::as_object).into_iter().flatten() {
        secret["data"][key] = json!(BASE64_STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

fn each<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn stateful_set(spec: &mut Value) {
    set(spec, "podManagementPolicy", json!("OrderedReady"));
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "persistentVolumeClaimRetentionPolicy", json!({}));
    for field in ["whenDeleted", "whenScaled"] {
        set(&mut spec["persistentVolumeClaimRetentionPolicy"], field, json!("Retain"));
    }
    let strategy = &mut spec["updateStrategy"];
    // Who names the strategy gets no partition: only one that is not named is filled in as a whole.
    if strategy["type"].as_str().is_none_or(str::is_empty) {
        strategy["type"] = json!("RollingUpdate");
        set(strategy, "rollingUpdate", json!({}));
    }
    if strategy["type"] == "RollingUpdate" && strategy["rollingUpdate"].is_object() {
        set(&mut strategy["rollingUpdate"], "partition", json!(0));
    }
    drop_nulls(strategy);
    if spec["template"].is_object() {
        put_no_time(&mut spec["template"]);
    }
    if spec["template"]["spec"].is_object() {
        pod(&mut spec["template"]["spec"]);
    }
    for claim in each(spec, "volumeClaimTemplates") {
        put_no_time(claim);
        set(claim, "apiVersion", json!("v1"));
        set(claim, "kind", json!("PersistentVolumeClaim"));
        set(&mut claim["spec"], "volumeMode", json!("Filesystem"));
        set(&mut claim["status"], "phase", json!("Pending"));
    }
}

/// What is made from a template has a time of creation; the template shows that it has none.
fn put_no_time(template: &mut Value) {
    if let Some(fields) = template.as_object_mut() {
        let meta = fields.entry("metadata").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("creationTimestamp".to_owned(), Value::Null);
        }
    }
}

/// A pod's spec, and that of a template.
fn pod(spec: &mut Value) {
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    set(spec, "schedulerName", json!("default-scheduler"));
    set(spec, "terminationGracePeriodSeconds", json!(30));
    set(spec, "securityContext", json!({}));
    // The field had two names once, and has both still.
    if spec["serviceAccount"].is_null() && !spec["serviceAccountName"].is_null() {
        spec["serviceAccount"] = spec["serviceAccountName"].clone();
    }
    for list in ["initContainers", "containers"] {
        for one in each(spec, list) {
            container(one);
        }
    }
    for volume in each(spec, "volumes") {
        for source in ["configMap", "secret", "downwardAPI", "projected"] {
            if volume[source].is_object() {
                set(&mut volume[source], "defaultMode", json!(420));
            }
        }
        if volume["hostPath"].is_object() {
            set(&mut volume["hostPath"], "type", json!(""));
        }
        if let Some(downward) = volume.get_mut("downwardAPI") {
            field_references(downward);
        }
        if let Some(projected) = volume.get_mut("projected") {
            for source in each(projected, "sources") {
                if source["serviceAccountToken"].is_object() {
                    set(&mut source["serviceAccountToken"], "expirationSeconds", json!(3600));
                }
                if let Some(downward) = source.get_mut("downwardAPI") {
                    field_references(downward);
                }
            }
        }
    }
    drop_nulls(spec);
}

/// What a pod is limited to it asks for as well. A template says only what it says.
fn ask_for_limits(spec: &mut Value) {
    for list in ["initContainers", "containers"] {
        for one in each(spec, list) {
            let limits = one["resources"]["limits"].as_object().cloned().unwrap_or_default();
            for (which, amount) in limits {
                let requests = &mut one["resources"]["requests"];
                if requests[&which].is_null() {
                    requests[&which] = amount;
                }
            }
            drop_nulls(one);
        }
    }
}

fn field_references(downward: &mut Value) {
    for item in each(downward, "items") {
        if item["fieldRef"].is_object() {
            set(&mut item["fieldRef"], "apiVersion", json!("v1"));
        }
    }
}

fn container(one: &mut Value) {
    let image = one["image"].as_str().unwrap_or_default();
    if !image.is_empty() {
        // The part after the last slash has the tag; before it, a colon begins a port.
        let last = image.rsplit('/').next().unwrap_or_default();
        let latest = !last.contains(['@', ':']) || (last.ends_with(":latest") && !last.contains('@'));
        set(one, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    }
    set(one, "resources", json!({}));
    set(one, "terminationMessagePath", json!("/dev/termination-log"));
    set(one, "terminationMessagePolicy", json!("File"));
    for amounts in ["requests", "limits"] {
        amounts_as_text(&mut one["resources"], amounts);
    }
    for port in each(one, "ports") {
        set(port, "protocol", json!("TCP"));
    }
    for variable in each(one, "env") {
        if variable["valueFrom"]["fieldRef"].is_object() {
            set(&mut variable["valueFrom"]["fieldRef"], "apiVersion", json!("v1"));
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &mut one[name];
        if !probe.is_object() {
            continue;
        }
        let counts = [("failureThreshold", 3), ("periodSeconds", 10), ("successThreshold", 1), ("timeoutSeconds", 1)];
        for (field, count) in counts {
            // Zero stands for nothing said.
            if probe[field].is_null() || probe[field] == 0 {
                probe[field] = json!(count);
            }
        }
        if probe["httpGet"].is_object() {
            set(&mut probe["httpGet"], "scheme", json!("HTTP"));
            set(&mut probe["httpGet"], "path", json!("/"));
        }
        if probe["grpc"].is_object() {
            set(&mut probe["grpc"], "service", json!(""));
        }
    }
}

/// Amounts may be written as numbers, and are text from then on.
fn amounts_as_text(resources: &mut Value, field: &str) {
    for amount in resources.get_mut(field).and_then(Value::as_object_mut).into_iter().flatten() {
        if amount.1.is_number() {
            *amount.1 = json!(amount.1.to_string());
        }
    }
}

fn service(spec: &mut Value) {
    set(spec, "type", json!("ClusterIP"));
    set(spec, "sessionAffinity", json!("None"));
    if spec["type"] != "ExternalName" {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
        set(spec, "ipFamilies", json!(["IPv4"]));
        set(spec, "ipFamilyPolicy", json!("SingleStack"));
    }
    for port in each(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        let own = port["port"].clone();
        set(port, "targetPort", own);
    }
}

/// Fields that say nothing are not kept: looking for one in a `Value` by `[]` may put it there.
pub(super) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(entries) => entries.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
