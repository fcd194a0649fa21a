//! Volumes that are made by hand: whether a new member needs one, and what it has to look like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Fact, Goal, Node, Observation, replace_ordinal};

/// The annotation of the StatefulSet that lists paths on which a removed member's data may still lie. It lasts.
pub const USED_PATHS_ANNOTATION: &str = "etcd-scale.io/used-paths";

/// The label of a node's own name.
const HOST_NAME: &str = "kubernetes.io/hostname";

/// What stands for the new ordinal in a template of the operator's own.
const ORDINAL: &str = "{ordinal}";

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// `Bound`, `Available`, `Released` or `Failed`.
    pub phase: String,
    /// Such as `1Gi`.
    pub capacity: String,
    /// Namespace and name of the claim it is kept for.
    pub claim: Option<(String, String)>,
    /// What made it, where that was no person.
    pub provisioner: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its whole `spec`.
    pub spec: Value,
}

impl Volume {
    /// The path on a node, where its data lies on one.
    pub fn path(&self) -> Option<&str> {
        path_in(&self.spec)
    }

    /// Whether something other than a person made it: it has left its mark, or named the volume after the uid that a
    /// claim has only once it is there, as provisioners do.
    pub fn provisioned(&self) -> bool {
        let uid = self.spec.pointer("/claimRef/uid").and_then(Value::as_str).filter(|uid| !uid.is_empty());
        self.provisioner.is_some() || uid.is_some_and(|uid| self.name.contains(uid))
    }

    /// Whether a person made it: it is a path, and no provisioner made it.
    pub fn by_hand(&self) -> bool {
        !self.provisioned() && self.path().is_some()
    }

    /// The nodes that it names; empty where it names none.
    pub fn nodes(&self) -> Vec<String> {
        nodes_in(&self.spec)
    }
}

fn path_in(spec: &Value) -> Option<&str> {
    ["/hostPath/path", "/local/path"].iter().find_map(|pointer| spec.pointer(pointer)).and_then(Value::as_str)
}

fn nodes_in(spec: &Value) -> Vec<String> {
    let terms = spec.pointer("/nodeAffinity/required/nodeSelectorTerms").and_then(Value::as_array);
    let expressions = terms.into_iter().flatten().filter_map(|term| term["matchExpressions"].as_array()).flatten();
    expressions
        .filter(|expression| expression["key"] == HOST_NAME && expression["operator"] == "In")
        .filter_map(|expression| expression["values"].as_array())
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// A volume that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// The claim it is for.
    pub claim: String,
    /// The volume that it is made after; none where the operator has said what it should look like.
    pub model: Option<String>,
    /// The whole object.
    pub manifest: Value,
    /// What is worth knowing of it, each with what can be done.
    pub notes: Vec<Fact>,
}

impl NewVolume {
    /// The path on a node, where its data will lie on one.
    pub fn path(&self) -> Option<&str> {
        path_in(&self.manifest["spec"])
    }
}

/// What one claim of the new member needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeNeed {
    /// The cluster makes its volume.
    Provisioned(String),
    /// Nobody makes its volume, and it cannot be told what it should look like.
    Unmodelled(String),
    /// It cannot be told who makes its volume.
    Unknown(String),
    /// This volume has to be made.
    Make(Box<NewVolume>),
    /// A volume has to be made, and a fact stands in the way.
    Refused(Fact),
}

/// What each claim of the new member needs. Which other volumes there are in the cluster does not count yet.
pub fn volume_needs(observation: &Observation, goal: &Goal) -> Vec<(String, VolumeNeed)> {
    let set = &observation.statefulset;
    let ordinal = goal.new_ordinal(set.start);
    let etcd = set.template.etcd();
    set.claim_templates
        .iter()
        .map(|template| {
            let claim = format!("{}-{}-{ordinal}", template.name, set.name);
            let holds_data = etcd.is_some_and(|(_, container)| {
                set.template.data_dir(container, &set.claim_templates) == super::DataDir::OnClaim(template.name.clone())
            });
            let own = goal.volume_template.as_ref().filter(|_| holds_data);
            let need = need(observation, goal, template, &claim, own);
            (claim, need)
        })
        .collect()
}

/// The names of the volumes that a run will make, for its record.
pub fn volumes_to_make(observation: &Observation, goal: &Goal) -> Vec<String> {
    if goal.from == goal.to {
        return Vec::new();
    }
    let needs = volume_needs(observation, goal).into_iter();
    needs
        .filter_map(|(_, need)| match need {
            VolumeNeed::Make(new) => Some(new.name),
            _ => None,
        })
        .collect()
}

