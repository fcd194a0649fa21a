//! Namespaces: what every one has, and how one ends.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds;
use super::super::registry::Registry;
use super::View;
use super::object::{is_terminating, list, name, namespace};
use super::plan::{Action, Plan, Step};

pub(super) fn decide(registry: &Registry, view: &View) -> Vec<Plan> {
    let kinds = registry.kinds();
    let namespaced: Vec<_> = kinds.iter().filter(|kind| kind.namespaced).map(|kind| kind.resource()).collect();
    let of_one = |standing: &Arc<Value>| {
        let steps = if is_terminating(standing) {
            emptied(view, &namespaced, standing)
        } else if view.get(kinds::SERVICE_ACCOUNTS, name(standing), "default").is_none() {
            let object = json!({"metadata": {"name": "default"}});
            let namespace = name(standing).to_owned();
            vec![Action::Create { resource: kinds::SERVICE_ACCOUNTS, namespace, object }.into()]
        } else {
            Vec::new()
        };
        Plan::new(standing, steps)
    };
    view.of(kinds::NAMESPACES).iter().map(of_one).collect()
}

/// Deletes what is in a namespace, and then lets the namespace go.
fn emptied(view: &View, namespaced: &[String], standing: &Value) -> Vec<Step> {
    let content: Vec<_> = namespaced
        .iter()
        .flat_map(|resource| view.of(resource).iter().map(move |object| (resource, object)))
        .filter(|(_, object)| namespace(object) == name(standing))
        .collect();
    if !content.is_empty() {
        let going = content.into_iter().filter(|(_, object)| !is_terminating(object));
        return going.map(|(resource, object)| Step::delete(resource, object)).collect();
    }
    if list(&standing["spec"]["finalizers"]).next().is_none() {
        return Vec::new();
    }
    let mut after = standing.clone();
    after["spec"]["finalizers"] = json!([]);
    vec![Step::whole(kinds::NAMESPACES, after)]
}
