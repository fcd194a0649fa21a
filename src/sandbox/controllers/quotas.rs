//! Resource quotas: what a namespace uses, and what has no room in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds;
use super::super::quantity;
use super::super::registry::Registry;
use super::super::status::Status;
use super::View;
use super::object::{list, name, namespace};
use super::plan::{Plan, Step};

/// What quotas count by a name of their own; else `count/RESOURCE`.
const COUNTED: &[&str] =
    &[kinds::PODS, kinds::CLAIMS, kinds::SERVICES, kinds::CONFIG_MAPS, kinds::SECRETS, kinds::QUOTAS];

pub(super) fn looks_at() -> Vec<String> {
    let more = [kinds::STATEFUL_SETS, kinds::REVISIONS];
    COUNTED.iter().chain(&more).map(|resource| (*resource).to_owned()).collect()
}

pub(super) fn decide(view: &View) -> Vec<Plan> {
    let of_one = |quota: &Arc<Value>| {
        let mut used = serde_json::Map::new();
        for (what, limit) in limits(quota) {
            let objects = view.objects.iter().flat_map(|(resource, objects)| {
                let here = objects.iter().filter(|object| namespace(object) == namespace(quota));
                here.map(move |object| usage(resource, object, what).unwrap_or_default())
            });
            used.insert(what.to_owned(), json!(like(limit, objects.sum())));
        }
        let status = json!({"hard": quota["spec"]["hard"], "used": used});
        let mut after = Value::clone(quota);
        after["status"] = status;
        let steps = (after["status"] != quota["status"]).then(|| Step::status(kinds::QUOTAS, after));
        Plan::new(quota, steps.into_iter().collect())
    };
    view.of(kinds::QUOTAS).iter().map(of_one).collect()
}

/// What a quota limits, and its limits.
fn limits(quota: &Value) -> impl Iterator<Item = (&str, &str)> {
    let hard = quota["spec"]["hard"].as_object();
    hard.into_iter().flatten().filter_map(|(what, limit)| Some((what.as_str(), limit.as_str()?)))
}

/// Counts are written without the suffix that sizes have.
fn like(limit: &str, amount: i128) -> String {
    let is_size = limit.ends_with('i');
    if is_size || amount % 1000 != 0 { quantity::text(amount) } else { (amount / 1000).to_string() }
}

/// How much an object uses of what a quota limits, in thousandths; none where it has nothing to do with it.
fn usage(resource: &str, object: &Value, what: &str) -> Option<i128> {
    const ONE: i128 = 1000;
    if what.strip_prefix("count/") == Some(resource) {
        return Some(ONE);
    }
    // A pod that has ended needs nothing any more.
    if resource == kinds::PODS && matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return None;
    }
    if what == resource && COUNTED.contains(&resource) {
        return Some(ONE);
    }
    if resource == kinds::CLAIMS && what == "requests.storage" {
        return quantity::thousandths(object["spec"]["resources"]["requests"]["storage"].as_str()?);
    }
    if resource == kinds::PODS {
        let (of, which) = computing(what)?;
        let each = list(&object["spec"]["containers"])
            .map(|container| quantity::thousandths(container["resources"][of][which].as_str()?));
        // A container that does not say has no amount; so has its pod.
        return each.sum();
    }
    None
}

/// Where containers say how much they need of something.
fn computing(what: &str) -> Option<(&str, &str)> {
    match what.split_once('.') {
        Some((of @ ("requests" | "limits"), which @ ("cpu" | "memory"))) => Some((of, which)),
        None if matches!(what, "cpu" | "memory") => Some(("requests", what)),
        _ => None,
    }
}

/// Refuses a new object for which a quota of its namespace has no room.
pub(in crate::sandbox) fn check(registry: &Registry, resource: &str, object: &Value) -> Result<(), Status> {
    let (quotas, _) = registry.list(kinds::QUOTAS, Some(namespace(object)));
    let refused = |why: &str| Err(Status::forbidden(resource, name(object), why));
    for quota in &quotas {
        let mut over: BTreeMap<&str, (String, String, String)> = BTreeMap::new();
        let mut unsaid = Vec::new();
        for (what, limit) in limits(quota) {
            if resource == kinds::PODS && computing(what).is_some() && usage(resource, object, what).is_none() {
                unsaid.push(what);
            }
            let Some(wanted) = usage(resource, object, what).filter(|wanted| *wanted > 0) else { continue };
            let (standing, _) = registry.list(resource, Some(namespace(object)));
            let used: i128 = standing.iter().filter_map(|object| usage(resource, object, what)).sum();
            if quantity::thousandths(limit).is_some_and(|limit| used + wanted > limit) {
                over.insert(what, (like(limit, wanted), like(limit, used), limit.to_owned()));
            }
        }
        if !unsaid.is_empty() {
            return refused(&format!("failed quota: {}: must specify {}", name(quota), unsaid.join(",")));
        }
        if !over.is_empty() {
            let each = |pick: fn(&(String, String, String)) -> &String| {
                over.iter().map(|(what, amounts)| format!("{what}={}", pick(amounts))).collect::<Vec<_>>().join(",")
            };
            let (requested, used, limited) = (each(|of| &of.0), each(|of| &of.1), each(|of| &of.2));
            let quota = name(quota);
            return refused(&format!(
                "exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}"
            ));
        }
    }
    Ok(())
}
