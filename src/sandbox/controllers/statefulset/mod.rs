//! The StatefulSet controller: whose pods and revisions are a set's, and the order in which all is done.

mod identity;
mod revisions;
mod rollout;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds;
use super::View;
use super::object::{controller, is_terminating, list, namespace, owned_by, uid};
use super::plan::{Plan, Step};
use super::selector::selects;
use identity::ordinal;
use revisions::History;

pub(super) fn decide(view: &View) -> Vec<Plan> {
    view.of(kinds::STATEFUL_SETS).iter().map(|set| of_one(view, set)).collect()
}

fn of_one(view: &View, set: &Arc<Value>) -> Plan {
    let here = |object: &&Arc<Value>| namespace(object) == namespace(set);
    let (mut pods, mut revisions, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for pod in view.of(kinds::PODS).iter().filter(here) {
        match belongs(set, pod) {
            Belongs::Its if ordinal(set, pod).is_some() => pods.push(Arc::clone(pod)),
            Belongs::ItsNoMore => steps.push(Step::whole(kinds::PODS, released(set, pod))),
            Belongs::Nobodys if ordinal(set, pod).is_some() => steps.push(Step::whole(kinds::PODS, adopted(set, pod))),
            _ => {}
        }
    }
    for revision in view.of(kinds::REVISIONS).iter().filter(here) {
        match belongs(set, revision) {
            Belongs::Its | Belongs::ItsNoMore => revisions.push(Arc::clone(revision)),
            Belongs::Nobodys => steps.push(Step::whole(kinds::REVISIONS, adopted(set, revision))),
            Belongs::Others => {}
        }
    }
    if !steps.is_empty() {
        return Plan::new(set, steps);
    }
    let history = match History::of(set, revisions, view.of(kinds::REVISIONS)) {
        Ok(history) => history,
        // What goes has no future: its revisions may belong to the next set of its name by now.
        Err(_) if is_terminating(set) => return Plan::new(set, Vec::new()),
        Err(step) => return Plan::new(set, vec![*step]),
    };
    let turn = rollout::Turn::new(set, &history, view);
    let (steps, again) = turn.steps(&pods);
    let mut plan = Plan { again, ..Plan::new(set, Vec::new()) };
    plan.after_failure = turn.status(&pods).into_iter().collect();
    let status = turn.status(&rollout::after(&pods, &steps));
    plan.steps = steps.into_iter().chain(status).chain(history.outdated(set, &pods)).collect();
    plan
}

/// Whose an object is, to a set.
enum Belongs {
    Its,
    /// It has the set as its controller, and not its labels.
    ItsNoMore,
    /// It has the set's labels and no controller.
    Nobodys,
    Others,
}

fn belongs(set: &Value, object: &Value) -> Belongs {
    let selected = selects(&set["spec"]["selector"], object);
    match controller(object) {
        Some(owner) if owner["uid"] == uid(set) => {
            if selected || is_terminating(set) {
                Belongs::Its
            } else {
                Belongs::ItsNoMore
            }
        }
        None if selected && !is_terminating(object) && !is_terminating(set) => Belongs::Nobodys,
        _ => Belongs::Others,
    }
}

fn adopted(set: &Value, object: &Value) -> Value {
    let mut after = object.clone();
    let mut owners: Vec<_> = list(&object["metadata"]["ownerReferences"]).cloned().collect();
    owners.push(owned_by(set));
    after["metadata"]["ownerReferences"] = json!(owners);
    after
}

fn released(set: &Value, object: &Value) -> Value {
    let mut after = object.clone();
    let owners = list(&object["metadata"]["ownerReferences"]).filter(|owner| owner["uid"] != uid(set));
    after["metadata"]["ownerReferences"] = json!(owners.collect::<Vec<_>>());
    after
}
