//! What has to be told to a new member in etcd's configuration file.

use super::edits::{Edits, Obstacle, changeable, config_map, wanted};
use crate::model::{ConfigFile, ConfigText, Container, Goal, KeyEdit, Observation, new_member_name, replace_pod_name};

/// Says where the list of peers is, and what has to change there.
///
/// # Errors
/// What stands in the way of saying so.
pub(super) fn file_edits(
    observation: &Observation,
    goal: &Goal,
    container: &Container,
    file: &ConfigFile,
    edits: &mut Edits,
) -> Result<(), Obstacle> {
    let (path, name, key, direct) = match file {
        ConfigFile::ConfigMap { path, name, key, direct } => (path, name, key, *direct),
        ConfigFile::Fixed(place) => {
            return Err(Obstacle::fact(
                format!("the new member's list of peers is fixed in {place}, which etcd-scale does not edit"),
                "keep the file in a ConfigMap, or let the list come from the variable ETCD_INITIAL_CLUSTER",
            ));
        }
    };
    let own = Own::of(observation, goal)?;
    let model = own.model(observation, container, file);
    let asked: Vec<&str> = [key].into_iter().chain(&model).map(String::as_str).collect();
    let map = config_map(observation, name, &asked)?;
    let list = wanted(observation, goal)?;
    let place = format!("key {key} of ConfigMap {name}");
    let from = map.data.get(key);
    let base = match (from, model.as_ref().and_then(|model| map.data.get(model))) {
        (Some(from), _) => from.clone(),
        (None, Some(model)) => replace_pod_name(model, &own.before, &own.pod),
        (None, None) => {
            return Err(Obstacle::fact(
                format!("ConfigMap {name} has no key {key}, from which pod {} would read its configuration", own.pod),
                format!("add it, or mend the template; its initial-cluster has to be {list}"),
            ));
        }
    };
    let mend = |fact: String| Obstacle::fact(fact, "mend it, or let the list come from ETCD_INITIAL_CLUSTER");
    let made = model.as_ref().filter(|_| from.is_none());
    let told = made.map_or_else(|| place.clone(), |model| format!("{place}, made after {model},"));
    let text = ConfigText::read(&base).map_err(|why| mend(format!("{told} {why}")))?;
    if direct {
        own.is_named_in(&text, &told)?;
    }
    let to = text.joining(&list).map_err(|why| mend(format!("{told} {why}")))?;
    edits.peers = match (made, direct) {
        (Some(model), _) => format!("{place}, the etcd configuration file {path}, made after key {model}"),
        (None, true) => format!("{place}, the etcd configuration file {path}"),
        (None, false) => format!("{place}, of which the start command makes the etcd configuration file"),
    };
    if from.is_some_and(|from| to == *from) {
        return Ok(());
    }
    changeable(map, name, &place)?;
    edits.version = from.is_none().then(|| map.version.clone());
    edits.config_map = Some((name.clone(), vec![KeyEdit { key: key.clone(), from: from.cloned(), to }]));
    Ok(())
}

/// What the new member's own file has to say of it.
struct Own {
    pod: String,
    /// The pod before it.
    before: String,
    name: String,
    peer_url: String,
}

impl Own {
    fn of(observation: &Observation, goal: &Goal) -> Result<Self, Obstacle> {
        let set = &observation.statefulset;
        let ordinal = goal.ordinal(set.start);
        let pod = set.pod_name(ordinal);
        let members = observation.members.known().ok_or(Obstacle::Members)?;
        let name = new_member_name(&members.list, &set.name, ordinal).unwrap_or_else(|| pod.clone());
        let peer_url = observation.peer_url(ordinal).ok_or(Obstacle::Members)?;
        Ok(Self { pod, before: set.pod_name(ordinal - 1), name, peer_url })
    }

    /// The key of the same ConfigMap that the pod before reads, where each pod has a key of its own.
    fn model(&self, observation: &Observation, container: &Container, file: &ConfigFile) -> Option<String> {
        let ConfigFile::ConfigMap { name, key, direct: true, .. } = file else { return None };
        match observation.statefulset.template.config_file(container, &self.before)? {
            ConfigFile::ConfigMap { name: same, key: other, direct: true, .. } if same == *name && other != *key => {
                Some(other)
            }
            _ => None,
        }
    }

    /// A file that says another member's name or URL would start a second member under that one's identity.
    fn is_named_in(&self, text: &ConfigText<'_>, place: &str) -> Result<(), Obstacle> {
        let Self { pod, name, peer_url, .. } = self;
        let advice = format!(
            "etcd takes no flag or variable beside a file: give each pod its own, as with \
             --config-file=/etc/etcd/$(POD_NAME).yaml, with name {name} and initial-advertise-peer-urls {peer_url} \
             in that of {pod}"
        );
        if text.name() != name {
            let fact = format!("{place}, which pod {pod} reads, names its member {} instead of {name}", text.name());
            return Err(Obstacle::fact(fact, advice));
        }
        if !text.peer_urls().split(',').any(|url| url.trim().trim_end_matches('/') == peer_url.trim_end_matches('/')) {
            let fact = format!(
                "{place}, which pod {pod} reads, gives its member the peer URL {} instead of {peer_url}",
                text.peer_urls()
            );
            return Err(Obstacle::fact(fact, advice));
        }
        Ok(())
    }
}
