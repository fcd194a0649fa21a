//! The sandbox as one process: everything started in its order, and ended.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::timeout;

use super::manifest::Manifest;
use super::node::{self, Node};
use super::registry::Registry;
use super::status::Status;
use super::{api, controllers, faults, kinds};

/// How long the pods of the first manifests may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What a sandbox begins with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// A directory of its own, which exists: kubeconfig, and the mount point of what pods write.
    pub directory: PathBuf,
    /// Built-in manifests by name, or files.
    pub manifests: Vec<String>,
    /// The etcd program; the one on the `PATH` where none is named.
    pub etcd: Option<PathBuf>,
    /// Other programs for images that begin so.
    pub images: Vec<(String, PathBuf)>,
    /// How many keys to write into each etcd of the manifests.
    pub keys: u32,
}

/// A file of the directory: how to reach the API server.
pub const KUBECONFIG: &str = "kubeconfig";

/// Takes this process out of sight of the machine: what pods write goes to memory that is its own. To be called while
/// there is one thread only.
///
/// # Errors
/// When this machine does not let it, with the reason.
pub fn isolate(directory: &Path) -> anyhow::Result<()> {
    node::isolate(directory)
}

/// Removes a sandbox's directory from inside, for when whoever started it cannot any more.
pub fn clear_away(directory: &Path) {
    // What cannot be removed is empty: all that pods wrote was in memory.
    let _ = nix::mount::umount2(&node::memory(directory), nix::mount::MntFlags::MNT_DETACH);
    let _ = fs::remove_dir_all(directory);
}

/// Runs a sandbox until `over`. Says `ready` once the pods of its manifests are.
///
/// # Errors
/// When something cannot be started, or the pods do not become ready.
pub async fn serve(settings: Settings, ready: impl FnOnce(), over: impl Future<Output = ()>) -> anyhow::Result<()> {
    let manifests: Vec<Manifest> =
        settings.manifests.iter().map(|name| Manifest::load(name)).collect::<Result<_, _>>()?;
    let registry = Arc::new(Registry::new());
    let _controllers = controllers::start(&registry);
    let node = Node::start(
        Arc::clone(&registry),
        node::Settings {
            directory: settings.directory.clone(),
            etcd: settings.etcd.clone(),
            images: settings.images.clone(),
        },
    )
    .await?;
    let node = Arc::new(node);
    let tunnels = Arc::new(api::Tunnels::default());
    let kubeconfig = api::start(Arc::clone(&registry), Arc::clone(&node), Arc::clone(&tunnels)).await?;
    tokio::spawn(faults::carry_out(Arc::clone(&registry), Arc::clone(&node), tunnels));
    let outcome = async {
        for manifest in &manifests {
            manifest.create(&registry)?;
        }
        for (namespace, name) in manifests.iter().flat_map(Manifest::statefulsets) {
            timeout(READY_WITHIN, pods_ready(&registry, &namespace, &name)).await.with_context(|| {
                format!("the pods of {namespace}/{name} are not ready after {} s", READY_WITHIN.as_secs())
            })??;
            if settings.keys > 0 {
                fill(&registry, &node, &namespace, &format!("{name}-0"), settings.keys).await?;
            }
        }
        write_private(&settings.directory.join(KUBECONFIG), &kubeconfig)?;
        anyhow::Ok(())
    };
    tokio::pin!(over);
    let outcome = tokio::select! {
        outcome = outcome => outcome,
        () = &mut over => return stop(node, &settings.directory).await,
    };
    if outcome.is_ok() {
        ready();
        over.await;
    }
    stop(node, &settings.directory).await?;
    outcome
}

async fn stop(node: Arc<Node>, directory: &Path) -> anyhow::Result<()> {
    node.stop().await;
    // Whoever started the sandbox may have cleared it away already.
    drop(fs::remove_file(directory.join(KUBECONFIG)));
    Ok(())
}

/// Waits until a StatefulSet has all its pods, and all are ready.
async fn pods_ready(registry: &Registry, namespace: &str, name: &str) -> anyhow::Result<()> {
    let mut watch = registry.watch(registry.version());
    loop {
        let set =
            registry.get(kinds::STATEFUL_SETS, namespace, name).map_err(|status| anyhow::anyhow!(status.message))?;
        let (wanted, status) = (&set["spec"]["replicas"], &set["status"]);
        let seen = status["observedGeneration"] == set["metadata"]["generation"];
        let ready = status["readyReplicas"].as_u64().unwrap_or_default();
        if seen && wanted.as_u64() == Some(ready) {
            return Ok(());
        }
        if watch.next().await.is_err() {
            watch = registry.watch(registry.version());
        }
    }
}

/// Writes keys through a pod's own etcdctl, in transactions of many.
async fn fill(registry: &Registry, node: &Node, namespace: &str, pod: &str, keys: u32) -> anyhow::Result<()> {
    const AT_ONCE: u32 = 100; // etcd takes 128 operations in a transaction
    let said = |status: Status| anyhow::anyhow!(status.message);
    let object = registry.get(kinds::PODS, namespace, pod).map_err(said)?;
    // Where nothing else is said kubectl takes the first container, and so do operators when they order them.
    let container = object["spec"]["containers"][0]["name"].as_str();
    for first in (0..keys).step_by(AT_ONCE as usize) {
        let puts: Vec<String> = (first..keys.min(first + AT_ONCE))
            .map(|number| format!("put /demo/key-{number:05} value-{number}"))
            .collect();
        let puts = puts.join("\n");
        // No conditions; the operations if they hold; none otherwise.
        let script = format!("printf '%s\\n' '' '{puts}' '' '' | ETCDCTL_API=3 etcdctl txn >/dev/null");
        let command = ["sh", "-c", &script].map(str::to_owned);
        let code = node.exec(namespace, pod, container, &command, false, false).await.map_err(said)?.exited().await;
        if code != 0 {
            bail!("the first keys could not be written: etcdctl in {pod} ended with code {code}");
        }
    }
    Ok(())
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
    std::io::Write::write_all(&mut file?, text.as_bytes())?;
    fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))
}
