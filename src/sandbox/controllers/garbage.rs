//! The garbage collector: what becomes of objects whose owners go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::kinds;
use super::super::registry::{Propagation, Registry};
use super::View;
use super::object::{has_finalizer, is_terminating, list, moment, uid, without_finalizer};
use super::plan::{Action, Plan, Step};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// How long events are kept.
const EVENTS_LAST: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn decide(registry: &Registry, view: &View) -> Vec<Plan> {
    let kinds = registry.kinds();
    let is_served = |owner: &Value| {
        kinds.iter().any(|kind| {
            let group = owner["apiVersion"].as_str().and_then(|version| version.split_once('/'));
            owner["kind"] == kind.kind && group.map_or("", |(group, _)| group) == kind.group
        })
    };
    let objects = || view.objects.iter().flat_map(|(resource, objects)| objects.iter().map(move |one| (resource, one)));
    let standing: HashMap<&str, &Arc<Value>> = objects().map(|(_, object)| (uid(object), object)).collect();
    // What the objects that go wait for.
    let mut holding = HashSet::new();
    let mut orphaning = HashSet::new();
    let mut plans = Vec::new();
    for (resource, object) in objects() {
        let owners = || list(&object["metadata"]["ownerReferences"]);
        if owners().next().is_none() {
            continue;
        }
        let find = |owner: &Value| owner["uid"].as_str().and_then(|uid| standing.get(uid)).copied();
        // The owner of a kind that is not served may well be there.
        let is_gone = |owner: &&Value| find(owner).is_none() && is_served(owner);
        let lets_go =
            |owner: &&Value| find(owner).is_some_and(|owner| is_terminating(owner) && has_finalizer(owner, ORPHAN));
        let deletes =
            |owner: &&Value| find(owner).is_some_and(|owner| is_terminating(owner) && has_finalizer(owner, FOREGROUND));
        for owner in owners().filter(lets_go) {
            orphaning.insert(owner["uid"].as_str().unwrap_or_default());
        }
        for owner in owners().filter(deletes).filter(|owner| owner["blockOwnerDeletion"] == true) {
            holding.insert(owner["uid"].as_str().unwrap_or_default());
        }
        let (gone, freed) = (owners().filter(is_gone).count(), owners().filter(lets_go).count());
        let ending = owners().filter(deletes).count();
        let count = owners().count();
        let step = if freed > 0 || (gone > 0 && gone + ending < count) {
            // It stays, without those.
            let kept: Vec<_> = owners().filter(|owner| !lets_go(owner) && !is_gone(owner)).cloned().collect();
            let mut after = Value::clone(object);
            after["metadata"]["ownerReferences"] = json!(kept);
            Step::whole(resource, after)
        } else if gone + ending == count && !is_terminating(object) {
            // Those that wait for it wait for its own dependents as well.
            let propagation = if ending > 0 { Propagation::Foreground } else { Propagation::Background };
            Action::Delete { resource: resource.clone(), object: Arc::clone(object), propagation }.into()
        } else {
            continue;
        };
        plans.push(Plan::new(object, vec![step]));
    }
    for (resource, object) in objects().filter(|(_, object)| is_terminating(object)) {
        for (finalizer, waits_for) in [(FOREGROUND, &holding), (ORPHAN, &orphaning)] {
            if has_finalizer(object, finalizer) && !waits_for.contains(uid(object)) {
                plans.push(Plan::new(object, vec![Step::whole(resource, without_finalizer(object, finalizer))]));
            }
        }
    }
    plans
}

/// Events go after an hour, as an API server lets them.
pub(super) fn old_events(view: &View) -> Vec<Plan> {
    let plan = |event: &Arc<Value>| {
        let told = moment(&event["lastTimestamp"]).or_else(|| moment(&event["metadata"]["creationTimestamp"]))?;
        let ends = told.checked_add(EVENTS_LAST).ok()?;
        let steps = if ends <= view.now { vec![Step::delete(kinds::EVENTS, event)] } else { Vec::new() };
        let again = (ends > view.now).then_some(ends);
        Some(Plan { again, ..Plan::new(event, steps) })
    };
    view.of(kinds::EVENTS).iter().filter_map(plan).collect()
}
