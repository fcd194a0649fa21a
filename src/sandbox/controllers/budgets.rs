//! Pod disruption budgets: how many pods may be evicted now.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds;
use super::View;
use super::object::{controller, is_ready, is_terminating, namespace, uid};
use super::plan::{Plan, Step};
use super::selector::selects;

pub(super) fn decide(view: &View) -> Vec<Plan> {
    view.of(kinds::BUDGETS).iter().map(|budget| Plan::new(budget, of_one(view, budget).into_iter().collect())).collect()
}

fn of_one(view: &View, budget: &Arc<Value>) -> Option<Step> {
    let here = |object: &&Arc<Value>| namespace(object) == namespace(budget);
    let is_its = |pod: &&Arc<Value>| selects(&budget["spec"]["selector"], pod) && pod["status"]["phase"] != "Succeeded";
    let pods: Vec<_> = view.of(kinds::PODS).iter().filter(here).filter(is_its).collect();
    let healthy = pods.iter().filter(|pod| is_ready(pod) && !is_terminating(pod)).count() as u64;
    // Where pods have a set, it says how many there should be.
    let owners: BTreeSet<_> =
        pods.iter().filter_map(|pod| controller(pod)).filter_map(|owner| owner["uid"].as_str()).collect();
    let sets = view.of(kinds::STATEFUL_SETS).iter().filter(here).filter(|set| owners.contains(uid(set)));
    let scaled: u64 = sets.filter_map(|set| set["spec"]["replicas"].as_u64()).sum();
    let alone = pods.iter().filter(|pod| controller(pod).is_none()).count() as u64;
    let spec = &budget["spec"];
    let (expected, desired) = if let Some(most) = amount(&spec["maxUnavailable"], scaled + alone) {
        (scaled + alone, (scaled + alone).saturating_sub(most))
    } else if let Some(least) = spec["minAvailable"].as_u64() {
        (pods.len() as u64, least)
    } else {
        (scaled + alone, amount(&spec["minAvailable"], scaled + alone).unwrap_or(1))
    };
    let allowed = if expected == 0 { 0 } else { healthy.saturating_sub(desired) };
    let mut after = Value::clone(budget);
    if !after["status"].is_object() {
        after["status"] = json!({});
    }
    let counts = [
        ("currentHealthy", healthy),
        ("desiredHealthy", desired),
        ("disruptionsAllowed", allowed),
        ("expectedPods", expected),
    ];
    for (field, count) in counts {
        after["status"][field] = json!(count);
    }
    after["status"]["observedGeneration"] = budget["metadata"]["generation"].clone();
    (after["status"] != budget["status"]).then(|| Step::status(kinds::BUDGETS, after))
}

/// A number, or a percentage of a whole, rounded up.
fn amount(value: &Value, whole: u64) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let percent: u64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    Some(whole.saturating_mul(percent).div_ceil(100))
}
