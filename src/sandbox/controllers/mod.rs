//! The controllers: what kube-controller-manager and kube-scheduler are to a cluster. They see objects and write
//! objects, nothing else.
//!
//! Each is a pure function from a [`View`] of the objects to [`Plan`]s, and each runs in a loop of its own: look, do
//! what the plans say, wait until something has changed that the controller looks at. A write that meets a newer object
//! is dropped, since the newer object is a reason to look again.

mod budgets;
pub(super) mod events;
mod garbage;
mod namespaces;
mod object;
mod plan;
mod quotas;
#[cfg(test)]
mod scenarios;
mod scheduler;
mod selector;
mod statefulset;
mod volumes;
#[cfg(test)]
mod world;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::kinds;
use super::registry::Registry;
use super::store::Watch;
use plan::Plan;
pub(super) use quotas::check as check_quotas;
pub(super) use selector::selects;

/// The objects that a controller looks at, at one version.
struct View {
    objects: BTreeMap<String, Vec<Arc<Value>>>,
    now: Timestamp,
}

impl View {
    fn of(&self, resource: &str) -> &[Arc<Value>] {
        self.objects.get(resource).map(Vec::as_slice).unwrap_or_default()
    }

    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        object::find(self.of(resource), namespace, name)
    }
}

/// A controller.
struct Controller {
    /// As the source of events.
    name: &'static str,
    looks_at: fn(&Registry) -> Vec<String>,
    decide: fn(&Registry, &View) -> Vec<Plan>,
}

const CONTROLLERS: &[Controller] = &[
    Controller {
        name: "statefulset-controller",
        looks_at: |_| {
            names(&[kinds::STATEFUL_SETS, kinds::PODS, kinds::CLAIMS, kinds::REVISIONS, kinds::QUOTAS, kinds::NODES])
        },
        decide: |_, view| statefulset::decide(view),
    },
    Controller {
        name: "default-scheduler",
        looks_at: |_| names(&[kinds::PODS, kinds::NODES, kinds::CLAIMS, kinds::VOLUMES, kinds::STORAGE_CLASSES]),
        decide: |_, view| scheduler::decide(view),
    },
    Controller {
        name: "persistentvolume-controller",
        looks_at: |_| names(&[kinds::CLAIMS, kinds::VOLUMES, kinds::STORAGE_CLASSES, kinds::PODS, kinds::FAULTS]),
        decide: |_, view| volumes::decide(view),
    },
    Controller { name: "garbage-collector", looks_at: all_but_events, decide: garbage::decide },
    Controller { name: "namespace-controller", looks_at: all, decide: namespaces::decide },
    Controller {
        name: "event-ttl",
        looks_at: |_| names(&[kinds::EVENTS]),
        decide: |_, view| garbage::old_events(view),
    },
    Controller {
        name: "resourcequota-controller",
        looks_at: |_| quotas::looks_at(),
        decide: |_, view| quotas::decide(view),
    },
    Controller {
        name: "disruption-controller",
        looks_at: |_| names(&[kinds::BUDGETS, kinds::PODS, kinds::STATEFUL_SETS]),
        decide: |_, view| budgets::decide(view),
    },
];

fn names(resources: &[&str]) -> Vec<String> {
    resources.iter().map(|resource| (*resource).to_owned()).collect()
}

fn all(registry: &Registry) -> Vec<String> {
    registry.kinds().iter().map(|kind| kind.resource()).collect()
}

/// Events have no owners, and there are many.
fn all_but_events(registry: &Registry) -> Vec<String> {
    all(registry).into_iter().filter(|resource| resource != kinds::EVENTS).collect()
}

/// Makes what is in a cluster from the start, and runs the controllers as long as the answer is kept.
pub(super) fn start(registry: &Arc<Registry>) -> JoinSet<()> {
    furnish(registry);
    let mut tasks = JoinSet::new();
    for controller in CONTROLLERS {
        tasks.spawn(run(Arc::clone(registry), controller));
    }
    tasks
}

/// The namespaces and the storage class that a new cluster has.
fn furnish(registry: &Registry) {
    let class = json!({
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": volumes::PROVISIONER,
    });
    let namespace = |name: &str| (kinds::NAMESPACES, json!({"metadata": {"name": name}}));
    for (resource, object) in [namespace("default"), namespace("kube-system"), (kinds::STORAGE_CLASSES, class)] {
        if let Err(status) = registry.create(resource, "", object, false)
            && status.reason != "AlreadyExists"
        {
            warn!(resource, "cannot furnish the cluster: {}", status.message);
        }
    }
}

/// How long what has failed so many times waits, as kube-controller-manager's queues have it, but never for so long
/// that people would wait for it.
fn delay(failures: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(30);
    let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
    Duration::from_millis(5).checked_mul(factor).unwrap_or(LONGEST).min(LONGEST)
}

async fn run(registry: Arc<Registry>, controller: &'static Controller) {
    let mut failures: HashMap<String, u32> = HashMap::new();
    loop {
        let looks_at = (controller.looks_at)(&registry);
        let (objects, version) = registry.snapshot(&looks_at);
        let mut watch = registry.watch(version);
        let view = View { objects, now: Timestamp::now() };
        let plans = (controller.decide)(&registry, &view);
        let mut again: Option<Duration> = None;
        let mut failed = HashMap::new();
        for plan in plans {
            let mut sooner = |delay: Duration| again = Some(again.map_or(delay, |again| again.min(delay)));
            if let Some(at) = plan.again {
                sooner(Duration::try_from(at - view.now).unwrap_or_default());
            }
            let Err(status) = plan.apply(&registry, controller.name) else { continue };
            if plan::is_stale(&status) {
                continue;
            }
            let count = failures.get(&plan.key).copied().unwrap_or_default().saturating_add(1);
            debug!(controller = controller.name, key = plan.key, count, "failed: {}", status.message);
            sooner(delay(count));
            failed.insert(plan.key, count);
        }
        failures = failed;
        let change = concerns(&mut watch, &looks_at);
        match again {
            None => change.await,
            Some(delay) => {
                // Either way it looks again.
                let _ = tokio::time::timeout_at(Instant::now() + delay, change).await;
            }
        }
    }
}

/// Waits until something has changed that a controller looks at, or may have.
async fn concerns(watch: &mut Watch, looks_at: &[String]) {
    // Where changes are forgotten, or kinds are new, anything may have changed.
    while let Ok(events) = watch.next().await {
        let concerns = |resource: &String| looks_at.contains(resource) || resource == kinds::CUSTOM_KINDS;
        if events.iter().any(|event| concerns(&event.key.resource)) {
            return;
        }
    }
}