fn need(
    observation: &Observation,
    goal: &Goal,
    template: &super::ClaimTemplate,
    claim: &str,
    own: Option<&Value>,
) -> VolumeNeed {
    let Some(classes) = observation.storage_classes.known() else {
        let why = observation.storage_classes.reason().unwrap_or_default();
        return VolumeNeed::Unknown(format!("the storage classes could not be read: {why}"));
    };
    let class = match &template.storage_class {
        Some(name) => classes.iter().find(|class| class.name == *name),
        None => classes.iter().find(|class| class.default),
    };
    let named = template.storage_class.as_deref();
    let why = match (class, named) {
        (Some(class), _) if class.provisioner == "kubernetes.io/no-provisioner" => {
            format!("storage class {} makes no volumes by itself", class.name)
        }
        (Some(class), _) => {
            return VolumeNeed::Provisioned(format!("storage class {} makes the volume of {claim}", class.name));
        }
        (None, Some("")) => format!("claim {} asks for no storage class", template.name),
        (None, name) => {
            format!("storage class {} of claim {} does not exist", name.unwrap_or("(default)"), template.name)
        }
    };
    let (neighbours, unknown) = neighbours(observation, goal, &template.name);
    // Something outside makes volumes for a class that nobody sees.
    if let Some((_, volume)) = neighbours.last()
        && volume.provisioned()
    {
        return VolumeNeed::Unmodelled(why);
    }
    if let Some(own) = own {
        return match from_template(observation, goal, claim, own, neighbours.last().map(|(_, volume)| *volume)) {
            Ok(new) => VolumeNeed::Make(Box::new(new)),
            Err(fact) => VolumeNeed::Refused(fact),
        };
    }
    match neighbours.last() {
        Some((_, volume)) if volume.by_hand() => match from_neighbour(observation, goal, claim, &neighbours) {
            Ok(new) => VolumeNeed::Make(Box::new(new)),
            Err(fact) => VolumeNeed::Refused(fact),
        },
        Some(_) => VolumeNeed::Unmodelled(why),
        None => match unknown {
            Some(reason) => VolumeNeed::Unknown(format!("{why}, and the volumes could not be read: {reason}")),
            None => VolumeNeed::Unmodelled(why),
        },
    }
}

/// The volumes of the present ordinals' claims of one template, the nearest last, and why they are not known.
fn neighbours<'a>(
    observation: &'a Observation,
    goal: &Goal,
    template: &str,
) -> (Vec<(i32, &'a Volume)>, Option<String>) {
    let set = &observation.statefulset;
    let (Some(claims), Some(volumes)) = (observation.claims.known(), observation.volumes.known()) else {
        let reason = observation.claims.reason().or(observation.volumes.reason()).unwrap_or_default();
        return (Vec::new(), Some(reason.to_owned()));
    };
    let found = set.ordinals(goal.from).filter_map(|ordinal| {
        let name = format!("{template}-{}-{ordinal}", set.name);
        let bound = claims.iter().find(|claim| claim.name == name)?.volume.as_ref()?;
        Some((ordinal, volumes.iter().find(|volume| volume.name == *bound)?))
    });
    (found.collect(), None)
}

const OWN: &str = "say what it should look like with --volume-template FILE";

fn from_neighbour(
    observation: &Observation,
    goal: &Goal,
    claim: &str,
    neighbours: &[(i32, &Volume)],
) -> Result<NewVolume, Fact> {
    let set = &observation.statefulset;
    let ordinal = goal.new_ordinal(set.start);
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
fn from_template(
    observation: &Observation,
    goal: &Goal,
    claim: &str,
    own: &Value,
    neighbour: Option<&Volume>,
) -> Result<NewVolume, Fact> {
    let set = &observation.statefulset;
    let ordinal = goal.new_ordinal(set.start);
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
    let there = |node: &Node| node.schedulable && on.contains(&host_name(node));
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
fn followed(texts: &[(i32, &str)], statefulset: &str, ordinal: i32) -> Option<String> {
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
fn ways(text: &str, from: i32, statefulset: &str, ordinal: i32) -> Vec<String> {
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
    if super::ordinal_of(text, statefulset) == Some(from) {
        ways.extend(replace_ordinal(text, statefulset, ordinal));
    }
    if let Some(last) = places.last() {
        ways.push(replaced(std::slice::from_ref(last)));
        ways.push(replaced(&places));
    }
    ways.dedup();
    ways
}

/// The nodes that the new volume is on: as its neighbours', or one that is chosen where they name none.
fn affinity(
    observation: &Observation,
    ordinal: i32,
    neighbours: &[(i32, &Volume)],
    notes: &mut Vec<Fact>,
) -> Result<Option<Value>, Fact> {
    let Some((_, neighbour)) = neighbours.last() else { return Ok(None) };
    let known = observation.nodes.known();
    let present = neighbour.spec.get("nodeAffinity").filter(|affinity| !affinity.is_null());
    let theirs = neighbour.nodes();
    let tied = |volume: &Volume| !volume.nodes().is_empty();
    if let Some(present) = present.filter(|_| theirs.is_empty()) {
        // By something else than a node's name, such as a zone.
        return Ok(Some(present.clone()));
    }
    if let Some((_, free)) = neighbours.iter().rev().find(|(_, volume)| !tied(volume)) {
        let danger = format!(
            "volume {} names no node: what a member wrote stays behind when its pod moves to another",
            free.name
        );
        let Some(node) = known.and_then(|all| quietest(observation, all)) else {
            let advice = "no node could be chosen for the new one either; tie it to one with --volume-template";
            notes.push(Fact::new(danger, advice));
            return Ok(None);
        };
        let advice = format!("the new volume is tied to node {node}; choose otherwise with --volume-template");
        notes.push(Fact::new(danger, advice));
        return Ok(Some(on_node(&node)));
    }
    let apart = observation.statefulset.template.anti_affinity.iter().any(|term| term.topology_key == HOST_NAME);
    if !apart && neighbours.iter().all(|(_, volume)| volume.nodes() == theirs) {
        let there = |node: &Node| node.schedulable && theirs.contains(&host_name(node));
        if known.is_some_and(|all| !all.iter().any(there)) {
            return Err(Fact::new(
                format!("node {}, on which the volume's path is, is not there or takes no pods", theirs.join(", ")),
                "bring the node back, or say where the volume should be with --volume-template",
            ));
        }
        return Ok(present.cloned());
    }
    let Some(known) = known else {
        let why = observation.nodes.reason().unwrap_or_default();
        return Err(Fact::new(
            format!("each volume is on a node of its own, and the nodes could not be read: {why}"),
            OWN,
        ));
    };
    let node = next_node(observation, ordinal, neighbours, known)?;
    notes.push(Fact::new(
        format!("each volume is on a node of its own; the new one will be on {node}"),
        "see that its path is there, or choose otherwise with --volume-template",
    ));
    Ok(Some(on_node(&node)))
}

/// The node for the next volume, where each is on a node of its own: that of its ordinal, where the others are on
/// theirs, or any that is free.
fn next_node(
    observation: &Observation,
    ordinal: i32,
    neighbours: &[(i32, &Volume)],
    known: &[Node],
) -> Result<String, Fact> {
    let taken: Vec<(i32, String)> =
        neighbours.iter().flat_map(|(at, volume)| volume.nodes().into_iter().map(|node| (*at, node))).collect();
    let texts: Vec<(i32, &str)> = taken.iter().map(|(at, node)| (*at, node.as_str())).collect();
    let set = &observation.statefulset.name;
    let by_ordinal = texts.iter().all(|(at, node)| !ways(node, *at, set, ordinal).is_empty());
    let named = followed(&texts, set, ordinal).filter(|_| by_ordinal);
    let mut free: Vec<String> = known.iter().filter(|node| fits(observation, node)).map(host_name).collect();
    free.retain(|node| !texts.iter().any(|(_, other)| other == node));
    free.sort_unstable();
    let chosen = free.into_iter().find(|node| named.as_ref().is_none_or(|named| named == node));
    chosen.ok_or_else(|| {
        let fact = match named {
            Some(node) => format!("the new volume's path would be on node {node}, which is not there or takes no pods"),
            None => "each volume is on a node of its own, and no other node takes pods".to_owned(),
        };
        Fact::new(fact, "add the node, or say where the volume should be with --volume-template")
    })
}

fn on_node(node: &str) -> Value {
    json!({"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": HOST_NAME, "operator": "In", "values": [node]}]}
    ]}})
}

