//! A namespace of a test's own, which goes when the test ends, however it ends.

use std::path::PathBuf;
use std::{env, fs};

use serde_json::{Value, json};

use super::cluster::name_of;
use super::manifest::volumes;
use super::{api, eventually};

/// The label of volumes that were made for a test, and are in no namespace.
pub(super) const OF_NAMESPACE: &str = "etcd-scale-e2e";

/// A namespace that is deleted when dropped.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    /// Makes `e2e-<test>-<random>`.
    pub(crate) fn new(test: &str) -> Self {
        Self::of("e2e", test)
    }

    /// Makes `<suite>-<test>-<random>`.
    pub(crate) fn of(suite: &str, test: &str) -> Self {
        let random = uuid::Uuid::now_v7().simple().to_string();
        let name = format!("{suite}-{test}-{}", &random[random.len() - 6..]);
        api::create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        let namespace = Self { name };
        eventually("the namespace's service account", || api::try_get("serviceaccount", "default", &namespace.name));
        namespace
    }
}

impl Drop for Namespace {
    /// Nothing here waits or fails: what cannot be removed is left to the namespace's own end.
    fn drop(&mut self) {
        let listed = |kind, labels: &str| api::try_list(kind, &self.name, labels).unwrap_or_default();
        let claims = listed("persistentvolumeclaim", "");
        for kind in ["statefulset", "pod"] {
            for object in listed(kind, "") {
                api::delete(kind, &name_of(&object), &self.name);
            }
        }
        api::delete("namespace", &self.name, "");
        // Volumes outlive their claims where the storage class retains them.
        let volume_of =
            |claim: &Value| api::try_get("persistentvolume", claim["spec"]["volumeName"].as_str()?, "").ok();
        let bound = claims.iter().filter_map(volume_of);
        for volume in bound.chain(listed("persistentvolume", &format!("{OF_NAMESPACE}={}", self.name))) {
            // Only what is named after the volume, so that it is nobody else's.
            if let Some(path) = volume["spec"]["hostPath"]["path"].as_str()
                && path.contains(&name_of(&volume))
            {
                clear(path);
            }
            api::delete("persistentvolume", &name_of(&volume), "");
        }
        clear(&volumes(&self.name));
    }
}

/// Removes what members have left on a node that is this machine, or a sandbox's: 130 MB each, of which a whole suite
/// would fill a disk until the node evicts pods, and a sandbox, which keeps it in memory, until etcd finds no room.
fn clear(path: &str) {
    drop(fs::remove_dir_all(path));
    if let Some(host) = sandbox_host() {
        drop(fs::remove_dir_all(host.join(path.trim_start_matches('/'))));
    }
}

/// Where a sandbox has the files of its node: beside its kubeconfig, as its own process sees them.
fn sandbox_host() -> Option<PathBuf> {
    let kubeconfig = PathBuf::from(env::var_os("KUBECONFIG")?);
    let directory = kubeconfig.parent()?;
    let server = fs::read_to_string(directory.join("lock")).ok()?;
    Some(format!("/proc/{}/root{}/mem/host", server.trim(), directory.display()).into())
}
