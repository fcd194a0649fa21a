//! The scheduler: which node a pod runs on, and why it runs on none.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds;
use super::super::registry::now;
use super::View;
use super::object::{claims, condition, is_terminating, list, name, namespace};
use super::plan::{Plan, Step, Told};
use super::selector::{pod_fits, volume_fits};
use super::volumes::{SELECTED_NODE, best_volume, is_bound, waits_for_consumer};

pub(super) fn decide(view: &View) -> Vec<Plan> {
    let waiting = view.of(kinds::PODS).iter().filter(|pod| {
        let spec = &pod["spec"];
        spec["nodeName"].is_null() && !is_terminating(pod) && spec["schedulerName"] == "default-scheduler"
    });
    waiting.map(|pod| Plan::new(pod, of_one(view, pod))).collect()
}

fn of_one(view: &View, pod: &Arc<Value>) -> Vec<Step> {
    match choose(view, pod) {
        Err(why) => refused(pod, &why).into_iter().collect(),
        Ok(Choice::Consume(claims, node)) => claims.into_iter().map(|claim| consumed_on(claim, node)).collect(),
        Ok(Choice::Node(node)) => {
            if condition(pod, "PodScheduled").is_some_and(|condition| condition["status"] == "True") {
                vec![assigned(pod, node)]
            } else {
                vec![Step::status(kinds::PODS, with_condition(pod, json!({"status": "True"})))]
            }
        }
    }
}

enum Choice<'a> {
    Node(&'a Arc<Value>),
    /// The node, once these claims are bound there.
    Consume(Vec<&'a Arc<Value>>, &'a Arc<Value>),
}

/// The node of a pod, or why there is none.
///
/// The sandbox has one node, where a real cluster has many; so rules between pods (`podAntiAffinity` by host name, which
/// etcd's pods should have, and `topologySpreadConstraints`) are not looked at, nor is what room the node has.
fn choose<'a>(view: &'a View, pod: &Value) -> Result<Choice<'a>, String> {
    let nodes = view.of(kinds::NODES);
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let count = nodes.len();
    let none = |why: &str| format!("0/{count} nodes are available: {count} {why}.");
    let (mut bound, mut waiting) = (Vec::new(), Vec::new());
    for claim in claims(pod) {
        let Some(found) = view.get(kinds::CLAIMS, namespace(pod), claim) else {
            return Err(none(&format!("persistentvolumeclaim \"{claim}\" not found")));
        };
        if is_terminating(found) {
            return Err(none(&format!("persistentvolumeclaim \"{claim}\" is being deleted")));
        }
        if is_bound(found) {
            let volume = found["spec"]["volumeName"].as_str().unwrap_or_default();
            let Some(standing) = view.get(kinds::VOLUMES, "", volume) else {
                let why =
                    format!("persistentvolumeclaim \"{claim}\" bound to non-existent persistentvolume \"{volume}\"");
                return Err(none(&why));
            };
            bound.push(standing);
        } else if waits_for_consumer(view, found) {
            waiting.push(found);
        } else {
            return Err(none("pod has unbound immediate PersistentVolumeClaims"));
        }
    }
    let mut reasons: Vec<(String, usize)> = Vec::new();
    let mut fitting = None;
    for node in nodes {
        match unfit(view, pod, node, &bound, &waiting) {
            None => {
                fitting = Some(node);
                break;
            }
            Some(why) => match reasons.iter_mut().find(|(other, _)| *other == why) {
                Some((_, count)) => *count += 1,
                None => reasons.push((why, 1)),
            },
        }
    }
    let Some(chosen) = fitting else {
        let reasons: Vec<_> = reasons.iter().map(|(why, count)| format!("{count} {why}")).collect();
        return Err(format!("0/{count} nodes are available: {}.", reasons.join(", ")));
    };
    Ok(if waiting.is_empty() { Choice::Node(chosen) } else { Choice::Consume(waiting, chosen) })
}