fn host_name(node: &Node) -> String {
    node.labels.get(HOST_NAME).unwrap_or(&node.name).clone()
}

fn fits(observation: &Observation, node: &Node) -> bool {
    let wanted = &observation.statefulset.template.node_selector;
    node.schedulable && !node.tainted && wanted.iter().all(|(key, value)| node.labels.get(key) == Some(value))
}

/// The node with the fewest of the StatefulSet's pods.
fn quietest(observation: &Observation, nodes: &[Node]) -> Option<String> {
    let pods_on = |node: &Node| observation.pods.iter().filter(|pod| pod.node.as_ref() == Some(&node.name)).count();
    let fitting = nodes.iter().filter(|node| fits(observation, node));
    fitting.min_by_key(|node| (pods_on(node), node.name.clone())).map(host_name)
}

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
        let whose = there.claim.as_ref().map(|(namespace, name)| format!(", for claim {namespace}/{name}"));
        return VolumePlace::Refused(Fact::new(
            format!(
                "volume {} exists already ({}{}): what an earlier member left on it would crash the new one",
                new.name,
                there.phase.to_lowercase(),
                whose.unwrap_or_default()
            ),
            format!(
                "when its data is not needed, clear {} on its node and delete it: kubectl delete pv {}",
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
                "it lists the paths of removed members as a JSON array of texts; mend it",
            ));
        }
    };
    let Some(path) = new.path() else { return VolumePlace::Free(Box::new(new.clone())) };
    let mut chosen = new.clone();
    if used.iter().any(|used| overlap(used, path)) {
        if new.model.is_none() {
            return VolumePlace::Refused(Fact::new(
                format!("path {path} of the volume template held a removed member's data"),
                "name another path in the template",
            ));
        }
        let taken = |path: &str| {
            used.iter().any(|used| overlap(used, path))
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
    let nodes = nodes_in(&new.manifest["spec"]);
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

/// Paths on which a removed member's data may still lie.
fn used_paths(observation: &Observation) -> Result<Vec<String>, String> {
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
