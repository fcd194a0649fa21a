//! What already stands where a volume would be made: names, claims and paths that are taken.

use serde::Deserialize;
use serde_json::json;

use super::super::{Fact, Observation};
use super::{NewVolume, OWN, Volume, nodes_in};

/// The annotation of the StatefulSet that lists paths on which a removed member's data may still lie, each as a text or
/// as an object with `path` and `node`. It lasts.
pub const USED_PATHS_ANNOTATION: &str = "etcd-scale.io/used-paths";

/// What stands where a volume is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumePlace {
    /// It is there, made by this run or the one that it finishes.
    Made(Volume),
    /// Somebody else has made one for the claim.
    Waiting(Volume),
    /// Nothing: it can be made, perhaps on another path than its neighbours would have it.
    Free(Box<NewVolume>),
    /// A fact stands in the way.
    Refused(Fact),
}

/// Looks where a volume is to be made, `volumes` being all that the cluster has.
pub fn place_of(new: &NewVolume, observation: &Observation, volumes: &[Volume]) -> VolumePlace {
    let set = &observation.statefulset;
    let claim = Some((set.namespace.clone(), new.claim.clone()));
    let ours = set.readable_record().is_some_and(|record| record.volumes.contains(&new.name));
    if let Some(there) = volumes.iter().find(|volume| volume.name == new.name) {
        if ours && there.claim == claim && there.phase != "Released" && there.phase != "Failed" {
            return VolumePlace::Made(there.clone());
        }
        let left_by_its_claim = there.claim == claim
            && there.by_hand()
            && there.claim_uid().is_some()
            && ["Released", "Failed"].contains(&there.phase.as_str());
        let whose = there.claim.as_ref().map(|(namespace, name)| format!(", for claim {namespace}/{name}"));
        return VolumePlace::Refused(Fact::new(
            format!(
                "volume {} exists already ({}{}): what an earlier member left on it would crash the new one",
                new.name,
                there.phase.to_lowercase(),
                whose.unwrap_or_default()
            ),
            format!(
                "when its data is not needed, {}clear {} on its node and delete it: kubectl delete pv {}",
                if left_by_its_claim { "have `up` delete it (--claim delete), or " } else { "" },
                there.path().unwrap_or("its data"),
                new.name
            ),
        ));
    }
    // One that an earlier claim of that name has left is bound to no other; only its path matters.
    let kept = volumes.iter().find(|volume| volume.claim == claim && volume.phase == "Available");
    if let Some(there) = kept {
        return VolumePlace::Waiting(there.clone());
    }
    let used = match used_paths(observation) {
        Ok(used) => used,
        Err(why) => {
            return VolumePlace::Refused(Fact::new(
                format!("the annotation {USED_PATHS_ANNOTATION} cannot be understood: {why}"),
                "it lists the paths of removed members as a JSON array, of texts or of objects with path and node; mend it",
            ));
        }
    };
    let Some(path) = new.path() else { return VolumePlace::Free(Box::new(new.clone())) };
    let mut chosen = new.clone();
    let nodes = nodes_in(&new.manifest["spec"]);
    if used.iter().any(|used| used.holds(path, &nodes)) {
        if new.model.is_none() {
            return VolumePlace::Refused(Fact::new(
                format!("path {path} of the volume template held a removed member's data"),
                "name another path in the template",
            ));
        }
        let taken = |path: &str| {
            used.iter().any(|used| used.holds(path, &nodes))
                || volumes.iter().filter_map(Volume::path).any(|other| overlap(other, path))
        };
        let Some(fresh) = (2..1000).map(|number| format!("{path}.{number}")).find(|path| !taken(path)) else {
            return VolumePlace::Refused(Fact::new(format!("every path like {path} has been used before"), OWN));
        };
        chosen.notes.push(Fact::new(
            format!("{path} held a removed member's data and is not used again; the new volume is on {fresh}"),
            format!("when that data is not needed, clear {path} on its node and take it out of the annotation {USED_PATHS_ANNOTATION}"),
        ));
        for kind in ["hostPath", "local"] {
            if let Some(source) = chosen.manifest["spec"].get_mut(kind) {
                source["path"] = json!(fresh);
            }
        }
        return VolumePlace::Free(Box::new(chosen));
    }
    let shares = |other: &&Volume| {
        let theirs = other.nodes();
        let apart = !nodes.is_empty() && !theirs.is_empty() && !theirs.iter().any(|node| nodes.contains(node));
        !apart && other.path().is_some_and(|theirs| overlap(theirs, path))
    };
    match volumes.iter().find(shares) {
        Some(other) => VolumePlace::Refused(Fact::new(
            format!("path {path} is used by volume {} ({})", other.name, other.path().unwrap_or_default()),
            "two members must not share a path; name another with --volume-template FILE",
        )),
        None => VolumePlace::Free(Box::new(chosen)),
    }
}

/// A path on which a removed member's data may still lie.
#[derive(Deserialize)]
#[serde(untagged)]
enum UsedPath {
    /// On whatever node.
    Anywhere(String),
    /// On one node alone.
    On { path: String, node: String },
}

impl UsedPath {
    fn holds(&self, path: &str, nodes: &[String]) -> bool {
        match self {
            Self::Anywhere(used) => overlap(used, path),
            Self::On { path: used, node } => overlap(used, path) && (nodes.is_empty() || nodes.contains(node)),
        }
    }
}

/// The annotation's text with one more path.
pub fn used_paths_with(observation: &Observation, path: &str, nodes: &[String]) -> String {
    let standing = observation.statefulset.annotations.get(USED_PATHS_ANNOTATION);
    let standing = standing.and_then(|text| serde_json::from_str(text).ok());
    let mut list: Vec<serde_json::Value> = standing.unwrap_or_default();
    if nodes.is_empty() {
        list.push(json!(path));
    }
    list.extend(nodes.iter().map(|node| json!({"path": path, "node": node})));
    json!(list).to_string()
}

/// Whether a volume's path is noted as one that held a removed member's data.
///
/// # Errors
/// When the annotation cannot be understood.
pub fn is_used(volume: &Volume, observation: &Observation) -> Result<bool, String> {
    let Some(path) = volume.path() else { return Ok(true) };
    Ok(used_paths(observation)?.iter().any(|used| used.holds(path, &volume.nodes())))
}

fn used_paths(observation: &Observation) -> Result<Vec<UsedPath>, String> {
    let text = observation.statefulset.annotations.get(USED_PATHS_ANNOTATION);
    text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text).map_err(|error| error.to_string()))
}

/// Whether one path is the other, or within it.
fn overlap(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        let outer = outer.trim_end_matches('/');
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let (one, other) = (one.trim_end_matches('/'), other.trim_end_matches('/'));
    within(one, other) || within(other, one)
}