/// Why a pod cannot run on a node.
fn unfit(view: &View, pod: &Value, node: &Value, bound: &[&Arc<Value>], waiting: &[&Arc<Value>]) -> Option<String> {
    let unready = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let is_ready = condition(node, "Ready").is_some_and(|ready| ready["status"] == "True");
    let taints = list(&node["spec"]["taints"]).chain((!is_ready).then_some(&unready));
    let mut repelling = taints.filter(|taint| taint["effect"] != "PreferNoSchedule" && !is_tolerated(pod, taint));
    if node["spec"]["unschedulable"] == true {
        return Some("node(s) were unschedulable".to_owned());
    }
    if let Some(taint) = repelling.next() {
        let text = |field: &str| taint[field].as_str().unwrap_or_default();
        return Some(format!("node(s) had untolerated taint {{{}: {}}}", text("key"), text("value")));
    }
    if !pod_fits(pod, node) {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    if !bound.iter().all(|volume| volume_fits(volume, node)) {
        return Some("node(s) had volume node affinity conflict".to_owned());
    }
    let can_be_had = |claim: &&Arc<Value>| {
        let class = claim["spec"]["storageClassName"].as_str().unwrap_or_default();
        let class = view.get(kinds::STORAGE_CLASSES, "", class);
        class.is_some_and(|class| class["provisioner"] != "kubernetes.io/no-provisioner")
            || best_volume(view, claim, Some(node)).is_some()
    };
    if !waiting.iter().all(can_be_had) {
        return Some("node(s) didn't find available persistent volumes to bind".to_owned());
    }
    None
}

fn is_tolerated(pod: &Value, taint: &Value) -> bool {
    list(&pod["spec"]["tolerations"]).any(|toleration| {
        let any_key = toleration["key"].as_str().unwrap_or_default().is_empty();
        let exists = toleration["operator"] == "Exists";
        let same =
            |field: &str| toleration[field].as_str().unwrap_or_default() == taint[field].as_str().unwrap_or_default();
        let effect = toleration["effect"].as_str().unwrap_or_default();
        (effect.is_empty() || taint["effect"] == effect)
            && ((any_key && exists) || (same("key") && (exists || same("value"))))
    })
}

/// A claim with the node on which its first pod will run, for whoever binds it.
fn consumed_on(claim: &Value, node: &Value) -> Step {
    let mut after = claim.clone();
    after["metadata"]["annotations"][SELECTED_NODE] = json!(name(node));
    Step::whole(kinds::CLAIMS, after)
}

fn assigned(pod: &Arc<Value>, node: &Value) -> Step {
    let mut after = Value::clone(pod);
    after["spec"]["nodeName"] = json!(name(node));
    let message = format!("Successfully assigned {}/{} to {}", namespace(pod), name(pod), name(node));
    let about = Arc::clone(pod);
    let told = Told { about, warning: false, reason: "Scheduled", message };
    Step { on_success: Some(told), ..Step::whole(kinds::PODS, after) }
}

/// Says once why a pod runs nowhere: again only when the reason is another.
fn refused(pod: &Arc<Value>, why: &str) -> Option<Step> {
    let standing = condition(pod, "PodScheduled");
    if standing.is_some_and(|standing| standing["status"] == "False" && standing["message"] == why) {
        return None;
    }
    let condition = json!({"status": "False", "reason": "Unschedulable", "message": why});
    let message = why.to_owned();
    let told = Told { about: Arc::clone(pod), warning: true, reason: "FailedScheduling", message };
    Some(Step { on_success: Some(told), ..Step::status(kinds::PODS, with_condition(pod, condition)) })
}

fn with_condition(pod: &Value, mut condition: Value) -> Value {
    let standing = super::object::condition(pod, "PodScheduled");
    let since = standing.filter(|standing| standing["status"] == condition["status"]);
    condition["type"] = json!("PodScheduled");
    condition["lastProbeTime"] = Value::Null;
    condition["lastTransitionTime"] = since.map_or_else(|| json!(now()), |since| since["lastTransitionTime"].clone());
    let others = list(&pod["status"]["conditions"]).filter(|other| other["type"] != "PodScheduled");
    let conditions: Vec<_> = others.cloned().chain([condition]).collect();
    let mut after = pod.clone();
    after["status"]["conditions"] = json!(conditions);
    after
}
