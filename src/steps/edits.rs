//! What has to be told to a member that comes, or after one that went: size, cluster state and list of peers, each where it
//! stands.

use super::config_file::file_edits;
use super::{members_to_answer, not_etcd};
use crate::model::{
    Answer, CommandEdit, ConfigMap, Container, EnvEdit, Fact, FlagValue, Goal, Join, KeyEdit, Known, Observation,
    PeerList, Question, SizeEnv, SizeVariable, StateVariable, StatefulSet, Verb, WordEdit, peers_in, same_peers,
    wanted_peers,
};
use crate::runbook::{Refusal, Verdict};

/// What has to be told to a new member, wherever that stands.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// Variables of the template.
    pub(super) env: Vec<EnvEdit>,
    /// Words of the template's command line.
    pub(super) words: Vec<WordEdit>,
    /// What the container runs instead, for the new pod's first start.
    pub(super) command: Option<CommandEdit>,
    /// Keys of a ConfigMap.
    pub(super) config_map: Option<(String, Vec<KeyEdit>)>,
    /// The ConfigMap's version, where a key is new to it.
    pub(super) version: Option<String>,
    /// Where the list of peers was found.
    pub(super) peers: String,
    /// How the new member joins.
    pub(super) join: Join,
}

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.env.is_empty() && self.words.is_empty() && self.command.is_none() && self.config_map.is_none()
    }
}

/// Why it cannot be said what has to change.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// A fact forbids it.
    Fact(Fact),
    /// A question has to be answered first.
    Ask(Question),
    /// The members have to be known first.
    Members,
}

impl Obstacle {
    /// What a step says of it.
    pub(super) fn verdict(self, observation: &Observation, goal: &Goal) -> Verdict {
        match self {
            Self::Fact(fact) => Verdict::Refuse(Refusal::because(fact.fact, fact.advice)),
            Self::Ask(question) => Verdict::Look(question),
            Self::Members => members_to_answer(observation, goal),
        }
    }

    pub(super) fn fact(fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Fact(Fact::new(fact, advice))
    }
}

