//! The resource of Mayastor's and Puls8's disk pools, which is there for one test at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::{eventually, kubectl, kubectl_create, try_kubectl};

static ALONE: Mutex<()> = Mutex::new(());

/// As long as it lives no test has pools.
pub(crate) struct NoPools(#[expect(dead_code, reason = "held, not looked at")] MutexGuard<'static, ()>);

impl NoPools {
    pub(crate) fn new() -> Self {
        // A test that has failed has deleted its own all the same.
        Self(ALONE.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The resource, which goes with the test.
pub(crate) struct Pools(#[expect(dead_code, reason = "held, not looked at")] NoPools);

impl Pools {
    pub(crate) fn instead_of(none: NoPools) -> Self {
        kubectl_create(&json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "diskpools.openebs.io"},
            "spec": {
                "group": "openebs.io",
                "scope": "Namespaced",
                "names": {"kind": "DiskPool", "plural": "diskpools", "singular": "diskpool"},
                "versions": [{
                    "name": "v1beta3",
                    "served": true,
                    "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        }));
        // Established is not yet served.
        eventually("the resource to be served", || {
            try_kubectl(&["get", "diskpools.openebs.io", "-n", "default"], None)
        });
        Self(none)
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        kubectl(&["delete", "customresourcedefinition", "diskpools.openebs.io"]);
    }
}
