//! A container's environment: values, references, and `$(NAME)` in them, by Kubernetes' rules.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::sandbox::kinds;
use crate::sandbox::registry::Registry;
use crate::sandbox::status::Status;

/// What a container has where it does not say otherwise.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What references may point to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) registry: &'a Registry,
    pub(super) pod: &'a Value,
    pub(super) address: Ipv4Addr,
    pub(super) host: Ipv4Addr,
}

/// All variables of a container, each once, in the order in which they are named first.
///
/// # Errors
/// In kubelet's words, when a reference leads nowhere.
pub(super) fn variables(sources: Sources<'_>, container: &Value) -> Result<Vec<(String, String)>, String> {
    let mut known = vec![
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOSTNAME".to_owned(), hostname(sources.pod).to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
    ];
    for source in container["envFrom"].as_array().into_iter().flatten() {
        let prefix = source["prefix"].as_str().unwrap_or_default();
        for (field, resource) in [("configMapRef", kinds::CONFIG_MAPS), ("secretRef", kinds::SECRETS)] {
            let Some(object) = referred(sources, resource, &source[field])? else { continue };
            for (name, value) in object["data"].as_object().into_iter().flatten() {
                let value = content(resource, value).unwrap_or_default();
                set(&mut known, &format!("{prefix}{name}"), String::from_utf8_lossy(&value).into_owned());
            }
        }
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        let Some(name) = variable["name"].as_str() else { continue };
        let from = &variable["valueFrom"];
        let value = if from.is_object() {
            let Some(value) = reference(sources, from)? else { continue };
            value
        } else {
            expand(variable["value"].as_str().unwrap_or_default(), &known)
        };
        set(&mut known, name, value);
    }
    Ok(known)
}

/// The host name of a pod's containers.
pub(super) fn hostname(pod: &Value) -> &str {
    pod["spec"]["hostname"].as_str().or(pod["metadata"]["name"].as_str()).unwrap_or_default()
}

fn set(known: &mut Vec<(String, String)>, name: &str, value: String) {
    // What the kernel takes neither as a name nor as a value.
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return;
    }
    match known.iter_mut().find(|(other, _)| other == name) {
        Some((_, standing)) => *standing = value,
        None => known.push((name.to_owned(), value)),
    }
}

/// What a `valueFrom` stands for; none where it is optional and leads nowhere.
fn reference(sources: Sources<'_>, from: &Value) -> Result<Option<String>, String> {
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return field(sources, path).map(Some);
    }
    for (field, resource, kind) in
        [("configMapKeyRef", kinds::CONFIG_MAPS, "ConfigMap"), ("secretKeyRef", kinds::SECRETS, "Secret")]
    {
        let wanted = &from[field];
        if !wanted.is_object() {
            continue;
        }
        let Some(object) = referred(sources, resource, wanted)? else { return Ok(None) };
        let key = wanted["key"].as_str().unwrap_or_default();
        let value = &object["data"][key];
        if value.is_null() {
            if wanted["optional"] == true {
                return Ok(None);
            }
            let namespace = sources.pod["metadata"]["namespace"].as_str().unwrap_or_default();
            let name = wanted["name"].as_str().unwrap_or_default();
            return Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"));
        }
        let value = content(resource, value).unwrap_or_default();
        return Ok(Some(String::from_utf8_lossy(&value).into_owned()));
    }
    Ok(None)
}

/// The object that a reference names; none where it names none, or is optional and there is none.
pub(super) fn referred(
    sources: Sources<'_>,
    resource: &str,
    wanted: &Value,
) -> Result<Option<std::sync::Arc<Value>>, String> {
    let Some(name) = wanted["name"].as_str().or(wanted["secretName"].as_str()) else { return Ok(None) };
    let namespace = sources.pod["metadata"]["namespace"].as_str().unwrap_or_default();
    match sources.registry.get(resource, namespace, name) {
        Ok(object) => Ok(Some(object)),
        Err(_) if wanted["optional"] == true => Ok(None),
        Err(Status { .. }) => Err(format!("{} \"{name}\" not found", resource.trim_end_matches('s'))),
    }
}

