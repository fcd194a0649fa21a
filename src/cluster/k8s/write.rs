//! Writing: patches of the StatefulSet and of a ConfigMap, new volumes, and the deletion of pods, claims and volumes.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, Request,
};
use serde_json::Value;

use super::errors::call;
use super::read::Kubernetes;
use crate::runbook::{Trouble, TroubleKind};

/// The name under which the API server keeps what was written.
const MANAGER: &str = "etcd-scale";

fn json_patch(operations: Vec<Value>) -> Result<json_patch::Patch, Trouble> {
    serde_json::from_value(Value::Array(operations))
        .map_err(|error| Trouble::new(TroubleKind::Internal, format!("the patch is malformed: {error}")))
}

/// JSON with the characters escaped that Go's encoder escapes: an API server with an older patch library (evanphx's before
/// version 5, in Kubernetes 1.20 for one) compares the text of a `test` with its own, and `&&` with `\u0026\u0026` then.
/// Such characters stand within strings only.
fn as_go_writes(json: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(json);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // A string takes everything.
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped.into_bytes()
}

impl Kubernetes {
    /// Applies the operations of a JSON patch to the StatefulSet; with `dry_run` the API server only checks them.
    pub(in crate::cluster) async fn patch(&self, operations: Vec<Value>, dry_run: bool) -> Result<(), Trouble> {
        let what = format!("patch StatefulSet {}/{}", self.namespace, self.name);
        self.send(&what, &self.statefulsets(), &self.name, operations, dry_run).await
    }

    /// Applies the operations of a JSON patch to a ConfigMap; with `dry_run` the API server only checks them.
    pub(in crate::cluster) async fn patch_config_map(
        &self,
        name: &str,
        operations: Vec<Value>,
        dry_run: bool,
    ) -> Result<(), Trouble> {
        self.send(&format!("patch ConfigMap {name}"), &self.api::<ConfigMap>(), name, operations, dry_run).await
    }

    async fn send<K: kube::Resource>(
        &self,
        what: &str,
        api: &Api<K>,
        name: &str,
        operations: Vec<Value>,
        dry_run: bool,
    ) -> Result<(), Trouble> {
        let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch: Patch<DynamicObject> = Patch::Json(json_patch(operations)?);
        let request = Request::new(api.resource_url()).patch(name, &params, &patch);
        let mut request =
            request.map_err(|error| Trouble::new(TroubleKind::Internal, format!("cannot {what}: {error}")))?;
        *request.body_mut() = as_go_writes(request.body());
        call(what, self.limit, self.client.request::<DynamicObject>(request)).await.map(|_| ())
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
        let api = self.api::<Pod>();
        call(&format!("delete pod {name}"), self.limit, api.delete(name, &only(uid))).await.map(|_| ())
    }

    /// Deletes a claim, provided that it is still the one that was seen.
    pub(in crate::cluster) async fn delete_claim(&self, name: &str, uid: &str) -> Result<(), Trouble> {
        let api = self.api::<PersistentVolumeClaim>();
        call(&format!("delete claim {name}"), self.limit, api.delete(name, &only(uid))).await.map(|_| ())
    }

    /// Deletes a volume, provided that it is still the one that was seen.
    pub(in crate::cluster) async fn delete_volume(&self, name: &str, uid: &str) -> Result<(), Trouble> {
        let api: Api<PersistentVolume> = Api::all(self.client.clone());
        call(&format!("delete volume {name}"), self.limit, api.delete(name, &only(uid))).await.map(|_| ())
    }
}

/// Deletes the object of this uid, and no later one of the same name.
fn only(uid: &str) -> DeleteParams {
    let preconditions = Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    DeleteParams { preconditions, ..DeleteParams::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_written_as_go_writes_it() {
        let value = serde_json::json!({"args": ["[ -d x ] && etcd 2>&1 <y \u{2028}"]});
        let written = as_go_writes(&serde_json::to_vec(&value).unwrap());
        assert_eq!(
            String::from_utf8(written.clone()).unwrap(),
            r#"{"args":["[ -d x ] \u0026\u0026 etcd 2\u003e\u00261 \u003cy \u2028"]}"#
        );
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), value);
    }
}
