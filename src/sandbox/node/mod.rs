//! The node: pods as processes of this machine, in namespaces of their own. What kubelet, a container runtime, a
//! network plugin and cluster DNS are to a real cluster.
//!
//! - `isolate`: the server's own mounts, made before anything else;
//! - `pod` and `container`: their lives, with `probe`, `backoff`, `status` and `events`;
//! - `process`, `stage`, `root`: how a container becomes a process, in two stages: a thread of the server makes the
//!   namespaces, and this program again, as their first process, makes the root file system and becomes the command;
//! - `network`, `netns`, `names`, `volumes`, `env`, `images`: what a container finds around it;
//! - `exec`, `streams`, `faults`: what others want of running pods.

mod backoff;
mod container;
mod env;
mod events;
mod exec;
mod faults;
mod images;
mod isolate;
mod names;
mod netns;
mod network;
mod pod;
mod probe;
mod process;
mod register;
mod root;
mod stage;
mod status;
mod streams;
#[cfg(test)]
mod tests;
mod volumes;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::kinds;
use super::registry::{Deletion, Registry};
use images::Images;
use network::Network;
use pod::Pod;

pub(super) use exec::Exec;
pub(super) use isolate::{isolate, memory};
pub(super) use stage::run as stage;

/// The name of the only node.
pub(super) const NAME: &str = "sandbox";

/// What a node is made with.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The one that [`isolate`] was called with.
    pub(super) directory: PathBuf,
    /// An etcd, or a directory with one; else the one on the PATH.
    pub(super) etcd: Option<PathBuf>,
    /// Images, or what they begin with, that stand for another etcd, or for a directory with one.
    pub(super) images: Vec<(String, PathBuf)>,
}

/// The node. Dropping it ends all its pods, though only [`Node::stop`] waits for that.
#[derive(Debug)]
pub(super) struct Node {
    inner: Arc<Inner>,
    watching: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    registry: Arc<Registry>,
    memory: PathBuf,
    images: Images,
    network: Network,
    /// By namespace and name.
    pods: Mutex<HashMap<(String, String), Arc<Pod>>>,
    /// Names are made and written one time after the other.
    renaming: Mutex<()>,
}

impl Node {
    /// Starts the node: registers it, and runs the pods that are bound to it.
    ///
    /// # Errors
    /// Where there is no etcd, or the kernel does not do what is asked for.
    pub(super) async fn start(registry: Arc<Registry>, settings: Settings) -> anyhow::Result<Self> {
        let images = Images::new(settings.images, settings.etcd.as_deref())?;
        let memory = isolate::memory(&settings.directory);
        fs::create_dir_all(memory.join("root")).with_context(|| format!("cannot write to {}", memory.display()))?;
        let network = Network::start().await?;
        register::register(&registry).map_err(|error| anyhow::anyhow!(error.message))?;
        let inner =
            Arc::new(Inner { registry, memory, images, network, pods: Mutex::default(), renaming: Mutex::default() });
        let watching = tokio::spawn(watch(Arc::clone(&inner)));
        Ok(Self { inner, watching })
    }

    /// Ends all pods at once, leaves their objects alone, and waits until no process is left.
    pub(super) async fn stop(&self) {
        self.watching.abort();
        let pods: Vec<_> = self.inner.pods().values().cloned().collect();
        for pod in &pods {
            pod.vanish();
        }
        for pod in pods {
            pod.gone().await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.watching.abort();
        for pod in self.inner.pods().values() {
            pod.vanish();
        }
    }
}

impl Inner {
    fn pods(&self) -> MutexGuard<'_, HashMap<(String, String), Arc<Pod>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, pod: &Pod) {
        let key = (pod.namespace.clone(), pod.name.clone());
        let mut pods = self.pods();
        if pods.get(&key).is_some_and(|known| known.uid == pod.uid) {
            pods.remove(&key);
        }
    }

    /// Does what the object of a pod asks for; none is there any more.
    fn see(self: &Arc<Self>, namespace: &str, name: &str, object: Option<&Arc<Value>>) {
        let key = (namespace.to_owned(), name.to_owned());
        let known = self.pods().get(&key).cloned();
        let same =
            known.as_ref().filter(|pod| object.is_some_and(|object| object["metadata"]["uid"] == pod.uid.as_str()));
        if same.is_none()
            && let Some(known) = &known
        {
            known.vanish();
        }
        let Some(object) = object.filter(|object| object["spec"]["nodeName"] == NAME) else { return };
        let ends = !object["metadata"]["deletionTimestamp"].is_null();
        match same {
            Some(pod) if ends => {
                let grace = object["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or_default();
                // A year is for ever, and cannot be too much for a clock.
                pod.end(Instant::now() + Duration::from_secs(grace.min(31_536_000)));
            }
            Some(_) => {}
            // It never ran here, so there is nothing to end.
            None if ends => {
                let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
                let _ = self.registry.delete(
                    kinds::PODS,
                    namespace,
                    name,
                    &Deletion { grace: Some(0), uid, ..Deletion::default() },
                );
            }
            None if ["Succeeded", "Failed"].iter().any(|phase| object["status"]["phase"] == *phase) => {}
            None => {
                let Some(pod) = Pod::new(Arc::clone(self), object).map(Arc::new) else { return };
                self.pods().insert(key, Arc::clone(&pod));
                tokio::spawn(pod::live(pod, known));
            }
        }
    }

    /// Writes the names for all pods, where they have changed.
    fn rename(&self) {
        let _one_at_a_time = self.renaming.lock().unwrap_or_else(PoisonError::into_inner);
        let pods: Vec<_> = self.pods().values().cloned().collect();
        let (services, _) = self.registry.list(kinds::SERVICES, None);
        let (objects, _) = self.registry.list(kinds::PODS, None);
        let mut lines: HashMap<&str, String> = HashMap::new();
        for pod in &pods {
            let make = || names::lines(&services, &objects, &pod.namespace);
            pod.name(lines.entry(&pod.namespace).or_insert_with(make));
        }
    }
}

/// Follows the registry.
async fn watch(node: Arc<Inner>) {
    loop {
        let (pods, version) = node.registry.list(kinds::PODS, None);
        let mut changes = node.registry.watch(version);
        let gone: Vec<_> = node.pods().keys().cloned().collect();
        for (namespace, name) in gone {
            if node.registry.get(kinds::PODS, &namespace, &name).is_err() {
                node.see(&namespace, &name, None);
            }
        }
        for pod in &pods {
            let meta = &pod["metadata"];
            node.see(
                meta["namespace"].as_str().unwrap_or_default(),
                meta["name"].as_str().unwrap_or_default(),
                Some(pod),
            );
        }
        node.rename();
        // When it has missed changes, it begins again.
        while let Ok(events) = changes.next().await {
            let mut named = false;
            for event in events {
                match event.key.resource.as_str() {
                    kinds::PODS => node.see(&event.key.namespace, &event.key.name, event.after.as_ref()),
                    kinds::VOLUMES if event.after.is_none() => volumes::forget(&node.memory, &event.key.name),
                    kinds::SERVICES => {}
                    _ => continue,
                }
                named = true;
            }
            if named {
                node.rename();
            }
        }
    }
}
