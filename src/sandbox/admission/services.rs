//! Services: addresses and ports.

use serde_json::{Value, json};

use super::super::kinds;
use super::super::registry::Registry;
use super::super::status::Cause;
use super::template::check_port;

/// Gives a service an address of 10.96.0.0/16, unless it wants none.
pub(super) fn give_address(registry: &Registry, service: &mut Value) {
    let spec = &mut service["spec"];
    if spec["type"] == "ExternalName" {
        return;
    }
    if spec["clusterIP"].as_str().is_none_or(str::is_empty) {
        let (standing, _) = registry.list(kinds::SERVICES, None);
        let taken = |address: &String| standing.iter().any(|other| other["spec"]["clusterIP"] == *address);
        // The first is the API server's own.
        let mut free = (2..u16::MAX).map(|number| format!("10.96.{}.{}", number >> 8, number & 255));
        let Some(address) = free.find(|address| !taken(address)) else { return };
        spec["clusterIP"] = json!(address);
    }
    spec["clusterIPs"] = json!([spec["clusterIP"]]);
}

/// What a writer leaves out stays.
pub(super) fn keep_address(before: &Value, after: &mut Value) {
    for field in ["clusterIP", "clusterIPs"] {
        let standing = &before["spec"][field];
        if after["spec"][field].is_null() && !standing.is_null() && after["spec"]["type"] != "ExternalName" {
            after["spec"][field] = standing.clone();
        }
    }
}

pub(super) fn check(service: &Value, causes: &mut Vec<Cause>) {
    let spec = &service["spec"];
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let kind = spec["type"].as_str().unwrap_or_default();
    if !types.contains(&kind) {
        causes.push(Cause::unsupported("spec.type", kind, &types));
    }
    if ports.is_empty() && spec["clusterIP"] != "None" && kind != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let name = port["name"].as_str().unwrap_or_default();
        if name.is_empty() && ports.len() > 1 {
            causes.push(Cause::required(format!("spec.ports[{index}].name"), ""));
        }
        if !name.is_empty() && ports.iter().take(index).any(|other| other["name"] == name) {
            causes.push(Cause::duplicate(format!("spec.ports[{index}].name"), name));
        }
        check_port(&port["port"], &format!("spec.ports[{index}].port"), causes);
        if port["targetPort"].is_number() {
            check_port(&port["targetPort"], &format!("spec.ports[{index}].targetPort"), causes);
        }
    }
}

pub(super) fn check_change(before: &Value, after: &Value, causes: &mut Vec<Cause>) {
    let standing = before["spec"]["clusterIP"].as_str().unwrap_or_default();
    let wanted = after["spec"]["clusterIP"].as_str().unwrap_or_default();
    if !standing.is_empty() && wanted != standing && after["spec"]["type"] != "ExternalName" {
        causes.push(Cause::invalid("spec.clusterIP", format!("\"{wanted}\""), "field is immutable"));
    }
}
