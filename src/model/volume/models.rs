//! What a new volume looks like: after its neighbours, or as the operator says.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::{Fact, Goal, Node, Observation, ordinal_of, replace_ordinal};
use super::nodes::{affinity, fits, host_name};
use super::{NewVolume, OWN, Volume, nodes_in};

/// What stands for the new ordinal in a template of the operator's own.
const ORDINAL: &str = "{ordinal}";

pub(super) fn from_neighbour(
    observation: &Observation,
    goal: &Goal,
    claim: &str,
    neighbours: &[(i32, &Volume)],
) -> Result<NewVolume, Fact> {
    let set = &observation.statefulset;
    let ordinal = goal.ordinal(set.start);
    let Some((from, neighbour)) = neighbours.last().copied() else {
        return Err(Fact::new(format!("no volume is there to model that of {claim} on"), OWN));
    };
    let follow = |what: &str, texts: &[(i32, &str)]| {
        followed(texts, &set.name, ordinal).ok_or_else(|| {
            let shown = texts.last().map_or("", |(_, text)| text);
            Fact::new(format!("{what} {shown} has no ordinal in it, so that of the next volume cannot be told"), OWN)
        })
    };
    let names: Vec<_> = neighbours.iter().map(|(at, volume)| (*at, volume.name.as_str())).collect();
    let name = follow("the volume's name", &names)?;
    let paths: Vec<_> = neighbours.iter().filter_map(|(at, volume)| Some((*at, volume.path()?))).collect();
    let path = follow("the volume's path", &paths)?;

    let mut notes = Vec::new();
    let mut spec = Map::new();
    for field in
        ["accessModes", "capacity", "mountOptions", "persistentVolumeReclaimPolicy", "storageClassName", "volumeMode"]
    {
        if let Some(value) = neighbour.spec.get(field).filter(|value| !value.is_null()) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    for kind in ["hostPath", "local"] {
        if let Some(source) = neighbour.spec.get(kind).filter(|source| !source.is_null()) {
            let mut source = source.clone();
            source["path"] = json!(path);
            spec.insert(kind.to_owned(), source);
        }
    }
    if let Some(affinity) = affinity(observation, ordinal, neighbours, &mut notes)? {
        spec.insert("nodeAffinity".to_owned(), affinity);
    }
    spec.insert("claimRef".to_owned(), claim_ref(&set.namespace, claim));
    let relabelled = |value: &String| {
        if *value == neighbour.name {
            name.clone()
        } else if *value == from.to_string() {
            ordinal.to_string()
        } else {
            replace_ordinal(value, &set.name, ordinal).unwrap_or_else(|| value.clone())
        }
    };
    let labels: BTreeMap<_, _> = neighbour.labels.iter().map(|(key, value)| (key, relabelled(value))).collect();
    // Helm takes over an object that says which release it belongs to.
    let helm = neighbour.annotations.iter().filter(|(key, _)| key.starts_with("meta.helm.sh/"));
    let annotations: BTreeMap<_, _> = helm.collect();
    let mut metadata = json!({"name": name});
    if !labels.is_empty() {
        metadata["labels"] = json!(labels);
    }
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    let manifest = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec});
    Ok(NewVolume { name, claim: claim.to_owned(), model: Some(neighbour.name.clone()), manifest, notes })
}

fn claim_ref(namespace: &str, claim: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim})
}

