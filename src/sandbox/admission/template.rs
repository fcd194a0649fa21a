//! What is valid in a pod's spec.

use std::collections::HashSet;

use serde_json::Value;

use super::super::quantity;
use super::super::status::Cause;
use super::metadata::{LABEL_RULE, is_label};

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// One of a few words, where there is one.
fn one_of(value: &Value, field: String, words: &[&str], causes: &mut Vec<Cause>) {
    if let Some(word) = value.as_str().filter(|word| !words.contains(word)) {
        causes.push(Cause::unsupported(field, word, words));
    }
}

pub(super) fn check(spec: &Value, at: &str, causes: &mut Vec<Cause>) {
    let mut volumes = HashSet::new();
    for (index, volume) in list(&spec["volumes"]) {
        let (field, name) = (format!("{at}.volumes[{index}]"), text(&volume["name"]));
        named(name, &format!("{field}.name"), &mut volumes, causes);
        if volume.as_object().is_none_or(|fields| fields.len() < 2) {
            causes.push(Cause::required(field, "must specify a volume type"));
        }
    }
    if list(&spec["containers"]).next().is_none() {
        causes.push(Cause::required(format!("{at}.containers"), ""));
    }
    let mut names = HashSet::new();
    for kind in ["initContainers", "containers"] {
        for (index, container) in list(&spec[kind]) {
            let field = format!("{at}.{kind}[{index}]");
            named(text(&container["name"]), &format!("{field}.name"), &mut names, causes);
            check_container(container, &field, &volumes, causes);
        }
    }
    one_of(&spec["restartPolicy"], format!("{at}.restartPolicy"), &["Always", "OnFailure", "Never"], causes);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(&spec["dnsPolicy"], format!("{at}.dnsPolicy"), &policies, causes);
    for field in ["hostname", "subdomain"] {
        if let Some(name) = spec[field].as_str().filter(|name| !name.is_empty() && !is_label(name)) {
            causes.push(Cause::invalid(format!("{at}.{field}"), format!("\"{name}\""), LABEL_RULE));
        }
    }
    if let Some(seconds) = spec["terminationGracePeriodSeconds"].as_i64().filter(|seconds| *seconds < 0) {
        let field = format!("{at}.terminationGracePeriodSeconds");
        causes.push(Cause::invalid(field, seconds, "must be greater than or equal to 0"));
    }
}

/// A name that is a label, and that nobody before has.
fn named<'a>(name: &'a str, field: &str, taken: &mut HashSet<&'a str>, causes: &mut Vec<Cause>) {
    if name.is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !is_label(name) {
        causes.push(Cause::invalid(field, format!("\"{name}\""), LABEL_RULE));
    } else if !taken.insert(name) {
        causes.push(Cause::duplicate(field, name));
    }
}

fn check_container(container: &Value, at: &str, volumes: &HashSet<&str>, causes: &mut Vec<Cause>) {
    if text(&container["image"]).is_empty() {
        causes.push(Cause::required(format!("{at}.image"), ""));
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    one_of(&container["imagePullPolicy"], format!("{at}.imagePullPolicy"), &policies, causes);
    for (index, port) in list(&container["ports"]) {
        let field = format!("{at}.ports[{index}].containerPort");
        check_port(&port["containerPort"], &field, causes);
    }
    for (index, variable) in list(&container["env"]) {
        // The same name twice is allowed: the last one counts.
        if text(&variable["name"]).is_empty() {
            causes.push(Cause::required(format!("{at}.env[{index}].name"), ""));
        }
    }
    let mut paths = HashSet::new();
    for (index, mount) in list(&container["volumeMounts"]) {
        let field = format!("{at}.volumeMounts[{index}]");
        let (name, path) = (text(&mount["name"]), text(&mount["mountPath"]));
        if name.is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{field}.name"), name));
        }
        if path.is_empty() {
            causes.push(Cause::required(format!("{field}.mountPath"), ""));
        } else if !paths.insert(path) {
            causes.push(Cause::invalid(format!("{field}.mountPath"), format!("\"{path}\""), "must be unique"));
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        check_probe(&container[name], &format!("{at}.{name}"), name, causes);
    }
    let resources = &container["resources"];
    for (which, asked) in resources["requests"].as_object().into_iter().flatten() {
        let amount = |value: &Value| value.as_str().and_then(quantity::thousandths);
        let (Some(wanted), Some(limit)) = (amount(asked), amount(&resources["limits"][which])) else { continue };
        if wanted > limit {
            let why = format!("must be less than or equal to {which} limit");
            causes.push(Cause::invalid(format!("{at}.resources.requests"), asked, &why));
        }
    }
}

fn check_probe(probe: &Value, at: &str, name: &str, causes: &mut Vec<Cause>) {
    if !probe.is_object() {
        return;
    }
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    match handlers.iter().filter(|handler| !probe[**handler].is_null()).count() {
        0 => causes.push(Cause::required(at, "must specify a handler type")),
        1 => {}
        _ => causes.push(Cause::forbidden(at, "may not specify more than 1 handler type")),
    }
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if let Some(number) = probe[field].as_i64().filter(|number| *number < 0) {
            let why = "must be greater than or equal to 0";
            causes.push(Cause::invalid(format!("{at}.{field}"), number, why));
        }
    }
    if name != "readinessProbe"
        && let Some(number) = probe["successThreshold"].as_i64().filter(|number| *number > 1)
    {
        causes.push(Cause::invalid(format!("{at}.successThreshold"), number, "must be 1"));
    }
}

/// A port's number.
pub(super) fn check_port(port: &Value, field: &str, causes: &mut Vec<Cause>) {
    let number = port.as_i64().unwrap_or_default();
    if !(1..=65535).contains(&number) {
        causes.push(Cause::invalid(field, number, "must be between 1 and 65535, inclusive"));
    }
}
