//! Writing: patches of the StatefulSet, and the deletion of a pod under OnDelete.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::Value;

use super::errors::call;
use super::read::Kubernetes;
use crate::runbook::{Trouble, TroubleKind};

impl Kubernetes {
    /// Applies the operations of a JSON patch to the StatefulSet; with `dry_run` the API server only checks them.
    pub(in crate::cluster) async fn patch(&self, operations: Vec<Value>, dry_run: bool) -> Result<(), Trouble> {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations))
            .map_err(|error| Trouble::new(TroubleKind::Internal, format!("the patch is malformed: {error}")))?;
        let mut params = PatchParams { field_manager: Some("etcd-scale".to_owned()), ..PatchParams::default() };
        params.dry_run = dry_run;
        let what = format!("patch StatefulSet {}/{}", self.namespace, self.name);
        let api = self.statefulsets();
        let patch: Patch<DynamicObject> = Patch::Json(patch);
        call(&what, self.limit, api.patch(&self.name, &params, &patch)).await.map(|_| ())
    }

    /// Deletes a pod, provided that it is still the one that was seen.
    pub(in crate::cluster) async fn delete_pod(&self, name: &str, uid: &str) -> Result<(), Trouble> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        let api = self.api::<Pod>();
        call(&format!("delete pod {name}"), self.limit, api.delete(name, &params)).await.map(|_| ())
    }
}