/// The operator's own volume: theirs in everything, but for the claim it is kept for.
pub(super) fn from_template(
    observation: &Observation,
    goal: &Goal,
    claim: &str,
    own: &Value,
    neighbour: Option<&Volume>,
) -> Result<NewVolume, Fact> {
    let set = &observation.statefulset;
    let ordinal = goal.ordinal(set.start);
    let mut manifest = own.clone();
    fill(&mut manifest, &ordinal.to_string());
    let wrong = |fact: String| Fact::new(fact, "mend the file named with --volume-template");
    if manifest["kind"] != "PersistentVolume" || !manifest["spec"].is_object() {
        return Err(wrong("the volume template is no PersistentVolume".to_owned()));
    }
    if !manifest["metadata"].is_object() {
        manifest["metadata"] = json!({});
    }
    if let Some(Value::Object(metadata)) = manifest.get_mut("metadata") {
        metadata.remove("uid");
        metadata.remove("resourceVersion");
        metadata.remove("creationTimestamp");
    }
    let named = manifest["metadata"]["name"].as_str().map(str::to_owned);
    let after = || neighbour.and_then(|volume| followed(&[(ordinal - 1, &volume.name)], &set.name, ordinal));
    let name = named.or_else(after).unwrap_or_else(|| claim.to_owned());
    manifest["metadata"]["name"] = json!(name);
    let kept_for = &manifest["spec"]["claimRef"];
    let other = ["namespace", "name"]
        .iter()
        .zip([set.namespace.as_str(), claim])
        .find(|(key, wanted)| kept_for.get(**key).and_then(Value::as_str).is_some_and(|given| given != *wanted));
    if let Some((key, wanted)) = other {
        return Err(wrong(format!(
            "the volume template keeps the volume for another claim: {key} {} instead of {wanted}",
            kept_for[*key].as_str().unwrap_or_default()
        )));
    }
    manifest["spec"]["claimRef"] = claim_ref(&set.namespace, claim);
    let on = nodes_in(&manifest["spec"]);
    let there = |node: &Node| fits(observation, node) && on.contains(&host_name(node));
    if !on.is_empty() && observation.nodes.known().is_some_and(|all| !all.iter().any(there)) {
        return Err(wrong(format!(
            "the volume template names node {}, which is not there or takes no pods",
            on.join(", ")
        )));
    }
    if let Some(object) = manifest.as_object_mut() {
        object.remove("status");
    }
    Ok(NewVolume { name, claim: claim.to_owned(), model: None, manifest, notes: Vec::new() })
}

fn fill(value: &mut Value, ordinal: &str) {
    match value {
        Value::String(text) => *text = text.replace(ORDINAL, ordinal),
        Value::Array(list) => list.iter_mut().for_each(|value| fill(value, ordinal)),
        Value::Object(map) => map.values_mut().for_each(|value| fill(value, ordinal)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What follows from several texts, each with an ordinal in it, for another ordinal. A text may have the same number in
/// it for other reasons, as in `/disk2/pod-2`: what most texts lead to is taken.
pub(super) fn followed(texts: &[(i32, &str)], statefulset: &str, ordinal: i32) -> Option<String> {
    let ways: Vec<Vec<String>> = texts.iter().map(|(from, text)| ways(text, *from, statefulset, ordinal)).collect();
    let mut best: Option<(&String, usize)> = None;
    for way in ways.iter().rev().flatten() {
        let votes = ways.iter().filter(|ways| ways.contains(way)).count();
        if best.is_none_or(|(_, most)| votes > most) {
            best = Some((way, votes));
        }
    }
    // Texts that lead to different ones, as generated names do, lead nowhere.
    best.filter(|(_, votes)| votes * 2 > texts.len()).map(|(way, _)| way.clone())
}

/// The text with its ordinal replaced, in each way that makes sense, the likeliest first: in the pod's name, as the last
/// number, or wherever the number stands.
pub(super) fn ways(text: &str, from: i32, statefulset: &str, ordinal: i32) -> Vec<String> {
    let mut places = Vec::new();
    let mut at = 0;
    for run in text.split(|c: char| !c.is_ascii_digit()) {
        if run.parse() == Ok(from) {
            places.push(at..at + run.len());
        }
        // Every separator is one character; those before it may be longer than a byte.
        at += run.len() + text[at + run.len()..].chars().next().map_or(0, char::len_utf8);
    }
    let replaced = |places: &[std::ops::Range<usize>]| {
        let mut new = text.to_owned();
        for place in places.iter().rev() {
            new.replace_range(place.clone(), &format!("{ordinal:0width$}", width = place.len()));
        }
        new
    };
    let mut ways = Vec::new();
    if ordinal_of(text, statefulset) == Some(from) {
        ways.extend(replace_ordinal(text, statefulset, ordinal));
    }
    if let Some(last) = places.last() {
        ways.push(replaced(std::slice::from_ref(last)));
        ways.push(replaced(&places));
    }
    ways.dedup();
    ways
}
