//! A cluster for tests: the controllers run when they are told to, and the node is a small function.

use futures::FutureExt;

use super::super::registry::{Deletion, Part};
use super::super::status::Status;
use super::*;
use object::{is_terminating, list, name, uid};

/// Turns after which a cluster that has not come to rest never will.
const TURNS: usize = 2000;

/// A cluster whose controllers run when they are told to.
pub(super) struct World {
    pub(super) registry: Arc<Registry>,
    watch: Watch,
    version: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let registry = Arc::new(Registry::new());
        furnish(&registry);
        let node = json!({"metadata": {"name": "node-0", "labels": {"kubernetes.io/hostname": "node-0"}}});
        registry.create(kinds::NODES, "", node, false).unwrap();
        registry
            .update(kinds::NODES, "", "node-0", Part::Status, false, |node| {
                node["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
                Ok(())
            })
            .unwrap();
        let watch = registry.watch(0);
        let world = Self { registry, watch, version: 0 };
        world.create(kinds::NAMESPACES, "", json!({"metadata": {"name": "x"}}));
        world
    }

    pub(super) fn create(&self, resource: &str, namespace: &str, object: Value) -> Arc<Value> {
        self.registry.create(resource, namespace, object, false).unwrap()
    }

    pub(super) fn patch(
        &self,
        resource: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Status> {
        self.registry.update(resource, "x", name, Part::Whole, false, |object| {
            change(object);
            Ok(())
        })
    }

    pub(super) fn delete(&self, resource: &str, name: &str) {
        let namespace = if self.registry.kind(resource).unwrap().namespaced { "x" } else { "" };
        self.registry.delete(resource, namespace, name, &Deletion::default()).unwrap();
    }

    pub(super) fn list(&self, resource: &str) -> Vec<Arc<Value>> {
        self.registry.list(resource, None).0
    }

    pub(super) fn get(&self, resource: &str, name: &str) -> Option<Arc<Value>> {
        let namespace = if self.registry.kind(resource).unwrap().namespaced { "x" } else { "" };
        self.registry.get(resource, namespace, name).ok()
    }

    pub(super) fn pods(&self) -> Vec<String> {
        self.list(kinds::PODS).iter().map(|pod| name(pod).to_owned()).collect()
    }

    /// What has changed since it was last asked for.
    pub(super) fn changes(&mut self) -> Vec<super::super::store::Event> {
        self.watch.next().now_or_never().map(Result::unwrap).unwrap_or_default()
    }

    /// One turn of every controller.
    pub(super) fn turn(&self) {
        for controller in CONTROLLERS {
            let (objects, _) = self.registry.snapshot(&(controller.looks_at)(&self.registry));
            let view = View { objects, now: Timestamp::now() };
            for plan in (controller.decide)(&self.registry, &view) {
                let _ = plan.apply(&self.registry, controller.name);
            }
        }
    }

    /// Whether objects other than events have changed since it was last asked.
    pub(super) fn rests(&mut self) -> bool {
        let (objects, _) = self.registry.snapshot(&all_but_events(&self.registry));
        let newest =
            objects.values().flatten().filter_map(|one| one["metadata"]["resourceVersion"].as_str()?.parse().ok());
        // A removal leaves no version behind, but its object's count.
        let version = newest.max().unwrap_or(0_u64) * 1000 + objects.values().flatten().count() as u64;
        std::mem::replace(&mut self.version, version) == version
    }

    /// Runs all until nothing changes any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..TURNS {
            self.turn();
            node(&self.registry, |_| true);
            if self.rests() {
                return;
            }
        }
        panic!("the cluster does not come to rest");
    }

    pub(super) fn events(&self, reason: &str) -> Vec<String> {
        let events = self.list(kinds::EVENTS);
        let of_it = events.iter().filter(|event| event["reason"] == reason);
        of_it.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// What a node does about its pods: those whose image is `broken` never get ready. `sees` picks the pods that it gets
/// to.
pub(super) fn node(registry: &Registry, mut sees: impl FnMut(&Value) -> bool) {
    for pod in registry.list(kinds::PODS, None).0 {
        if pod["spec"]["nodeName"].is_null() || !sees(&pod) {
            continue;
        }
        let namespace = object::namespace(&pod);
        if is_terminating(&pod) {
            let now = Deletion { grace: Some(0), uid: Some(uid(&pod).to_owned()), ..Deletion::default() };
            registry.delete(kinds::PODS, namespace, name(&pod), &now).unwrap();
            continue;
        }
        let broken = pod["spec"]["containers"][0]["image"] == "broken";
        let phase = if pod["spec"]["containers"][0]["image"] == "fails" { "Failed" } else { "Running" };
        let status = if broken { "False" } else { "True" };
        registry
            .update(kinds::PODS, namespace, name(&pod), Part::Status, false, |pod| {
                let others = list(&pod["status"]["conditions"]).filter(|other| other["type"] != "Ready").cloned();
                let ready = json!({"type": "Ready", "status": status});
                pod["status"]["conditions"] = others.chain([ready]).collect();
                pod["status"]["phase"] = json!(phase);
                Ok(())
            })
            .unwrap();
    }
}

pub(super) fn set(replicas: u64) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{
                        "name": "a", "image": "good:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                    "volumes": [{"name": "data", "emptyDir": {}}, {"name": "more", "emptyDir": {}}],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }],
        },
    })
}

pub(super) fn image(image: &str) -> impl FnOnce(&mut Value) {
    move |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image)
}
