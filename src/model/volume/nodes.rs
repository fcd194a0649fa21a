//! The node that a new volume is on.

use serde_json::{Value, json};

use super::super::scheduling::fits_any;
use super::super::{Fact, Node, NodeDemand, Observation};
use super::models::{followed, ways};
use super::{HOST_NAME, OWN, Volume};

/// The nodes that the new volume is on: as its neighbours', or one that is chosen where they name none.
pub(super) fn affinity(
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
        let terms = NodeDemand::terms(&present["required"]);
        if known.is_some_and(|all| !all.iter().any(|node| fits_any(&terms, node) && fits(observation, node))) {
            return Err(Fact::new(
                format!("no node that takes the pods is where volume {} is, by its node affinity", neighbour.name),
                "bring one back, or say where the volume should be with --volume-template",
            ));
        }
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
        let there = |node: &Node| fits(observation, node) && theirs.contains(&host_name(node));
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
            Some(node) => format!(
                "each volume is on a node of its own, and the new one's would be node {node}, which is not there or takes \
                 no pods"
            ),
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

pub(super) fn host_name(node: &Node) -> String {
    node.labels.get(HOST_NAME).unwrap_or(&node.name).clone()
}

pub(super) fn fits(observation: &Observation, node: &Node) -> bool {
    observation.statefulset.template.may_run_on(node)
}

/// The node with the fewest of the StatefulSet's pods.
fn quietest(observation: &Observation, nodes: &[Node]) -> Option<String> {
    let pods_on = |node: &Node| observation.pods.iter().filter(|pod| pod.node.as_ref() == Some(&node.name)).count();
    let fitting = nodes.iter().filter(|node| fits(observation, node));
    fitting.min_by_key(|node| (pods_on(node), node.name.clone())).map(host_name)
}
