//! Trouble with pods on demand: objects of kind `Fault`, carried out as they come and taken back as they go.

use std::sync::Arc;

use serde_json::Value;

use super::api::Tunnels;
use super::kinds;
use super::node::Node;
use super::registry::Registry;
use super::status::Status;

/// Carries faults out for as long as the task lives. Those of the API server (`answer`) and of volumes (`hold`) are
/// looked up where they matter.
pub(super) async fn carry_out(registry: Arc<Registry>, node: Arc<Node>, tunnels: Arc<Tunnels>) {
    let mut watch = registry.watch(0);
    loop {
        let Ok(events) = watch.next().await else {
            watch = registry.watch(registry.version());
            continue;
        };
        for event in events.iter().filter(|event| event.key.resource == kinds::FAULTS) {
            let namespace = &event.key.namespace;
            let outcome = match (&event.before, &event.after) {
                (None, Some(fault)) => begin(&node, &tunnels, namespace, &fault["spec"]).await,
                (Some(fault), None) => end(&node, namespace, &fault["spec"]).await,
                _ => Ok(()),
            };
            if let Err(status) = outcome {
                tracing::warn!(fault = event.key.name, why = status.message, "a fault was not carried out");
            }
        }
    }
}

async fn begin(node: &Node, tunnels: &Tunnels, namespace: &str, spec: &Value) -> Result<(), Status> {
    let pod = |kind: &str| spec[kind]["pod"].as_str();
    if let Some(pod) = pod("freeze") {
        node.freeze(namespace, pod)?;
    }
    if let Some(pod) = pod("kill") {
        node.kill(namespace, pod, spec["kill"]["container"].as_str())?;
    }
    if let Some(pod) = pod("cut") {
        node.cut(namespace, pod).await?;
    }
    if let Some(pod) = pod("drop") {
        tunnels.cut(namespace, pod);
    }
    Ok(())
}

async fn end(node: &Node, namespace: &str, spec: &Value) -> Result<(), Status> {
    if let Some(pod) = spec["freeze"]["pod"].as_str() {
        node.thaw(namespace, pod)?;
    }
    if let Some(pod) = spec["cut"]["pod"].as_str() {
        node.mend(namespace, pod).await?;
    }
    Ok(())
}