/// The bytes of one entry of a `ConfigMap` or a Secret.
pub(super) fn content(resource: &str, value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    if resource == kinds::SECRETS { base64(text) } else { Some(text.as_bytes().to_vec()) }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// What a `fieldRef` stands for.
fn field(sources: Sources<'_>, path: &str) -> Result<String, String> {
    let pod = sources.pod;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some((map, key)) = path.split_once("['") {
        let key = key.trim_end_matches("']");
        return match map {
            "metadata.labels" => Ok(text(&pod["metadata"]["labels"][key])),
            "metadata.annotations" => Ok(text(&pod["metadata"]["annotations"][key])),
            _ => Err(format!("invalid fieldPath: {path}")),
        };
    }
    match path {
        "metadata.name" => Ok(text(&pod["metadata"]["name"])),
        "metadata.namespace" => Ok(text(&pod["metadata"]["namespace"])),
        "metadata.uid" => Ok(text(&pod["metadata"]["uid"])),
        "spec.nodeName" => Ok(text(&pod["spec"]["nodeName"])),
        "spec.serviceAccountName" => Ok(text(&pod["spec"]["serviceAccountName"])),
        "status.podIP" | "status.podIPs" => Ok(sources.address.to_string()),
        "status.hostIP" | "status.hostIPs" => Ok(sources.host.to_string()),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

/// Puts known variables in the place of `$(NAME)`. `$$` is a dollar; what is not known stays as it is.
pub(super) fn expand(text: &str, known: &[(String, String)]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match known.iter().find(|(other, _)| other == name) {
                Some((_, value)) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Vec<(String, String)> {
        vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())]
    }

    #[test]
    fn names_in_parentheses_become_values() {
        for (text, expanded) in [
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(NONE)", "$(NONE)"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            // A value is not looked into again.
            ("$(B)", "$(A)"),
            ("é$(A)é", "é1é"),
        ] {
            assert_eq!(expand(text, &known()), expanded, "{text}");
        }
    }

    #[test]
    fn variables_come_from_fields_maps_and_secrets() {
        let registry = Registry::new();
        registry.create(kinds::NAMESPACES, "", json!({"metadata": {"name": "here"}}), false).unwrap();
        let map = json!({"metadata": {"name": "m"}, "data": {"k": "v"}});
        registry.create(kinds::CONFIG_MAPS, "here", map, false).unwrap();
        let secret = json!({"metadata": {"name": "s"}, "data": {"k": "aGlkZGVu"}});
        registry.create(kinds::SECRETS, "here", secret, false).unwrap();
        let pod = json!({"metadata": {"name": "p-0", "namespace": "here", "labels": {"a/b": "c"}}, "spec": {}});
        let (address, host) = (Ipv4Addr::new(10, 244, 0, 2), Ipv4Addr::new(10, 244, 0, 1));
        let sources = Sources { registry: &registry, pod: &pod, address, host };
        let container = json!({
            "envFrom": [{"prefix": "X_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "no", "optional": true}}],
            "env": [
                {"name": "LATER", "value": "$(NAME)"},
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "URL", "value": "http://$(NAME):$(IP)"},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
        });
        let found = variables(sources, &container).unwrap();
        let get = |name: &str| found.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        assert_eq!(get("X_k"), Some("v"));
        assert_eq!(get("HOSTNAME"), Some("p-0"));
        assert_eq!(get("LATER"), Some("$(NAME)"));
        assert_eq!(get("LABEL"), Some("c"));
        assert_eq!(get("URL"), Some("http://p-0:10.244.0.2"));
        assert_eq!(get("SECRET"), Some("hidden"));
        let missing =
            |from: Value| variables(sources, &json!({"env": [{"name": "A", "valueFrom": from}]})).unwrap_err();
        let key = json!({"configMapKeyRef": {"name": "m", "key": "none"}});
        assert_eq!(missing(key), "couldn't find key none in ConfigMap here/m");
        assert_eq!(missing(json!({"secretKeyRef": {"name": "none", "key": "k"}})), "secret \"none\" not found");
    }
}
