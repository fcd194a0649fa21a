//! A namespace of a test's own, which goes when the test ends, however it ends.

use super::kubectl::try_kubectl;
use super::{eventually, kubectl_create};
use serde_json::{Value, json};

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
        kubectl_create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        let namespace = Self { name };
        eventually("the namespace's service account", || {
            try_kubectl(&["get", "serviceaccount", "default", "-n", &namespace.name], None)
        });
        namespace
    }
}

impl Drop for Namespace {
    /// Nothing here waits or fails: what cannot be removed is left to the namespace's own end.
    fn drop(&mut self) {
        let volumes = volumes(&self.name);
        let now = ["-n", &self.name, "--all", "--force", "--grace-period=0", "--wait=false"];
        drop(try_kubectl(&[&["delete", "statefulset,pod"], &now[..]].concat(), None));
        drop(try_kubectl(&["delete", "namespace", &self.name, "--wait=false"], None));
        let label = format!("{OF_NAMESPACE}={}", self.name);
        drop(try_kubectl(&["delete", "persistentvolume", "--wait=false", "-l", &label], None));
        if !volumes.is_empty() {
            // Volumes outlive their claims where the storage class retains them.
            let names: Vec<&str> = volumes.iter().map(String::as_str).collect();
            drop(try_kubectl(&[&["delete", "persistentvolume", "--wait=false"], &names[..]].concat(), None));
        }
    }
}

fn volumes(namespace: &str) -> Vec<String> {
    let claims = try_kubectl(&["get", "persistentvolumeclaim", "-n", namespace, "-o", "json"], None);
    let claims: Value = claims.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let names =
        claims["items"].as_array().into_iter().flatten().filter_map(|claim| claim["spec"]["volumeName"].as_str());
    names.map(str::to_owned).collect()
}
