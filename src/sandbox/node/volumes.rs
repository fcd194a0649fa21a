//! Where a pod's volumes are, and what is in them.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use super::env::{Sources, content, referred};
use super::stage::Mount;
use crate::sandbox::kinds;

/// Where volumes are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// All that pods write.
    pub(super) memory: &'a Path,
    /// What goes with the pod.
    pub(super) pod: &'a Path,
}

/// Makes all volumes of a pod ready.
///
/// # Errors
/// In kubelet's words, when one is not there yet.
pub(super) fn prepare(sources: Sources<'_>, places: Places<'_>) -> Result<(), String> {
    for volume in sources.pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let name = volume["name"].as_str().unwrap_or_default();
        let failed = |why: String| format!("MountVolume.SetUp failed for volume \"{name}\" : {why}");
        let path = directory(sources, places, volume).map_err(failed)?;
        fs::create_dir_all(&path).map_err(|error| failed(error.to_string()))?;
        for (field, resource) in [("configMap", kinds::CONFIG_MAPS), ("secret", kinds::SECRETS)] {
            if volume[field].is_object() {
                fill(sources, resource, &volume[field], &path).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// What a container mounts.
///
/// # Errors
/// When it names a volume that the pod does not have.
pub(super) fn mounts(sources: Sources<'_>, places: Places<'_>, container: &Value) -> Result<Vec<Mount>, String> {
    let volumes = sources.pod["spec"]["volumes"].as_array();
    let mounts = container["volumeMounts"].as_array().into_iter().flatten().map(|mount| {
        let name = mount["name"].as_str().unwrap_or_default();
        let volume = volumes.into_iter().flatten().find(|volume| volume["name"] == name);
        let volume = volume.ok_or_else(|| format!("cannot find volume \"{name}\" to mount into container"))?;
        let mut source = directory(sources, places, volume)?;
        if let Some(inner) = mount["subPath"].as_str() {
            source.push(inside(inner));
        }
        let read_only = mount["readOnly"] == true
            || volume["persistentVolumeClaim"]["readOnly"] == true
            || volume["configMap"].is_object()
            || volume["secret"].is_object();
        Ok(Mount { source, target: mount["mountPath"].as_str().unwrap_or_default().to_owned(), read_only })
    });
    mounts.collect()
}

/// A path that stays below the one that it is put to.
fn inside(path: &str) -> PathBuf {
    let parts = Path::new(path).components();
    parts.filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// The directory that a volume is.
fn directory(sources: Sources<'_>, places: Places<'_>, volume: &Value) -> Result<PathBuf, String> {
    let host = |path: &str| places.memory.join("host").join(inside(path));
    if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
        let namespace = sources.pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let missing = |_| format!("persistentvolumeclaim \"{claim}\" not found");
        let claim = sources.registry.get(kinds::CLAIMS, namespace, claim).map_err(missing)?;
        let Some(name) = claim["spec"]["volumeName"].as_str().filter(|_| claim["status"]["phase"] == "Bound") else {
            return Err(format!(
                "PVC {namespace}/{} is not bound",
                claim["metadata"]["name"].as_str().unwrap_or_default()
            ));
        };
        let volume = sources.registry.get(kinds::VOLUMES, "", name);
        let volume = volume.map_err(|_| format!("persistentvolume \"{name}\" not found"))?;
        let spec = &volume["spec"];
        let path = spec["hostPath"]["path"].as_str().or(spec["local"]["path"].as_str());
        return Ok(path.map_or_else(|| places.memory.join("volumes").join(inside(name)), host));
    }
    if let Some(path) = volume["hostPath"]["path"].as_str() {
        return Ok(host(path));
    }
    Ok(places.pod.join("volumes").join(inside(volume["name"].as_str().unwrap_or_default())))
}

/// Writes the entries of a `ConfigMap` or a Secret as files.
fn fill(sources: Sources<'_>, resource: &str, wanted: &Value, path: &Path) -> Result<(), String> {
    let Some(object) = referred(sources, resource, wanted)? else { return Ok(()) };
    let entries: Vec<_> = ["data", "binaryData"]
        .iter()
        .flat_map(|field| object[*field].as_object().into_iter().flatten().map(move |entry| (*field, entry)))
        .collect();
    for (field, (key, value)) in entries {
        let items = wanted["items"].as_array();
        let file = match items {
            Some(items) => items.iter().find(|item| item["key"] == *key).and_then(|item| item["path"].as_str()),
            None => Some(key.as_str()),
        };
        let Some(file) = file.map(inside) else { continue };
        let encoding = if field == "binaryData" { kinds::SECRETS } else { resource };
        let file = path.join(file);
        let written = fs::create_dir_all(file.parent().unwrap_or(path))
            .and_then(|()| fs::write(&file, content(encoding, value).unwrap_or_default()))
            .with_context(|| format!("cannot write {key}"));
        written.map_err(|error| format!("{error:#}"))?;
    }
    Ok(())
}

/// Removes what a volume that is gone has left, as its provisioner would.
pub(super) fn forget(memory: &Path, volume: &str) {
    let _ = fs::remove_dir_all(memory.join("volumes").join(inside(volume)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_does_not_lead_out() {
        assert_eq!(inside("/a/../../b"), PathBuf::from("a/b"));
    }
}
