//! Writing: patches of the StatefulSet and of a ConfigMap, new volumes, and the deletion of a pod under OnDelete.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, Pod};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use serde_json::Value;

use super::errors::call;
use super::read::Kubernetes;
use crate::runbook::{Trouble, TroubleKind};

/// The name under which the API server keeps what was written.
const MANAGER: &str = "etcd-scale";

fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

fn json_patch(operations: Vec<Value>) -> Result<json_patch::Patch, Trouble> {
    serde_json::from_value(Value::Array(operations))
        .map_err(|error| Trouble::new(TroubleKind::Internal, format!("the patch is malformed: {error}")))
}

impl Kubernetes {
    /// Applies the operations of a JSON patch to the StatefulSet; with `dry_run` the API server only checks them.
    pub(in crate::cluster) async fn patch(&self, operations: Vec<Value>, dry_run: bool) -> Result<(), Trouble> {
        let (patch, params) = (json_patch(operations)?, PatchParams { dry_run, ..patch_params() });
        let what = format!("patch StatefulSet {}/{}", self.namespace, self.name);
        let api = self.statefulsets();
        let patch: Patch<DynamicObject> = Patch::Json(patch);
        call(&what, self.limit, api.patch(&self.name, &params, &patch)).await.map(|_| ())
    }

    /// Applies the operations of a JSON patch to a ConfigMap; with `dry_run` the API server only checks them.
    pub(in crate::cluster) async fn patch_config_map(
        &self,
        name: &str,
        operations: Vec<Value>,
        dry_run: bool,
    ) -> Result<(), Trouble> {
        let patch = Patch::<ConfigMap>::Json(json_patch(operations)?);
        let params = PatchParams { dry_run, ..patch_params() };
        let api = self.api::<ConfigMap>();
        call(&format!("patch ConfigMap {name}"), self.limit, api.patch(name, &params, &patch)).await.map(|_| ())
    }

    /// Makes a volume; with `dry_run` the API server only checks it. Without types, as an operator's own may have
    /// fields that are unknown to this program.
    pub(in crate::cluster) async fn create_volume(&self, manifest: &Value, dry_run: bool) -> Result<(), Trouble> {
        let object: DynamicObject = serde_json::from_value(manifest.clone())
            .map_err(|error| Trouble::new(TroubleKind::Refused, format!("the volume is malformed: {error}")))?;
        let params = PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) };
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &ApiResource::erase::<PersistentVolume>(&()));
        let name = object.metadata.name.clone().unwrap_or_default();
        call(&format!("make volume {name}"), self.limit, api.create(&params, &object)).await.map(|_| ())
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