/// What has to change for one member more, less or anew: size, cluster state and list of peers, each where it stands.
///
/// # Errors
/// What stands in the way of saying so.
pub(super) fn template_edits(observation: &Observation, goal: &Goal) -> Result<Edits, Obstacle> {
    let set = &observation.statefulset;
    let Some((index, container)) = set.template.etcd() else {
        return Err(Obstacle::fact(not_etcd(set), "name the StatefulSet that runs etcd"));
    };
    let join = if goal.adds() { Join::of(observation, goal).map_err(Obstacle::Fact)? } else { Join::Learner };
    if goal.verb == Verb::Replace && join != Join::Learner {
        return Err(Obstacle::fact(
            "the image adds its own pod to the cluster, and would meet the member that is to take its place",
            "remove the member with `etcdctl member remove`, then delete the pod's claim and the pod: its script does the rest",
        ));
    }
    let mut edits = Edits { join, ..Edits::default() };
    if let Join::Bypass { edit } = &edits.join {
        // Once its pod is asked for, giving it its own command back is a step of its own.
        edits.command = Some(edit.clone()).filter(|_| set.replicas == goal.from);
    }
    match size_variable(set, container, goal) {
        SizeVariable::None => {}
        SizeVariable::One(name) => edits.env.push(edit(index, container, &name, &goal.to.to_string())),
        SizeVariable::Several(names) => {
            return Err(Obstacle::fact(
                format!("several variables may be the cluster's size: {}", names.join(", ")),
                "say which with --size-env NAME, or --size-env none",
            ));
        }
        SizeVariable::NotThere(name) => {
            return Err(Obstacle::fact(
                format!("--size-env {name} names no literal variable of container {}", container.name),
                "name one that stands in the template, or none",
            ));
        }
    }
    if let Some(file) = set.template.config_file(container, &set.pod_name(goal.ordinal(set.start))) {
        // What the others read there they do not read again, and the file of one that goes may stay.
        if goal.adds() {
            file_edits(observation, goal, container, &file, &mut edits)?;
        }
        edits.env.retain(|edit| edit.from.as_ref() != Some(&edit.to));
        return Ok(edits);
    }
    let mut flags = Vec::new();
    let mut keys = Vec::new();
    match set.template.peer_list(container) {
        PeerList::Computed => "the start command works it out".clone_into(&mut edits.peers),
        PeerList::Fixed(place) => {
            return Err(Obstacle::fact(
                format!("the new member's list of peers is fixed in {place}, which etcd-scale does not edit"),
                "let it come from the variable ETCD_INITIAL_CLUSTER, or let the start command work it out",
            ));
        }
        PeerList::Variable { name, list } => {
            edits.peers = format!("a literal in the variable {name}");
            let wanted = wanted(observation, goal)?;
            if !same_peers(&list, &wanted) {
                edits.env.push(edit(index, container, &name, &wanted));
            }
        }
        PeerList::Flag(flag) => {
            edits.peers = format!("the flag --initial-cluster in {}[{}]", flag.part.field(), flag.index);
            let wanted = wanted(observation, goal)?;
            if !same_peers(&flag.value, &wanted) {
                flags.push((flag, wanted));
            }
        }
        PeerList::ConfigMap { name, key } => {
            edits.peers = format!("key {key} of ConfigMap {name}");
            keys.push((name, key, wanted(observation, goal)?));
        }
        PeerList::Perhaps(places) => {
            "the start command works it out".clone_into(&mut edits.peers);
            for (name, key) in places {
                if config_map(observation, &name, &[&key])?.data.contains_key(&key) {
                    edits.peers = format!("key {key} of ConfigMap {name}, by envFrom");
                    keys.push((name, key, wanted(observation, goal)?));
                    break;
                }
            }
        }
    }
    match set.template.state_variable(container) {
        _ if !goal.adds() => {}
        StateVariable::Existing => {}
        StateVariable::Set(name) => edits.env.push(edit(index, container, &name, "existing")),
        StateVariable::Add => edits.env.push(edit(index, container, "ETCD_INITIAL_CLUSTER_STATE", "existing")),
        StateVariable::Flag(flag) => flags.push((flag, "existing".to_owned())),
        StateVariable::ConfigMap { name, key } => keys.push((name, key, "existing".to_owned())),
        StateVariable::Fixed(place) => {
            return Err(Obstacle::fact(
                format!("the cluster state that the new member starts with comes from {place}"),
                "let it come from the variable ETCD_INITIAL_CLUSTER_STATE, or set it to `existing` first",
            ));
        }
    }
    edits.env.retain(|edit| edit.from.as_ref() != Some(&edit.to));
    edits.words = word_edits(index, container, flags);
    edits.config_map = key_edits(observation, &keys)?;
    Ok(edits)
}

/// The list of peers that the new member has to start with.
pub(super) fn wanted(observation: &Observation, goal: &Goal) -> Result<String, Obstacle> {
    let set = &observation.statefulset;
    match observation.members.known().filter(|members| members.by_quorum) {
        None => Err(Obstacle::Members),
        Some(_) => wanted_peers(observation, goal.ordinal(set.start), goal.adds()).ok_or_else(|| {
            Obstacle::fact(
                "the new member's peer URL cannot be made from the live members'",
                "members must be named after their pods for etcd-scale to add another",
            )
        }),
    }
}

/// Flags in one text are replaced together, from its end, so that the places of those before stay right.
fn word_edits(container_index: usize, container: &Container, mut flags: Vec<(FlagValue, String)>) -> Vec<WordEdit> {
    flags.sort_by_key(|(flag, _)| (flag.part, flag.index, std::cmp::Reverse(flag.place.start)));
    let mut edits: Vec<WordEdit> = Vec::new();
    for (flag, value) in flags {
        if let Some(last) = edits.last_mut().filter(|last| (last.part, last.index) == (flag.part, flag.index)) {
            last.to.replace_range(flag.place, &value);
            continue;
        }
        let Some(from) = container.list(flag.part).get(flag.index).cloned() else { continue };
        let mut to = from.clone();
        to.replace_range(flag.place, &value);
        edits.push(WordEdit { container: container_index, part: flag.part, index: flag.index, from, to });
    }
    edits
}

/// The keys of the one ConfigMap that have to change.
fn key_edits(
    observation: &Observation,
    keys: &[(String, String, String)],
) -> Result<Option<(String, Vec<KeyEdit>)>, Obstacle> {
    let mut edits: Option<(String, Vec<KeyEdit>)> = None;
    let asked: Vec<&str> = keys.iter().map(|(_, key, _)| key.as_str()).collect();
    for (name, key, to) in keys {
        let map = config_map(observation, name, &asked)?;
        let Some(from) = map.data.get(key).cloned() else {
            return Err(Obstacle::fact(
                format!("ConfigMap {name} has no key {key}, from which the template reads"),
                "mend the ConfigMap or the template first",
            ));
        };
        if from == *to || same_peers(&from, to) {
            continue;
        }
        let place = format!("key {key} of ConfigMap {name}");
        changeable(map, name, &place)?;
        if to != "existing" && peers_in(&from).is_none() {
            return Err(Obstacle::fact(format!("{place} is no list of names and peer URLs"), ELSEWHERE));
        }
        let edit = KeyEdit { key: key.clone(), from: Some(from), to: to.clone() };
        match &mut edits {
            Some((same, list)) if same == name => list.push(edit),
            Some((other, _)) => {
                return Err(Obstacle::fact(
                    format!("list of peers and cluster state are in two ConfigMaps, {other} and {name}"),
                    "set the cluster state to `existing` by hand first; it matters to new members only",
                ));
            }
            None => edits = Some((name.clone(), vec![edit])),
        }
    }
    Ok(edits)
}

const ELSEWHERE: &str = "change it where it is made, or let the template carry ETCD_INITIAL_CLUSTER itself";

/// Whether a ConfigMap may be changed, and would stay so.
///
/// # Errors
/// The fact that forbids it.
pub(super) fn changeable(map: &ConfigMap, name: &str, place: &str) -> Result<(), Obstacle> {
    let fact = if map.immutable {
        "the ConfigMap is immutable".to_owned()
    } else if hash_named(name) {
        "the name carries a hash of what is in it".to_owned()
    } else if let Some(owner) = &map.owner {
        format!("{owner} would undo that")
    } else {
        return Ok(());
    };
    Err(Obstacle::fact(format!("{place} has to change, and {fact}"), ELSEWHERE))
}

/// A ConfigMap that the template names.
pub(super) fn config_map<'a>(
    observation: &'a Observation,
    name: &str,
    keys: &[&str],
) -> Result<&'a ConfigMap, Obstacle> {
    let mut keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    keys.sort_unstable();
    let question = Question::ConfigMap { name: name.to_owned(), keys };
    match observation.answer(&question) {
        Some(Answer::ConfigMap(Known::Known(Some(map)))) => Ok(map),
        Some(Answer::ConfigMap(Known::Known(None))) => Err(Obstacle::fact(
            format!("ConfigMap {name}, from which the template reads, does not exist"),
            "make it, or mend the template",
        )),
        Some(Answer::ConfigMap(Known::Unknown(why))) => Err(Obstacle::fact(
            format!("ConfigMap {name}, from which the template reads, could not be read: {why}"),
            "it may carry the list of peers; ask for the permission to get it",
        )),
        _ => Err(Obstacle::Ask(question)),
    }
}

/// Whether a name ends as kustomize's generated ones do: ten characters of its alphabet for hashes
/// (kyaml/resource hash, `encode`).
fn hash_named(name: &str) -> bool {
    name.rsplit_once('-')
        .is_some_and(|(_, hash)| hash.len() == 10 && hash.bytes().all(|b| b"2456789bcdfghkmt".contains(&b)))
}

/// The size variable, going by the operator's choice where there is one.
pub(super) fn size_variable(set: &StatefulSet, container: &Container, goal: &Goal) -> SizeVariable {
    match &goal.size_env {
        SizeEnv::None => SizeVariable::None,
        SizeEnv::Name(name) if container.literal(name).is_some() => SizeVariable::One(name.clone()),
        SizeEnv::Name(name) => SizeVariable::NotThere(name.clone()),
        SizeEnv::Auto => set.template.size_variable(container, goal.from),
    }
}

fn edit(container_index: usize, container: &Container, name: &str, to: &str) -> EnvEdit {
    // The last of several variables of one name is the one in force.
    let found = container.env.iter().enumerate().rev().find(|(_, var)| var.name == name);
    let from = found.and_then(|(_, var)| var.source.literal().map(str::to_owned));
    EnvEdit {
        container: container_index,
        index: found.map(|(index, _)| index),
        first: container.env.is_empty(),
        name: name.to_owned(),
        from,
        to: to.to_owned(),
    }
}
